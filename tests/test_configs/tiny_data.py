"""A few generated images and labels at the paths that a stock data set's config names, in that data set's format."""

import inspect
import json
from pathlib import Path
from typing import Any, Optional

import numpy as np
from mmengine.registry import DATASETS
from mmpretrain.datasets import CustomDataset
from mmseg.datasets import BaseSegDataset, NYUDataset
from PIL import Image

WIDTH, HEIGHT = 96, 72


def write(dataset: dict, count: int, num_classes: Optional[int] = None) -> None:
    """Write the files of a data set; ``num_classes`` where neither its config nor its class tells."""
    cls = DATASETS.get(dataset['type'])
    classes = dataset.get('metainfo', {}).get('classes') or cls.METAINFO.get('classes')
    classes = list(classes or (f'class_{i:05}' for i in range(num_classes or 0)))
    if issubclass(cls, CustomDataset):
        return _write_folders(dataset, classes, count)
    if issubclass(cls, NYUDataset):
        return _write_maps(dataset, cls, 'depth_map_path', count, np.uint16, 500, 9000)
    if issubclass(cls, BaseSegDataset):
        first = int(_setting(dataset, cls, 'reduce_zero_label'))
        return _write_maps(dataset, cls, 'seg_map_path', count, np.uint8, first, len(classes) + first)
    if 'ann_file' in dataset and hasattr(cls, 'COCOAPI'):
        return _write_coco(dataset, classes, count)
    raise NotImplementedError(f'{dataset["type"]}: tests/test_configs/tiny_data.py writes no such format yet.')


def _write_folders(dataset: dict, classes: list[str], count: int) -> None:
    root = Path(dataset['data_root'], dataset.get('data_prefix') or dataset['split'])
    if root.is_dir():  # for a recipe before; iNaturalist has 10,000 folders
        return
    for i in range(len(classes)):  # a folder a class, as the data set numbers them
        (root / f'{i:05}').mkdir(parents=True, exist_ok=True)
    for i in range(count):
        _write_image(root / f'{i * (len(classes) - 1):05}' / f'{i}.jpg')


def _write_maps(dataset: dict, cls: Any, prefix: str, count: int, dtype: Any, low: int, high: int) -> None:
    root, prefixes = Path(dataset['data_root']), dataset['data_prefix']
    suffix = 'depth_map_suffix' if prefix == 'depth_map_path' else 'seg_map_suffix'
    for i in range(count):
        _write_image(root / prefixes['img_path'] / f'{i}{_setting(dataset, cls, "img_suffix")}')
        labels = np.random.default_rng(i).integers(low, high, (HEIGHT // 24, WIDTH // 24)).astype(dtype)
        path = root / prefixes[prefix] / f'{i}{_setting(dataset, cls, suffix)}'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels.repeat(24, 0).repeat(24, 1)).save(path)


def _write_coco(dataset: dict, classes: list[str], count: int) -> None:
    root, images, annotations = Path(dataset['data_root']), [], []
    for i in range(count):
        name = f'patch0/{i}.jpg'  # Objects365 has folders
        _write_image(root / dataset['data_prefix']['img'] / name)
        images.append(dict(id=i, file_name=name, width=WIDTH, height=HEIGHT))
        for j, box in enumerate(([4, 6, 40, 30], [50, 20, 40, 50])):
            annotations.append(dict(
                id=2 * i + j, image_id=i, category_id=1 + j * (len(classes) - 1), bbox=box, area=box[2] * box[3],
                iscrowd=0))
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    path = root / dataset['ann_file']
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def _write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(int(path.stem.split('_')[0])).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _setting(dataset: dict, cls: Any, name: str) -> Any:
    """A setting of the config, or else the default of the class or of one above it."""
    if name in dataset:
        return dataset[name]
    signatures = (inspect.signature(c.__init__).parameters for c in cls.__mro__)
    return next(parameters[name].default for parameters in signatures if name in parameters)
