import numpy as np
import pytest

from xlearner_mm.preflight.coco_file import CocoFile

pytestmark = pytest.mark.compat


def test_what_a_file_says_becomes_arrays():
    file = CocoFile(dict(
        images=[dict(id='p', file_name='p.png', width=4, height=3), dict(id=2, coco_url='http://x/q.png')],
        categories=[dict(id=5, name='tree')],
        annotations=[
            dict(id=1, image_id='p', category_id=5, bbox=[0, 1, 2, 3], area=6),
            dict(id=2, image_id=2, category_id=6, bbox=[0, 1, 2]),
            dict(id=3, image_id=9, segments_info=[]),
            dict(id=4, image_id=9, segments_info=[dict(id=8, category_id=5, bbox=[0, None, '2', 1])]),
        ]))
    assert file.names == {5: 'tree'}
    assert file.image_of.tolist() == [0, 1, -1] and file.known.tolist() == [True, False, True]
    nan = np.nan
    np.testing.assert_array_equal(file.boxes, [[0, 1, 2, 3], [nan] * 4, [0, nan, nan, 1]])
    np.testing.assert_array_equal(file.areas, [6, nan, nan])
    np.testing.assert_array_equal(file.sizes, [[4, 3], [nan, nan], [nan, nan]])
    assert [file.image_name(i) for i in (0, 1, -1)] == ['p.png', 'http://x/q.png', 'no image']


def test_an_empty_file():
    file = CocoFile(dict())
    assert file.boxes.shape == (0, 4) and file.sizes.shape == (0, 2) and file.image_of.size == 0
