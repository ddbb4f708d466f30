"""What the benchmarks share: a measure with its limit, and how a set of them is reported."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional


class Measure(NamedTuple):
    """A figure, the most that it may be (or the least), and what it was compared with."""

    name: str
    value: float
    limit: float
    against: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the limit is kept; NaN is not."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


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
        bound = f'at {"least" if m.at_least else "most"} {m.limit:g}'
        print(f'{"ok  " if m.met else "MISS"} {m.name}: {m.value:.4g} ({bound}; {m.against})')
    if file is not None:
        file.write_text(json.dumps([dict(m._asdict(), met=m.met) for m in measures], indent=2))
    return int(not all(m.met for m in measures))
