"""Whole parts of a total by exact shares."""

import math
from collections.abc import Mapping
from fractions import Fraction

from xlearner_mm.utils import Key, derive_seed

from .ratios import Shares


def apportion(total: int, shares: Mapping[str, Fraction], carry: Mapping[str, Fraction],
              *key: Key) -> tuple[dict[str, int], Shares]:
    """Split a total by the largest remainder, and carry over what a source was given too little or too much.

    Over many calls each source gets its exact share: it is never more than one short for two sources, and never more
    than ``len(shares) - 1`` for any number (ours).

    Args:
        total (int): What to split.
        shares (Mapping[str, Fraction]): Share by source; they sum up to 1.
        carry (Mapping[str, Fraction]): What each source still had to get after the last call; missing ones count as 0.
        *key (int or str): Decides between equal remainders.

    Returns:
        tuple[dict[str, int], dict[str, Fraction]]: Parts that sum up to the total, and the carry for the next call.
    """
    due = {source: carry.get(source, Fraction(0)) + total * share for source, share in shares.items()}
    parts = {source: max(0, math.floor(value)) for source, value in due.items()}
    missing = total - sum(parts.values())
    while missing:
        # With many sources, those that had too much before leave less than their floors: then some give one back.
        sign = 1 if missing > 0 else -1
        able = [source for source in due if sign > 0 or parts[source]]
        best = max(able, key=lambda source: (sign * (due[source] - parts[source]), derive_seed(*key, source)))
        parts[best] += sign
        missing -= sign
    return parts, {source: due[source] - parts[source] for source in due}
