import numpy as np
import pytest

from xlearner_mm.visualization import fit_image

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('size, fitted', [((32, 32), (256, 256)), ((800, 1200), (256, 384)), ((300, 150), (256, 128)),
                                          ((100, 1000), (51, 512)), ((900, 3), (256, 1))])
def test_is_of_the_height_and_never_wider_than_twice_that(size, fitted):
    assert fit_image(np.zeros((*size, 3), np.uint8), 256).shape == (*fitted, 3)


def test_enlarged_pixels_stay_squares():
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    assert (fit_image(image, 32) == image.repeat(4, axis=0).repeat(4, axis=1)).all()


def test_an_image_that_fits_is_left_alone():
    image = np.zeros((256, 300, 3), np.uint8)
    assert fit_image(image, 256) is image
