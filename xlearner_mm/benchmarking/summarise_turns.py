"""Figures of joint steps against stock ones."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from .turn import Turn


def summarise_turns(turns: Sequence[Turn]) -> dict[str, Any]:
    """Summarise turns; a ratio is of one turn, both sides of which saw the same machine (ours).

    Args:
        turns (Sequence[Turn]): The turns, at least one.

    Returns:
        dict: ``step``, seconds, and ``images_per_second`` by source; ``joint`` and ``sum``, seconds of the joint step
            and of the stock ones together; ``ratio`` of the two; ``raw``, all that was measured. All are medians.
    """
    sources = list(dict.fromkeys(source for turn in turns for source in turn.stock))
    due = {source: [turn for turn in turns if source in turn.stock] for source in sources}
    ratios = [turn.joint / turn.alone for turn in turns]
    return dict(
        step={source: median(turn.stock[source] for turn in own) for source, own in due.items()},
        images_per_second={source: median(turn.images[source] / turn.stock[source] for turn in own)
                           for source, own in due.items()},
        joint=median(turn.joint for turn in turns), sum=median(turn.alone for turn in turns), ratio=median(ratios),
        raw=dict(joint=[turn.joint for turn in turns], ratio=ratios,
                 stock={source: [turn.stock[source] for turn in own] for source, own in due.items()}))
