"""Figures of measured steps."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from .step_record import StepRecord

PARTS = ('forward', 'backward', 'reduce', 'optimizer')


def summarise(records: Sequence[StepRecord], parted: Sequence[StepRecord], processes: int = 1) -> dict[str, Any]:
    """Summarise joint steps: seconds are medians, shares are of all steps together (ours).

    Args:
        records (Sequence[StepRecord]): Steps as they are trained.
        parted (Sequence[StepRecord]): Steps whose parts were told apart; they may be the same.
        processes (int): Processes that train together.

    Returns:
        dict: ``step`` and ``data``, seconds; ``images_per_step`` and ``images_per_second`` by source, of all processes;
            ``parts``, seconds by part, and ``sources``, the same by source; ``shares`` of data, parts and the rest of
            the step, which add up to 1; ``reduced_bytes`` of a step; ``raw``, all that was measured.
    """
    seconds = sum(record.data + record.step for record in records)
    sources = list(dict.fromkeys(source for record in records for source in record.images))
    images = {source: processes * sum(record.images.get(source, 0) for record in records) for source in sources}
    named = dict.fromkeys([*PARTS, *(part for record in parted for part, _ in record.parts)])
    by_part = {part: [_seconds(record, part) for record in parted] for part in named}
    by_part['other'] = [record.step - sum(record.parts.values()) for record in parted]
    whole = sum(record.data + record.step for record in parted)
    shares = {part: sum(values) / whole for part, values in by_part.items()}
    return dict(
        step=median(record.step for record in records),
        data=median(record.data for record in records),
        images_per_step={source: number / len(records) for source, number in images.items()},
        images_per_second={source: number / seconds for source, number in images.items()},
        parts={part: median(values) for part, values in by_part.items()},
        sources={source: _of_source(source, parted) for source in sources},
        shares=dict(data=sum(record.data for record in parted) / whole, **shares),
        reduced_bytes=median(record.reduced_bytes for record in records),
        raw=dict(data=[record.data for record in records], step=[record.step for record in records],
                 images=[record.images for record in records], parts=by_part,
                 parts_data=[record.data for record in parted], parts_step=[record.step for record in parted],
                 reduced_bytes=[record.reduced_bytes for record in records]))


def _seconds(record: StepRecord, part: str) -> float:
    return sum(seconds for (name, _), seconds in record.parts.items() if name == part)


def _of_source(source: str, records: Sequence[StepRecord]) -> dict[str, float]:
    """Medians of the parts of a source, over the steps that it is due in."""
    due = [record.parts for record in records if source in record.images]
    names = dict.fromkeys(part for parts in due for part, owner in parts if owner == source)
    return {name: median(parts.get((name, source), 0.0) for parts in due) for name in names}
