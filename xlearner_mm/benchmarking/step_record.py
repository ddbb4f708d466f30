"""The measures of one train step."""

from typing import NamedTuple


class StepRecord(NamedTuple):
    """What a joint train step took.

    Attributes:
        data (float): Seconds that it waited for the loader.
        step (float): Seconds of the step behind that.
        images (dict[str, int]): Images of this rank by source.
        parts (dict[tuple[str, str], float]): Seconds by name of the part and source, '' for what is no source's; empty
            where parts were not told apart.
        reduced_bytes (int): Bytes of gradients that were averaged over the ranks.
    """

    data: float
    step: float
    images: dict[str, int]
    parts: dict[tuple[str, str], float]
    reduced_bytes: int = 0
