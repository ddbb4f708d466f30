"""Joint and stock train steps in turn."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from .joint_side import JointSide
from .seconds_of import seconds_of
from .stock_side import StockSide
from .turn import Turn


def compare_steps(joint: JointSide, stock: Mapping[str, StockSide], batches: Sequence[Any], steps: int) -> list[Turn]:
    """Do the joint step and the stock steps on the same images in turn, so that a busy machine slows both (ours).

    The batches are there before: a worker that loads the next one would slow the step that comes first.

    Args:
        joint (JointSide): The X-Learner.
        stock (Mapping[str, StockSide]): Stock model by source.
        batches (Sequence[dict]): Batches by source, used in turn.
        steps (int): How often.

    Returns:
        list[Turn]: Measures of each turn.
    """
    turns = []
    for number in range(steps):
        batch = batches[number % len(batches)]
        images = {source: len(part['data_samples']) for source, part in batch.items()}
        seconds = _measure(joint, batch)
        turns.append(Turn(seconds, {source: _measure(stock[source], batch) for source in batch}, images))
    return turns


def _measure(side: Any, batch: Mapping[str, Any]) -> float:
    """Measure a step on a copy: stock preprocessors pad labels in place."""
    return seconds_of(side.step, copy.deepcopy(batch))
