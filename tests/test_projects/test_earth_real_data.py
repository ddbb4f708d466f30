"""Data of projects/earth made from the real packages, where they are installed."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS
from PIL import Image

from earth import classes, digits, geo, prepare, sources, splits, tile_rules, trees, trivial
from earth.splits import SPLITS, Window
from earth.stock_formats import read_classification, read_detection, read_segmentation
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

CONFIGS = Path(__file__).parents[2] / 'projects/earth/configs'
TRANSFERS = dict(cls='landcover_cls', det='tree_det', seg='landcover_seg')


@pytest.fixture(scope='module')
def real(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'earth'
    return root, prepare.prepare(root)


def test_real_sources_are_large_enough_to_train_and_judge(real):
    root, record = real
    assert set(record['sources']) == {'landcover_seg', 'lsmask_seg', 'coast_det', 'tree_det', 'landcover_cls',
                                      'digits_cls'}
    limits = dict(landcover_seg=100, lsmask_seg=80, coast_det=40, tree_det=18, landcover_cls=200, digits_cls=250)
    for name, source in record['sources'].items():
        for split, counts in source['counts'].items():
            assert counts['images'] >= limits[name], (name, split)
            if source['task'] == 'det' and split != 'val':
                assert sum(counts[label] for label in source['classes']) >= 100, (name, split)
    assert sum(path.stat().st_size for path in root.rglob('*.png')) < 100e6


def test_real_scene_classes_follow_their_rule(real):
    # All classes that dominate enough tiles of train, and no other.
    found = Counter(tile_rules.dominant_class(geo.land_cover()[window.slices])
                    for window in splits.windows('train', sources.SCENE))
    del found[None]
    frequent = sorted(classes.cls_folder(label) for label, count in found.items() if count >= tile_rules.MIN_TILES)
    assert frequent == list(classes.LANDCOVER_CLS)
    for counts in real[1]['sources']['landcover_cls']['counts'].values():
        assert 0 < counts['water'] <= counts['images'] / 6


def test_real_maps_lie_on_the_imagery(real):
    # Moving either map by 2 pixels makes it agree less with the blue of the ocean.
    rows = slice(splits.TOP, splits.BOTTOM)
    image = geo.blue_marble()[rows].astype(int)
    blue = image[..., 2] - image[..., 0] > 15
    for labels in (geo.land_sea_mask() == 0, geo.land_cover() == 0):
        sea = labels[rows]
        agreement = (blue == sea).mean()
        assert agreement > 0.97
        for axis in (0, 1):
            for shift in (-2, 2):
                assert (blue == np.roll(sea, shift, axis)).mean() < agreement


def window_of(path, size):
    """The window that a tile's file name tells."""
    x, y = (int(part[1:]) for part in Path(path).stem.split('_')[-2:])
    return Window(x, y, size)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def coast_agreement(root, label, dx, dy):
    """Mean share of this label in the land-sea mask under the label's boxes, moved by (dx, dy) pixels."""
    mask, shares = geo.land_sea_mask(), []
    for split in SPLITS:
        table = read_detection(root / 'coast_det' / split)
        tiles = {image['id']: window_of(image['file_name'], sources.TILE) for image in table['images']}
        for annotation in table['annotations']:
            if annotation['category_id'] == label and not annotation['iscrowd']:
                left, top, width, height = annotation['bbox']
                tile = tiles[annotation['image_id']]
                x, y = round(tile.x + left + dx), round(tile.y + top + dy)
                inside = mask[y:y + max(round(height), 1), x:x + max(round(width), 1)]
                shares.append((inside == label).mean())
    return np.mean(shares)


@pytest.mark.parametrize('label', [1, 2])  # island boxes on the mask's land, lake boxes on its lakes
def test_real_boxes_sit_on_islands_and_lakes(real, label):
    there = coast_agreement(real[0], label, 0, 0)
    moved = {shift: coast_agreement(real[0], label, *shift) for shift in ((1, 0), (-1, 0), (0, 1), (0, -1))}
    assert there > max(moved.values()), (there, moved)


def test_real_digit_splits_end_where_forms_end(real):
    labels = digits.load_digits()[1]
    for start in digits.STARTS.values():
        assert labels[start:start + 10].tolist() == list(range(10))
    assert digits.enlarge(digits.load_digits()[0][0]).shape == (32, 32)


@pytest.mark.parametrize('split', SPLITS)
def test_real_files_hold_what_their_names_tell(real, split):
    root, _ = real
    for name, labels in (('landcover_seg', geo.land_cover()), ('lsmask_seg', geo.land_sea_mask())):
        for image, label_map in read_segmentation(root / name / split):
            assert np.array_equal(pixels(label_map), labels[window_of(image, sources.TILE).slices]), label_map
    for image, folder in read_classification(root / 'landcover_cls' / split):
        label = tile_rules.dominant_class(geo.land_cover()[window_of(image, sources.SCENE).slices])
        assert classes.cls_folder(label) == folder, image
    sizes = dict(landcover_seg=sources.TILE, lsmask_seg=sources.TILE, coast_det=sources.TILE,
                 landcover_cls=sources.SCENE)
    for name, size in sizes.items():
        for path in (path for path in (root / name / split).rglob('*.png') if path.parent.name != 'ann_dir'):
            window = window_of(path, size)
            assert splits.split_of_block(window.x // splits.BLOCK) == split, path
            assert np.array_equal(pixels(path), geo.blue_marble()[window.slices]), path
    parts = {part.stem: part for part in trees.PARTS if part.split == split}
    photographs = {stem: trees.photograph(stem) for stem in parts}
    for path in (root / 'tree_det' / split).rglob('*.png'):
        stem, window = path.name.rsplit('_', 2)[0], window_of(path, sources.TREE_TILE)
        assert parts[stem].left <= window.x <= parts[stem].right - window.size, path
        assert np.array_equal(pixels(path), photographs[stem][window.slices]), path
    images, labels = digits.load_digits()
    indices = dict(digits.split_ranges(len(images)))[split]
    for path, folder in read_classification(root / 'digits_cls' / split):
        index = int(path.stem)
        assert index in indices and folder == str(labels[index]), path
        assert np.array_equal(pixels(path), digits.enlarge(images[index])), path


def test_real_trivial_baselines_leave_room(real):
    root, _ = real
    assert trivial.trivial_baseline(root, 'digits_cls')['accuracy/top1'] < 15
    assert trivial.trivial_baseline(root, 'landcover_seg')['mIoU'] < 5
    assert trivial.trivial_baseline(root, 'tree_det', 'transfer_train', 'transfer_val')['coco/bbox_mAP_50'] < 0.1


# The stock data sets


@pytest.fixture
def read(real, monkeypatch):
    """What the configs' stock data sets of a task read: source, data set, all its samples, class names, counts."""
    root, record = real
    monkeypatch.setenv('EARTH_DATA', str(root))

    def read(task):
        upstream = Config.fromfile(CONFIGS / 'earth_xlearner.py')
        transfer = Config.fromfile(CONFIGS / f'earth_transfer_{task}.py')
        sets = [(TRANSFERS[task], f'transfer_{split}', transfer[f'{split}_dataloader'].dataset)
                for split in ('train', 'val')]
        for name, spec in upstream.train_dataloader.dataset.sources.items():
            if spec.task == task:
                sets += [(name, 'train', spec.dataset), (name, 'val', upstream.val_dataloader[name].dataset)]
        assert len(sets) == 6
        for name, split, cfg in sets:
            if task == 'seg':  # pixels are counted
                cfg.pipeline = [step for step in cfg.pipeline if step['type'] != 'Resize']
            dataset, source = DATASETS.build(with_scope(cfg)), record['sources'][name]
            assert len(dataset) == source['counts'][split]['images'], (name, split)
            samples = [dataset[index]['data_samples'] for index in range(len(dataset))]
            assert len({sample.img_path for sample in samples}) == len(samples)
            # The record's tuple is a list where it was read from its file.
            assert tuple(dataset.metainfo['classes']) == tuple(source['classes']), (name, split)
            yield (name, split), dataset, samples, source['classes'], source['counts'][split]

    return read


def test_mmpretrain_numbers_the_folders_as_the_classes_are_numbered(read):
    for which, dataset, samples, names, counts in read('cls'):
        assert dataset.folder_to_idx == {name: number for number, name in enumerate(names)}, which
        assert tuple(dataset.CLASSES) == tuple(names), which
        labels = [int(sample.gt_label) for sample in samples]
        assert [Path(sample.img_path).parent.name for sample in samples] == [names[label] for label in labels], which
        assert np.bincount(labels, minlength=len(names)).tolist() == [counts[name] for name in names], which


def test_mmdet_reads_every_box_and_ignore_region(read):
    for which, dataset, samples, names, counts in read('det'):
        labels = np.concatenate([sample.gt_instances.labels for sample in samples])
        assert np.bincount(labels).tolist() == [counts[name] for name in names], which
        assert sum(len(sample.ignored_instances) for sample in samples) == counts['ignored'], which
        assert all(len(sample.gt_instances) for sample in samples), which
        # Before the pipeline, whose resize clips boxes to the image; the file has two decimals of corner and size.
        for info in map(dataset.get_data_info, range(len(dataset))):
            boxes = np.array([instance['bbox'] for instance in info['instances']])
            assert (boxes >= 0).all() and (boxes <= np.tile([info['width'], info['height']], 2) + 0.01).all(), info


def test_mmseg_reads_the_map_of_each_image(read):
    for which, _, samples, names, counts in read('seg'):
        found = np.zeros(len(names), int)
        for sample in samples:
            image, label_map = Path(sample.img_path), Path(sample.seg_map_path)
            assert image.name == label_map.name and image.parent.parent == label_map.parent.parent, which
            labels = sample.gt_sem_seg.data.numpy()
            assert labels.max() < len(names), (which, label_map)
            found += np.bincount(labels.ravel(), minlength=len(names))
        assert found.tolist() == [counts[name] for name in names], which
