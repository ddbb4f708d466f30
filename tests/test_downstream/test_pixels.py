import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from xlearner_mm.downstream import Pixels
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

KINDS = dict(mmpretrain='mmpretrain.ClsDataPreprocessor', mmdet='mmdet.DetDataPreprocessor',
             mmseg='mmseg.SegDataPreProcessor')


def run(library, settings, image):
    preprocessor = MODELS.build(with_scope(dict(type=KINDS[library], **settings)))
    return preprocessor(dict(inputs=[torch.from_numpy(image)]), False)['inputs'][0]


@pytest.mark.parametrize('rgb', [True, False])
@pytest.mark.parametrize('trained', KINDS)
def test_a_backbone_sees_the_same_pixels_in_every_library(trained, rgb):
    own = Pixels((10., 20., 30.), (2., 3., 4.), rgb)
    pixels = Pixels.read(dict(type=KINDS[trained], **own.settings(trained)))
    assert pixels == own
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    expected = run(trained, own.settings(trained), image)
    for library in KINDS:
        torch.testing.assert_close(run(library, pixels.settings(library), image), expected)
    loaded_as_rgb = run('mmpretrain', pixels.settings('mmpretrain', rgb_images=True), image[::-1].copy())
    torch.testing.assert_close(loaded_as_rgb, expected)
