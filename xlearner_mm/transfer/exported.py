"""What an export wrote."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Exported(os.PathLike):
    """An exported file, and how it is used; it stands for the path where a path is wanted.

    Attributes:
        path (Path): The file.
        target (str): Library that loads it.
        agreement (str): What was proved of it.
        usage (list[str]): Lines to paste.
        notes (list[str]): What to know of it.
        config (dict): Config of a stock backbone that starts from it, its type with the prefix; else empty.
    """

    path: Path
    target: str
    agreement: str
    usage: list[str]
    notes: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        """The path."""
        return str(self.path)
