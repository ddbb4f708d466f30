"""Finding image files that end too early, at the cost of reading a few bytes (ours).

Not every decoder reports them: OpenCV fills the missing part of a truncated JPEG with grey and says nothing, in
``imread`` and, up to 4.10, also in ``imdecode``.
"""

import os

from PIL import Image

# How complete files begin and end. Decoders refuse other formats that end early by themselves.
_FORMATS = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND\xae\x42\x60\x82'}
_TAIL_BYTES = 256


def check_complete(path: str) -> None:
    """Refuse a local image file that is empty, or a JPEG or PNG that is truncated.

    The end marker cannot stand inside of the compressed data. Where it is missing near the end of the file, a full
    decode decides. What is no local file (a missing file, a URL) is left to the loader.

    Args:
        path (str): Image file.

    Raises:
        OSError: If the file is empty or truncated.
    """
    if not os.path.isfile(path):
        return
    with open(path, 'rb') as file:
        head = file.read(4)
        if not head:
            raise OSError(f'{path} is empty (0 bytes)')
        end = next((end for start, end in _FORMATS.items() if head.startswith(start)), None)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        if end is None or end in file.read():
            return
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f'{path} is truncated: {error}') from error
