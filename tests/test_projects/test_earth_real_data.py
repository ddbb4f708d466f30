"""Data of projects/earth made from the real packages, where they are installed."""

from collections import Counter
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
from PIL import Image

from earth import classes, digits, geo, packages, prepare, sources, splits, tile_rules, trivial
from earth.splits import SPLITS
from earth.stock_formats import read_detection


def has_packages() -> bool:
    try:
        return all(distribution(name) for name in packages.PACKAGES)
    except PackageNotFoundError:
        return False


@pytest.fixture(scope='module')
def real(tmp_path_factory):
    if not has_packages():
        pytest.skip('the data packages of projects/earth/requirements.txt are not installed')
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


def coast_agreement(root, label, dx, dy):
    """Mean share of this label in the land-sea mask under the label's boxes, moved by (dx, dy) pixels."""
    mask, shares = geo.land_sea_mask(), []
    for split in SPLITS:
        table = read_detection(root / 'coast_det' / split)
        origins = {image['id']: [int(part[1:]) for part in image['file_name'].removesuffix('.png').split('_')]
                   for image in table['images']}
        for annotation in table['annotations']:
            if annotation['category_id'] == label and not annotation['iscrowd']:
                left, top, width, height = annotation['bbox']
                x, y = (round(v) for v in np.add(origins[annotation['image_id']], (left + dx, top + dy)))
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


def test_real_images_and_labels_are_what_the_stock_data_sets_read(real):
    root, record = real
    for name, source in record['sources'].items():
        paths = sorted((root / name / 'transfer_val').rglob('*.png'))
        with Image.open(paths[0]) as image:
            assert image.mode in ('L', 'RGB') and image.size[0] == image.size[1] in (32, 64, 128)
        for path in (root / name / 'transfer_val').glob('ann_dir/*.png'):
            with Image.open(path) as labels:
                assert labels.mode == 'L' and np.asarray(labels).max() < len(source['classes'])


def test_real_trivial_baselines_leave_room(real):
    root, _ = real
    assert trivial.trivial_baseline(root, 'digits_cls')['accuracy/top1'] < 15
    assert trivial.trivial_baseline(root, 'landcover_seg')['mIoU'] < 5
    pytest.importorskip('pycocotools')
    assert trivial.trivial_baseline(root, 'tree_det', 'transfer_train', 'transfer_val')['coco/bbox_mAP_50'] < 0.1
