"""Files that are either whole or not there."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any, Union

import torch


def atomic_write(path: Union[str, Path], data: bytes) -> None:
    """Write a file so that a reader, or a run that is killed meanwhile, sees the old content or the new one whole.

    Args:
        path (str or Path): File to write; its folder is made if needed.
        data (bytes): Content.

    Raises:
        OSError: If the file cannot be written; an existing one is left as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp gives 0600; a checkpoint is readable to whom the umask lets read any other file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def atomic_save(content: Any, path: Union[str, Path]) -> None:
    """Save with ``torch.save`` as :func:`atomic_write` writes.

    Args:
        content (Any): What to save.
        path (str or Path): File to write.

    Raises:
        OSError: If the file cannot be written; an existing one is left as it was.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    atomic_write(path, buffer.getvalue())


def atomic_figure(figure: Any, path: Union[str, Path], **kwargs: Any) -> None:
    """Save a figure of matplotlib as :func:`atomic_write` writes.

    Args:
        figure (Figure): The figure.
        path (str or Path): File to write; its ending says the format.
        **kwargs: Further arguments of ``Figure.savefig``.

    Raises:
        OSError: If the file cannot be written; an existing one is left as it was.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix[1:].lower(), **kwargs)
    atomic_write(path, buffer.getvalue())
