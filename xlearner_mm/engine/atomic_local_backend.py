"""Local files that are written whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Optional, Union

from mmengine.fileio import LocalBackend, register_backend

from xlearner_mm.utils import atomic_write

ATOMIC_LOCAL = 'xlearner_mm_atomic'


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, but a file that is put replaces the old one in one step (ours)."""

    _later: ClassVar[Optional[list[str]]] = None  # on the class: mmengine makes a new instance for each file

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a temporary file, flush it to the disk and rename it.

        Args:
            obj (bytes): Data to write.
            filepath (str or Path): File to write.
        """
        atomic_write(filepath, obj)
        if self._later is not None and str(filepath) in self._later:
            self._later.remove(str(filepath))

    def remove(self, filepath: Union[str, Path]) -> None:
        """Remove a file, or note it inside of :meth:`removing_later`.

        Args:
            filepath (str or Path): The file.
        """
        if self._later is None:
            super().remove(filepath)
        else:
            self._later.append(str(filepath))

    @contextmanager
    def removing_later(self) -> Iterator[None]:
        """Put off removals to the end of a block; a file that was put in the meantime stays, as do all if it fails."""
        outdated: list[str] = []
        AtomicLocalBackend._later = outdated
        try:
            yield
        finally:
            AtomicLocalBackend._later = None
        for path in outdated:
            self.remove(path)


# force: a reload of this module in one process must not fail.
register_backend(ATOMIC_LOCAL, AtomicLocalBackend, force=True)
