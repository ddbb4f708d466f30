"""Ways to break one thing in a copy of the toy data or in the config of its run."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image

import toy

Change = Callable[[Path, Config], Any]


def data_of(cfg: Config, source: str) -> Any:
    return cfg.train_dataloader.dataset.sources[source].dataset


def file(path: str, edit: Callable[[Path], Any]) -> Change:
    return lambda root, _: edit(root / path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def write(path: str, content: bytes) -> Change:
    return file(path, lambda file: file.write_bytes(content))


def pixels(path: str, shape: tuple[int, ...], dtype: Any = np.uint8, low: int = 0, high: int = 4) -> Change:
    """Replace an image by one of other pixels."""
    pixels = np.random.default_rng(0).integers(low, high, shape).astype(dtype)
    return file(path, lambda file: Image.fromarray(pixels).save(file))


def both(*changes: Change) -> Change:
    return lambda root, cfg: [change(root, cfg) for change in changes]


def half_jpeg(path: Path) -> None:
    """Put half of a JPEG in the place of a PNG."""
    Image.open(path).save(path, 'JPEG')
    truncate(path)


def bomb(path: Path) -> None:
    """Let a PNG's header claim 100000 x 100000 pixels, with a right check sum."""
    data = path.read_bytes()
    header = b'IHDR' + struct.pack('>II', 100_000, 100_000) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack('>I', zlib.crc32(header)) + data[33:])


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name('nowhere.png'))


def options(source: str, **settings: Any) -> Change:
    """Set options of the source's data set."""
    return lambda _, cfg: data_of(cfg, source).update(settings)


def step(source: str, index: int, **settings: Any) -> Change:
    """Set options of a step of the source's pipeline."""
    return lambda _, cfg: data_of(cfg, source).pipeline[index].update(settings)


def insert(source: str, **step: Any) -> Change:
    """Insert a step before the source's packing."""
    return lambda _, cfg: data_of(cfg, source).pipeline.insert(-1, step)


def coco(edit: Callable[[Any], Any], split: str = 'train') -> Change:
    """Edit the annotations of ``boxes``, or replace them by what ``edit`` returns."""

    def _edit(path: Path) -> None:
        content = json.loads(path.read_text())
        result = edit(content)
        path.write_text(json.dumps(content if result is None else result))

    return file(f'boxes/{split}.json', _edit)


def annotation(**values: Any) -> Change:
    """Change the annotation of image 2."""
    return coco(lambda content: content['annotations'][2].update(values))


def labels(*third: Any) -> Change:
    """Give ``photos`` a file of labels; ``third`` stands behind the third image."""

    def _write_labels(root: Path, cfg: Config) -> None:
        lines = [f'class{i % 3}/{i}.png {i % 3}' for i in range(toy.COUNTS['photos'])]
        lines[2] = ' '.join(['class2/2.png', *map(str, third)])
        (root / 'photos/train.txt').write_text('\n'.join(lines))
        data_of(cfg, 'photos').update(ann_file='train.txt', metainfo=dict(classes=('class0', 'class1', 'class2')))

    return _write_labels


def turned(path: Path) -> None:
    """Write a JPEG of 64 x 32 (width x height) that its orientation tag turns upright; loaders follow it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, 'JPEG', exif=exif)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def num_classes(source: str, head: str, num_classes: int) -> Change:
    return lambda _, cfg: cfg.model.branches[source].model[head].update(num_classes=num_classes)


def mean(source: str, mean: list[float]) -> Change:
    return lambda _, cfg: cfg.model.branches[source].model.data_preprocessor.update(mean=mean)


def without_data(_: Path, cfg: Config) -> None:
    del cfg.train_dataloader.dataset.sources.photos, cfg.train_dataloader.batch_size.photos
