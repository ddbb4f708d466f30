"""Finding image files that end too early, at the cost of reading a few bytes (ours).

Not every decoder reports them: OpenCV fills the missing part of a truncated JPEG with grey and says nothing, in
``imread`` and, up to 4.10, also in ``imdecode``.
"""

import os
import stat
import struct
from collections.abc import Mapping
from typing import Any, Optional

from PIL import Image

# How complete files begin and end. Decoders refuse other formats that end early by themselves.
_FORMATS = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND\xae\x42\x60\x82'}
_HEAD_BYTES, _TAIL_BYTES = 32, 256


def check_complete(path: str) -> bytes:
    """Refuse a local image file that is empty, or a JPEG or PNG that is truncated.

    The end marker cannot stand inside of the compressed data. Where it is missing near the end of the file, a full
    decode decides. What is no local file (a missing file, a URL) is left to the loader.

    Args:
        path (str): Image file.

    Returns:
        bytes: How the file begins; nothing if it is no local file.

    Raises:
        OSError: If the file is empty or truncated.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b''
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return b''
        head = os.pread(file, _HEAD_BYTES, 0)
        tail = os.pread(file, _TAIL_BYTES, max(0, status.st_size - _TAIL_BYTES))
    finally:
        os.close(file)
    if not head:
        raise OSError(f'{path} is empty (0 bytes)')
    end = next((end for start, end in _FORMATS.items() if head.startswith(start)), None)
    if end is None or end in tail:
        return head
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f'{path} is truncated: {error}') from error
    return head


def png_format(head: bytes) -> Optional[tuple[tuple[int, int], int]]:
    """Read the size and the bits a value of a PNG.

    Args:
        head (bytes): The first 32 bytes of the file.

    Returns:
        tuple[tuple[int, int], int] or None: Height and width, and bits; None for other files.
    """
    if len(head) < _HEAD_BYTES or head[:4] != b'\x89PNG' or head[12:16] != b'IHDR':
        return None
    width, height, bits = struct.unpack('>IIB', head[16:25])
    return (height, width), bits


def paths_in(info: Mapping[str, Any]) -> list[str]:
    """Give the image files that a sample is made of, as far as its data set tells.

    Args:
        info (Mapping[str, Any]): What the data set's ``get_data_info`` gives.

    Returns:
        list[str]: Paths of the image and of its map of classes.
    """
    return [info[key] for key in ('img_path', 'seg_map_path') if isinstance(info.get(key), str)]
