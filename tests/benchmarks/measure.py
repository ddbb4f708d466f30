"""What the benchmarks share: a measure with its limit, and how a set of them is reported."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional


class Measure(NamedTuple):
    """A figure, the most that it may be, and what it was compared with."""

    name: str
    value: float
    limit: float
    against: str


def report(title: str, measures: Sequence[Measure], file: Optional[Path]) -> int:
    """Print all measures and write them to a file.

    Args:
        title (str): What they were taken on.
        measures (Sequence[Measure]): The measures.
        file (Path, optional): JSON file for them.

    Returns:
        int: Exit code, 1 if a limit is missed.
    """
    print(f'\n{title}')
    for m in measures:
        print(f'{"ok  " if m.value <= m.limit else "MISS"} {m.name}: {m.value:.4g} (at most {m.limit:g}; {m.against})')
    if file is not None:
        file.write_text(json.dumps([m._asdict() for m in measures], indent=2))
    return int(any(not m.value <= m.limit for m in measures))
