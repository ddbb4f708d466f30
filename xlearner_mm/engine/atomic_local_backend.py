"""Local files that are written whole."""

from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from xlearner_mm.utils import atomic_write

ATOMIC_LOCAL = 'xlearner_mm_atomic'


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, but a file that is put replaces the old one in one step (ours)."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a temporary file, flush it to the disk and rename it.

        Args:
            obj (bytes): Data to write.
            filepath (str or Path): File to write.
        """
        atomic_write(filepath, obj)


# force: a reload of this module in one process must not fail.
register_backend(ATOMIC_LOCAL, AtomicLocalBackend, force=True)
