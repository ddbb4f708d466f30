"""Files that take their place when they are proved."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from xlearner_mm.utils import atomic_write


@contextmanager
def staged(files: Mapping[Path, bytes]) -> Iterator[dict[Path, Path]]:
    """Write files beside their places, and move them there after the block, if it ends well.

    Args:
        files (Mapping[Path, bytes]): Content by place; all places are in one folder.

    Yields:
        dict[Path, Path]: Where each file is during the block, by place.

    Raises:
        OSError: If they cannot be written; what is in their places stays.
    """
    places = list(files)
    for place in places:
        if place.is_dir():
            raise IsADirectoryError(f'{place} is a folder. Give the path of a file.')
    try:
        places[0].parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=places[0].parent, prefix=f'.{places[0].name}.') as folder:
            written = {place: Path(folder, place.name) for place in places}
            for place, content in files.items():
                atomic_write(written[place], content)
            yield written
            for place in places:
                os.replace(written[place], place)
    except OSError as error:
        raise OSError(f'{places[0]} cannot be written: {error}. What is there already is unchanged.') from error
