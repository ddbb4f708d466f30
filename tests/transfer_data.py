"""A few generated images of each downstream set, in the files that the set is published in.

Images of a class have its brightness and a red tint. In every test split one image of the first class looks like the
second one, so that a probe of any use is right 6 times of 7 (top-1), or 11 of 12 in the mean over the classes.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.io import savemat

# Of each image, its class and the class that it looks like.
PLAN = dict(
    train=[(i, i) for i in (0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 1)],
    val=[(i % 3, i % 3) for i in range(6)],
    test=[(0, 0), (1, 1), (0, 1), (2, 2), (0, 0), (1, 1), (0, 0)])
FIGURES = dict(top1=100 * 6 / 7, mean_per_class=100 * 11 / 12)
PAIR = ('train', 'test')
WIDTH, HEIGHT = 60, 44

Split = list[tuple[str, str]]  # of each image its path below the root, and the name of its class


class _Item(NamedTuple):
    number: int  # counts from 1 through all splits, which take turns
    split: str
    kind: int
    pixels: np.ndarray  # (H, W, 3), RGB


def _items(splits: Sequence[str] = tuple(PLAN), size: tuple[int, int] = (HEIGHT, WIDTH)) -> list[_Item]:
    order = sorted((i, split) for split in splits for i in range(len(PLAN[split])))
    return [_Item(n, split, PLAN[split][i][0], _pixels(n, PLAN[split][i][1], size))
            for n, (i, split) in enumerate(order, 1)]


def _pixels(seed: int, look: int, size: tuple[int, int]) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 20, (*size, 3)) + 70 * look
    return (pixels + [40, 0, 0]).astype(np.uint8)


def _save(pixels: np.ndarray, path: Path, kind: str = 'JPEG', mode: str = 'RGB') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, kind)


def _lines(path: Path, lines: Sequence[str], end: str = '\n') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(''.join(line + end for line in lines).encode())


def _by_split(items: Sequence[_Item], paths: Sequence[str], classes: Sequence[str]) -> dict[str, Split]:
    found: dict[str, Split] = {item.split: [] for item in items}
    for item, path in zip(items, paths, strict=True):
        found[item.split].append((path, classes[item.kind]))
    return found


def caltech101(root: Path) -> dict[str, Split]:
    """Some images are grey; the lists that go round have the line ends of Windows."""
    classes, labels = ('BACKGROUND_Google', 'accordion', 'yin_yang'), (0, 5, 101)
    items = _items(PAIR)
    paths = [f'{classes[i.kind]}/image_{i.number:04}.jpg' for i in items]
    for item, path in zip(items, paths, strict=True):
        _save(item.pixels, root / '101_ObjectCategories' / path, mode='L' if item.number == 4 else 'RGB')
    for split in PAIR:
        _lines(root / f'meta/{split}.txt',
               [f'{p} {labels[i.kind]}' for i, p in zip(items, paths, strict=True) if i.split == split], '\r\n')
    return _by_split(items, [f'101_ObjectCategories/{path}' for path in paths], classes)


def cifar10(root: Path) -> dict[str, Split]:
    """Five files of training images."""
    items, folder = _items(PAIR, (32, 32)), root / 'cifar-10-batches-py'
    parts = {f'data_batch_{n + 1}': [i for i in items if i.split == 'train'][3 * n:3 * n + 3] for n in range(5)}
    for name, part in dict(parts, test_batch=[i for i in items if i.split == 'test']).items():
        _pickle(folder / name, _cifar(part, dict(labels=[(0, 5, 9)[i.kind] for i in part])))
    _pickle(folder / 'batches.meta', dict(label_names=['airplane', 'automobile'], num_cases_per_batch=3, num_vis=3072))
    return _by_split(items, [''] * len(items), ('airplane', 'dog', 'truck'))


def cifar100(root: Path) -> dict[str, Split]:
    """Fine and coarse labels."""
    items, folder = _items(PAIR, (32, 32)), root / 'cifar-100-python'
    for split in PAIR:
        part = [i for i in items if i.split == split]
        labels = dict(fine_labels=[(0, 1, 99)[i.kind] for i in part], coarse_labels=[(4, 1, 14)[i.kind] for i in part])
        _pickle(folder / split, _cifar(part, labels))
    _pickle(folder / 'meta', dict(fine_label_names=['apple'], coarse_label_names=['aquatic_mammals']))
    return _by_split(items, [''] * len(items), ('apple', 'aquarium_fish', 'worm'))


def _cifar(items: Sequence[_Item], labels: dict[str, list[int]]) -> dict[str, Any]:
    data = np.stack([item.pixels.transpose(2, 0, 1).reshape(-1) for item in items])  # plane by plane
    return dict(labels, data=data, batch_label='batch', filenames=[f'{item.number}.png' for item in items])


def _pickle(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol=2))


def dtd(root: Path) -> dict[str, Split]:
    """All splits are in one file of MATLAB."""
    items, classes = _items(), ('banded', 'polka-dotted', 'zigzagged')
    names = [f'{classes[i.kind]}/{classes[i.kind]}_{i.number:04}.jpg' for i in items]
    for item, name in zip(items, names, strict=True):
        _save(item.pixels, root / 'images' / name)
    images = dict(id=_row(range(1, len(items) + 1), np.uint8), name=_row(names, object),
                  set=_row([1 + ('train', 'val', 'test').index(i.split) for i in items], np.uint8))
    images['class'] = _row([(1, 31, 47)[i.kind] for i in items], np.uint8)
    (root / 'imdb').mkdir()
    savemat(root / 'imdb/imdb.mat', dict(images=images, meta=dict(classes=_row(classes, object))), do_compression=True)
    return _by_split(items, [f'images/{name}' for name in names], classes)


def _row(values: Any, dtype: Any) -> np.ndarray:
    """A MATLAB row; of objects, a row of cells. MATLAB itself stores whole numbers in as few bytes as these types."""
    return np.array(list(values), dtype=dtype).reshape(1, -1)


def fgvc_aircraft(root: Path) -> dict[str, Split]:
    """Names of classes hold spaces and slashes; there are lists of the union, too."""
    items, classes = _items(), ('707-320', 'Boeing 717', 'F/A-18')
    names = [f'{34000 + item.number:07}' for item in items]
    for item, name in zip(items, names, strict=True):
        _save(item.pixels, root / f'data/images/{name}.jpg')
    for list_name, splits in dict(train=['train'], val=['val'], trainval=['train', 'val'], test=['test']).items():
        _lines(root / f'data/images_variant_{list_name}.txt',
               [f'{n} {classes[i.kind]}' for i, n in zip(items, names, strict=True) if i.split in splits])
    _lines(root / 'data/variants.txt', classes)
    return _by_split(items, [f'data/images/{name}.jpg' for name in names], classes)


def flowers102(root: Path) -> dict[str, Split]:
    """Classes have no names; the data set's are None."""
    items, ids = _items(), (1, 50, 102)
    names = [f'jpg/image_{item.number:05}.jpg' for item in items]
    for item, name in zip(items, names, strict=True):
        _save(item.pixels, root / name)
    savemat(root / 'imagelabels.mat', dict(labels=_row([ids[i.kind] for i in items], np.uint8)), do_compression=True)
    splits = {key: _row([i.number for i in items if i.split == split], np.uint16)
              for key, split in dict(trnid='train', valid='val', tstid='test').items()}
    savemat(root / 'setid.mat', splits, do_compression=True)
    return _by_split(items, names, [str(i - 1) for i in ids])


def food101(root: Path) -> dict[str, Split]:
    """The lists leave the suffix out."""
    items, classes = _items(PAIR), ('apple_pie', 'hot_dog', 'waffles')
    names = [f'{classes[i.kind]}/{1005649 + i.number}' for i in items]
    for item, name in zip(items, names, strict=True):
        _save(item.pixels, root / f'images/{name}.jpg')
    for split in PAIR:
        _lines(root / f'meta/{split}.txt', [n for i, n in zip(items, names, strict=True) if i.split == split])
    return _by_split(items, [f'images/{name}.jpg' for name in names], classes)


def oxford_pets(root: Path) -> dict[str, Split]:
    """A line has the class, the species, and the breed within it; some files named .jpg are PNG."""
    items = _items(PAIR)
    classes = dict(Abyssinian='1 1 1', american_bulldog='2 2 1', yorkshire_terrier='37 2 25')
    names = [f'{list(classes)[i.kind]}_{i.number}' for i in items]
    for item, name in zip(items, names, strict=True):
        odd = item.number == 4
        _save(item.pixels, root / f'images/{name}.jpg', 'PNG' if odd else 'JPEG', 'RGBA' if odd else 'RGB')
    told = [f'{name} {list(classes.values())[i.kind]}' for i, name in zip(items, names, strict=True)]
    for split, name in dict(train='trainval', test='test').items():
        _lines(root / f'annotations/{name}.txt', [t for i, t in zip(items, told, strict=True) if i.split == split])
    _lines(root / 'annotations/list.txt', ['#Image CLASS-ID SPECIES BREED ID', *told])
    return _by_split(items, [f'images/{name}.jpg' for name in names], list(classes))


CARS = ('AM General Hummer SUV 2000', 'Acura RL Sedan 2012', 'smart fortwo Convertible 2012')


def stanford_cars(root: Path) -> dict[str, Split]:
    """All images in one folder, and one file of MATLAB."""
    items = _items(PAIR)
    names = [f'car_ims/{item.number:06}.jpg' for item in items]
    for item, name in zip(items, names, strict=True):
        _save(item.pixels, root / name)
    told = [dict(relative_im_path=name, **_car(item), test=np.uint8(item.split == 'test'))
            for item, name in zip(items, names, strict=True)]
    _structs(root / 'cars_annos.mat', told, class_names=_row(CARS, object))
    return _by_split(items, names, CARS)


def stanford_cars_devkit(root: Path) -> dict[str, Split]:
    """The other way that it is published: a folder and a file of MATLAB for each split, numbered anew."""
    items = sorted(_items(PAIR), key=lambda item: item.split)
    names = [f'cars_{item.split}/{item.number:05}.jpg' for item in items]
    for split, annotations in dict(train='cars_train_annos', test='cars_test_annos_withlabels').items():
        own = [(item, Path(name)) for item, name in zip(items, names, strict=True) if item.split == split]
        for item, path in own:
            _save(item.pixels, root / path)
        _structs(root / f'devkit/{annotations}.mat', [dict(_car(item), fname=path.name) for item, path in own])
    return _by_split(items, names, CARS)


def _car(item: _Item) -> dict[str, Any]:
    box = dict(bbox_x1=np.uint8(1), bbox_y1=np.uint8(2), bbox_x2=np.uint16(WIDTH), bbox_y2=np.uint16(HEIGHT))
    return {**box, 'class': np.uint8((1, 2, 196)[item.kind])}


def _structs(path: Path, values: Sequence[dict[str, Any]], **others: Any) -> None:
    """Write a MATLAB row of structs."""
    table = np.empty((1, len(values)), [(key, object) for key in values[0]])
    for i, value in enumerate(values):
        table[0, i] = tuple(value.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, dict(annotations=table, **others), do_compression=True)


# What files of SUN397 are, though all are named .jpg (TensorFlow Datasets, sun.py).
_SUN_FORMATS = [('JPEG', 'RGB'), ('GIF', 'RGB'), ('BMP', 'RGB'), ('PNG', 'L'), ('PNG', 'RGBA'), ('JPEG', 'RGB')]


def sun397(root: Path) -> dict[str, Split]:
    """Folders of two or three levels make a class."""
    items = _items(PAIR)
    classes = dict(abbey='a/abbey', apartment_building_outdoor='a/apartment_building/outdoor',
                   youth_hostel='y/youth_hostel')
    paths = [f'{list(classes.values())[i.kind]}/sun_{i.number:03}aaa.jpg' for i in items]
    for item, path in zip(items, paths, strict=True):
        _save(item.pixels, root / 'SUN397' / path, *_SUN_FORMATS[(item.number - 1) % len(_SUN_FORMATS)])
    for split, name in dict(train='Training_01', test='Testing_01').items():
        _lines(root / f'Partitions/{name}.txt',
               [f'/{p}' for i, p in zip(items, paths, strict=True) if i.split == split])
    return _by_split(items, [f'SUN397/{path}' for path in paths], list(classes))


PROBED = dict(
    caltech101=caltech101, cifar10=cifar10, cifar100=cifar100, dtd=dtd, fgvc_aircraft=fgvc_aircraft,
    flowers102=flowers102, food101=food101, oxford_pets=oxford_pets, stanford_cars=stanford_cars, sun397=sun397)

VOC_IDS = {
    'VOC2007/ImageSets/Main/trainval.txt': ['000005', '000007', '000009'],
    'VOC2007/ImageSets/Main/test.txt': ['000001', '000002', '000003'],
    'VOC2012/ImageSets/Main/trainval.txt': ['2008_000008', '2011_003353'],
    'VOC2012/ImageSets/Segmentation/train.txt': ['2007_000032', '2007_000039'],
    'VOC2012/ImageSets/Segmentation/aug.txt': ['2008_000008', '2011_003353'],
    'VOC2012/ImageSets/Segmentation/val.txt': ['2007_000033', '2007_000042'],
}
VOC_SIZE = (96, 128)
# Class, corners as counted from 1, whether it is difficult.
VOC_OBJECTS = [('dog', (9, 11, 72, 80), 0), ('person', (81, 21, 120, 90), 0), ('chair', (1, 1, 40, 40), 1)]


def voc(root: Path) -> None:
    """Write VOCdevkit: boxes of 2007 and 2012, maps of 2012 and those that are made of SBD."""
    for path, ids in VOC_IDS.items():
        _lines(root / path, ids)
        folder = root / path.split('/')[0]
        for name in ids:
            _save(_pixels(int(name[-3:]), 1, VOC_SIZE), folder / f'JPEGImages/{name}.jpg')
            _voc_boxes(folder, name)
            if 'Segmentation' in path:
                _voc_map(folder, name, path.endswith('aug.txt'))


def voc_labels(name: str) -> np.ndarray:
    """Map of an image: background, a dog within a border of 255, and a person."""
    labels = np.zeros(VOC_SIZE, np.uint8)
    labels[10:60, 8:62 + int(name[-3:]) % 10] = 255
    labels[14:56, 12:60] = 12
    labels[30:90, 80:120] = 15
    return labels


def _voc_boxes(folder: Path, name: str) -> None:
    """Write the objects of an image; in 2012 corners may be fractions, and people have parts with their own boxes."""
    of_2012, objects = folder.name == 'VOC2012', ''
    for kind, corners, difficult in VOC_OBJECTS:
        part = f'<part><name>head</name>{_voc_box([1, 2, 3, 4])}</part>' if of_2012 and kind == 'person' else ''
        box = _voc_box([corner + 0.7 for corner in corners] if of_2012 else corners)
        objects += (f'<object><name>{kind}</name><pose>Left</pose><truncated>1</truncated>'
                    f'<difficult>{difficult}</difficult>{box}{part}</object>')
    size = f'<size><width>{VOC_SIZE[1]}</width><height>{VOC_SIZE[0]}</height><depth>3</depth></size>'
    _lines(folder / f'Annotations/{name}.xml', [
        f'<annotation><folder>{folder.name}</folder><filename>{name}.jpg</filename>{size}{objects}</annotation>'])


def _voc_box(corners: Sequence[float]) -> str:
    names = ('xmin', 'ymin', 'xmax', 'ymax')
    return f'<bndbox>{"".join(f"<{n}>{c}</{n}>" for n, c in zip(names, corners, strict=True))}</bndbox>'


def _voc_map(folder: Path, name: str, aug: bool) -> None:
    """Maps of VOC have a palette, those that mmseg's converter makes of SBD are grey."""
    image = Image.fromarray(voc_labels(name))
    if not aug:
        image.putpalette([37 * i % 256 for i in range(3 * 256)])
    path = folder / f'SegmentationClass{"Aug" * aug}/{name}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
