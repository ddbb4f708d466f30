import io

import numpy as np
import pytest
from PIL import Image

from xlearner_mm.visualization import LabelledImage, contact_sheet

pytestmark = pytest.mark.compat

RNG = np.random.default_rng(0)


def cell(height=64, width=64, caption=('a',), **colours):
    return LabelledImage(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8), list(caption), colours)


def pixels(sheet):
    buffer = io.BytesIO()
    sheet.print_png(buffer)
    return np.asarray(Image.open(buffer).convert('RGB'))


def texts(sheet):
    return [text.get_text() for text in sheet.figure.texts]


def find(picture, image):
    """Upper left corner of an image in a picture."""
    height, width = image.shape[:2]
    starts = np.argwhere((picture[:-height + 1, :-width + 1] == image[0, 0]).all(axis=-1))
    found = [(x, y) for y, x in starts.tolist() if (picture[y:y + height, x:x + width] == image).all()]
    assert len(found) == 1
    return found[0]


def test_every_image_stands_pixel_by_pixel_in_its_row():
    rows = dict(a=[cell(), cell(64, 90), cell()], b=[cell(64, 128)])
    picture = pixels(contact_sheet(rows, dict(a='A', b='B'), height=64))
    corners = {source: [find(picture, image.image) for image in images] for source, images in rows.items()}
    assert corners['a'] == [(28, 56), (28 + 64 + 12, 56), (28 + 64 + 12 + 90 + 12, 56)]
    assert corners['b'][0][0] == 28 and corners['b'][0][1] > 56 + 64 + 20
    assert picture.shape[1] == 2 * 28 + 64 + 12 + 90 + 12 + 64
    border = np.concatenate([picture[:20].reshape(-1, 3), picture[-20:].reshape(-1, 3), picture[:, :20].reshape(-1, 3),
                             picture[:, -20:].reshape(-1, 3)])
    assert (border == 255).all()


def test_more_captions_or_a_legend_make_room_for_themselves():
    heights = [len(pixels(contact_sheet(dict(a=[image]), dict(a='A'), height=64)))
               for image in (cell(), cell(caption=('a', 'b', 'c')), cell(sky=(0, 0, 255)))]
    assert heights[1] == heights[0] + 2 * 17 and heights[2] > heights[0] + 12


def test_small_images_are_enlarged_and_large_ones_made_smaller():
    small, large = cell(16, 16), cell(128, 200)
    picture = pixels(contact_sheet(dict(a=[small, large]), dict(a='A'), height=64))
    assert find(picture, small.image.repeat(4, axis=0).repeat(4, axis=1)) == (28, 56)
    assert picture.shape[1] == 2 * 28 + 64 + 12 + 100


def test_titles_captions_and_legend_are_written():
    rows = dict(a=[cell(64, 200, caption=('cat', 'x.png'), sky=(0, 0, 255)), cell(64, 200, sky=(0, 0, 255))])
    sheet = contact_sheet(rows, dict(a='a · seg'), heading='mine.py', height=64)
    assert texts(sheet) == ['mine.py', 'a · seg', 'cat', 'x.png', 'a', 'sky']
    assert (pixels(sheet) == [0, 0, 255]).all(axis=-1).sum() > 80  # the legend's square


def test_a_name_with_dollars_is_no_formula_and_a_long_one_keeps_its_ends():
    name = '$a_0$_' + 60 * 'x' + '_0001.png'
    sheet = contact_sheet(dict(a=[cell(caption=['$a$', name])]), dict(a='$t$'), height=64)
    title, short, long = texts(sheet)
    assert (title, short) == ('$t$', '$a$') and long.startswith('$') and long.endswith('.png'[-2:]) and '…' in long
    pixels(sheet)


def test_a_wide_legend_is_broken_into_lines():
    names = {f'a class with a name {i}': (i, i, i) for i in range(9)}
    picture = pixels(contact_sheet(dict(a=[cell(64, 128, **names)]), dict(a='A'), height=64))
    one = pixels(contact_sheet(dict(a=[cell(64, 128, one=(0, 0, 0))]), dict(a='A'), height=64))
    assert picture.shape[1] == one.shape[1] and len(picture) == len(one) + 8 * 19


@pytest.mark.parametrize('rows, titles, message', [({}, {}, 'needs rows'), (dict(a=[]), dict(a='A'), "'a': 0"),
                                                   (dict(a=[cell()]), {}, r"no title for the rows \['a'\]")])
def test_an_empty_sheet_is_refused(rows, titles, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet(rows, titles)
