import pytest

from xlearner_mm.visualization.lettering import FONTS, baseline, text_width

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('font', FONTS)
def test_widths_and_baselines(font):
    assert text_width('', font) == 0
    assert text_width('ii', font) < text_width('MM', font) < text_width('MMM', font)
    assert text_width('$x', font) > text_width('x', font)  # no formula
    size = FONTS[font].get_size_in_points() * 128 / 72
    assert 0.9 * size < baseline(100, font) - 100 < size
