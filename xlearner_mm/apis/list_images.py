"""Images as a user names them: paths, folders and arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')

Image = Union[str, np.ndarray]
"""Path or URL, or an array ``(H, W, 3)`` in BGR order, as ``mmcv.imread`` gives it."""


def list_images(inputs: Any) -> list[Image]:
    """List the images that are meant.

    Args:
        inputs (str or Path or ndarray or Sequence): An image, a folder of images, or several of them. Of a folder the
            images in it are taken, by name, and no folders inside of it.

    Returns:
        list[str or ndarray]: The images; a file that is named twice comes once.

    Raises:
        FileNotFoundError: If a path does not exist, or there is no image.
        TypeError: If something is neither path nor array.
        ValueError: If an array is no image.
    """
    listed: dict[Any, Image] = {}
    for given in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        for image in _in_array(given) if isinstance(given, np.ndarray) else _at_path(given):
            key = id(image) if isinstance(image, np.ndarray) else image
            listed[key] = image
    if not listed:
        raise FileNotFoundError('There is no image to predict: the list of images is empty.')
    return list(listed.values())


def _in_array(image: np.ndarray) -> Sequence[np.ndarray]:
    if image.ndim not in (2, 3) or image.size == 0 or not (image.dtype == np.uint8 or image.dtype.kind == 'f'):
        raise ValueError(f'An image must be an array (H, W, 3) of uint8 or float, got {image.shape} of {image.dtype}.')
    return [image]


def _at_path(given: Any) -> Sequence[str]:
    if not isinstance(given, (str, Path)):
        raise TypeError(f'An image must be a path or an array (H, W, 3) in BGR order, got {type(given).__name__}.')
    if '://' in str(given):
        return [str(given)]
    path = Path(given)
    if not path.exists():
        raise FileNotFoundError(f'{given} does not exist. Give an image or a folder of images.')
    if not path.is_dir():
        return [str(path)]
    found = sorted(str(file) for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not found:
        raise FileNotFoundError(f'There is no image in the folder {given}; folders inside of it are not searched, and '
                                f'images are files that end in {", ".join(SUFFIXES)}.')
    return found
