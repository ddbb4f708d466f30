"""Predictions and their pictures as files."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from PIL import Image as PILImage

from xlearner_mm.utils import atomic_write, text_table

_SHOWN = 3


class PredictionWriter:
    """Write predictions of images below a folder (ours).

    There are pictures ``<source>/<image>.png``, maps as ``<source>/<image>_map.png`` (labels of 8 or 16 bits; depths as
    ``.npy``), and ``predictions.json`` with a list ``images`` of ``{"image": path, "predictions": {source: ...}}``. A
    prediction is what :func:`plain_prediction` gives, with the names of its ``picture`` and of its ``map``.

    Args:
        folder (str or Path): The folder; made if needed.
        images (Sequence[str]): Paths of all images.

    Raises:
        NotADirectoryError: If it is a file.
    """

    def __init__(self, folder: Union[str, Path], images: Sequence[str]) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(f'{folder} is a file. Give a folder for the predictions.')
        self._names = file_names(images)
        self.records: list[dict[str, Any]] = []

    def write(self, image: str, predictions: Mapping[str, dict[str, Any]], pictures: Mapping[str, np.ndarray]) -> None:
        """Write what is predicted of an image.

        Args:
            image (str): Its path.
            predictions (Mapping[str, dict]): Plain prediction by source.
            pictures (Mapping[str, ndarray]): Picture ``(H, W, 3)`` by source, RGB.
        """
        written = {}
        for source, plain in predictions.items():
            stem = f'{source}/{self._names[image]}'
            files = dict(picture=self._write_array(stem, pictures[source]))
            if 'map' in plain:
                files['map'] = self._write_array(f'{stem}_map', plain['map'])
            written[source] = {**plain, **files}
        self.records.append(dict(image=image, predictions=written))

    def finish(self, **about: Any) -> Path:
        """Write what is not a picture.

        Args:
            **about: What else to say in the file.

        Returns:
            Path: The file.
        """
        path = self.folder / 'predictions.json'
        atomic_write(path, json.dumps(dict(about, images=self.records), indent=1).encode())
        return path

    def table(self, score_thr: float) -> str:
        """Lay out what was predicted.

        Args:
            score_thr (float): Objects with a lower score are left out.

        Returns:
            str: A row an image and source.
        """
        rows = [(self._names[record['image']], source, summary(plain, score_thr))
                for record in self.records for source, plain in record['predictions'].items()]
        return '\n'.join(text_table(rows, ('image', 'source', 'prediction'), 3))

    def _write_array(self, stem: str, array: np.ndarray) -> str:
        """Write a picture or a map; gives its name below the folder."""
        buffer = io.BytesIO()
        if array.dtype.kind == 'f' or array.max() > np.iinfo(np.uint16).max:
            name = f'{stem}.npy'
            np.save(buffer, array)
        else:
            name = f'{stem}.png'
            small = array.max() <= np.iinfo(np.uint8).max
            PILImage.fromarray(array.astype(np.uint8 if small else np.uint16)).save(buffer, format='png')
        atomic_write(self.folder / name, buffer.getvalue())
        return name


def file_names(images: Sequence[str]) -> dict[str, str]:
    """Give each image a name of its own for what is written of it.

    Args:
        images (Sequence[str]): Paths.

    Returns:
        dict[str, str]: Name by path: the one of the file, without its ending and folders where they are not needed.

    Raises:
        ValueError: If two would have the same name.
    """
    names: dict[str, str] = {}
    for shorten in (lambda path: path.stem, lambda path: path.name, lambda path: '_'.join(path.parts).lstrip('/_')):
        names = {image: shorten(Path(image)) for image in images}
        if len(set(names.values())) == len(names):
            return names
    raise ValueError('Two images would be written under one name. Predict them one after the other, into two folders.')


def summary(plain: Mapping[str, Any], score_thr: float) -> str:
    """Tell a prediction in a few words.

    Args:
        plain (Mapping): A plain prediction.
        score_thr (float): Objects with a lower score are left out.

    Returns:
        str: The largest of what it names.
    """
    if 'depth' in plain:
        return 'depth {min:.3g} to {max:.3g}, mean {mean:.3g}'.format(**plain['depth'])
    if 'areas' in plain:
        named = [f'{area["name"]} {100 * area["share"]:.0f} %' for area in plain['areas']]
    elif 'objects' in plain:
        named = [f'{found["name"]} {found["score"]:.2f}' for found in plain['objects'] if found['score'] > score_thr]
        named = named or [f'nothing above {score_thr:g}']
    else:
        named = [f'{found["name"]} {found["score"]:.2f}' for found in plain['classes']]
    return ', '.join(named[:_SHOWN]) + (f' and {len(named) - _SHOWN} more' if len(named) > _SHOWN else '')
