"""The way of an image without labels into a source's stock model."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose
from mmengine.registry import DATASETS as MMENGINE_DATASETS

from xlearner_mm.datasets import SampleError, check_complete, error_text
from xlearner_mm.transfer.registered_types import check_types
from xlearner_mm.utils import with_scope

from .list_images import Image

_LABELS = re.compile(r'Load\w*Annotation')


class SourcePipeline:
    """Prepare images as a stock data set does, without the labels (ours).

    The data set is not built: its files need not exist.

    Args:
        source (str): Name of the source.
        task (str): Its task.
        dataset (Mapping): Config of its data set, with the library's prefix.
        name (str): Where a config has it.

    Raises:
        ValueError: If it has no pipeline that reads an image, or names code in it.
    """

    def __init__(self, source: str, task: str, dataset: Mapping[str, Any], name: str) -> None:
        self.source = source
        self.task = task
        dataset = with_scope(dataset)
        scope = dataset.get('_scope_')
        while 'pipeline' not in dataset:
            dataset = _inside(dataset, name)
            scope = dataset.get('_scope_', scope)
        check_types(dataset['pipeline'], f'{name}.pipeline')
        with MMENGINE_DATASETS.switch_scope_and_registry(scope):  # as the data set itself builds it
            transforms = Compose(copy.deepcopy(dataset['pipeline'])).transforms
        loader = next((t for t in transforms if isinstance(t, LoadImageFromFile)), None)
        if loader is None:
            raise ValueError(f'{name}.pipeline has no LoadImageFromFile to put an image in its place.')
        self._loader = loader
        self._transforms = [t for t in transforms if t is not loader and not _LABELS.match(type(t).__name__)]

    def read(self, image: Image) -> np.ndarray:
        """Read an image as the pipeline does.

        Args:
            image (str or ndarray): Path, or array ``(H, W, 3)``.

        Returns:
            ndarray: The image ``(H, W, 3)``, BGR as stock loaders give it.

        Raises:
            SampleError: If it cannot be read.
        """
        return self._load(image, 0)['img']

    def __call__(self, image: Image, index: int) -> dict[str, Any]:
        """Prepare an image.

        Args:
            image (str or ndarray): Path, or array ``(H, W, 3)`` in BGR order.
            index (int): Its number, for models that ask for one.

        Returns:
            dict: ``inputs`` and ``data_samples`` as the stock pipeline packs them, marked with source and task.

        Raises:
            SampleError: If it cannot be read or prepared.
        """
        results: Any = self._load(image, index)
        try:
            for transform in self._transforms:
                results = transform(results)
                if results is None:
                    raise ValueError(f'{type(transform).__name__} drops it')
            results['data_samples'].set_metainfo(dict(source=self.source, task=self.task))
        except Exception as error:
            raise SampleError(f'Source {self.source!r}: {_name(image)} cannot be prepared: {error_text(error)}. Mend '
                              'the image, or leave the source out.') from error
        return results

    def _load(self, image: Image, index: int) -> dict[str, Any]:
        """Give what a stock loader makes of an image."""
        results: dict[str, Any] = dict(img_id=index, sample_idx=index, seg_fields=[])
        if isinstance(image, np.ndarray):
            pixels = image.astype(np.float32) if self._loader.to_float32 else image
            return dict(results, img=pixels, img_shape=pixels.shape[:2], ori_shape=pixels.shape[:2])
        try:
            check_complete(image)
            loaded = self._loader(dict(results, img_path=image))
            if loaded is None:
                raise ValueError('its file is missing or empty')
            return loaded
        except Exception as error:
            raise SampleError(f'{image} cannot be read: {error_text(error)}. Mend or remove the image.') from error


def _inside(dataset: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give the data set that another one wraps; the first one of several."""
    inside = dataset.get('dataset', dataset.get('datasets'))
    inside = inside[0] if isinstance(inside, (list, tuple)) and inside else inside
    if not isinstance(inside, Mapping):
        raise ValueError(f'{name} has no pipeline, and none of a data set inside of it.')
    return inside


def _name(image: Image) -> str:
    return f'an array of {image.shape}' if isinstance(image, np.ndarray) else image
