from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset
from mmengine.registry import DATASETS

from toy import data_sets
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import with_scope
from xlearner_mm.visualization import is_rgb, sample_image

pytestmark = pytest.mark.compat


def test_blue_first_as_the_libraries_load_it_becomes_red_first():
    packed = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(3, 1, 1).expand(3, 2, 4)
    image = sample_image(packed)
    assert image.shape == (2, 4, 3) and image.dtype == np.uint8 and image[0, 0].tolist() == [30, 20, 10]
    assert sample_image(packed, rgb=True)[0, 0].tolist() == [10, 20, 30]


def test_grey_becomes_three_equal_channels():
    assert sample_image(torch.full((1, 2, 2), 7, dtype=torch.uint8)).tolist() == [[[7] * 3] * 2] * 2


def test_of_many_channels_the_first_three_are_shown():
    assert sample_image(torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1)).tolist() == [[[2, 1, 0]]]
    assert sample_image(torch.arange(2, dtype=torch.uint8).reshape(2, 1, 1)).tolist() == [[[0, 0, 0]]]


def test_normalised_values_are_stretched():
    packed = torch.tensor([-2.0, 0.0, 2.0]).reshape(3, 1, 1)
    assert sample_image(packed).tolist() == [[[255, 128, 0]]]
    assert sample_image(torch.full((3, 1, 1), 0.5)).tolist() == [[[0, 0, 0]]]
    assert sample_image(torch.tensor([float('nan'), 0.0, 1.0]).reshape(3, 1, 1)).tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize('inputs, got', [([torch.zeros(3, 2, 2)], 'list'), (torch.zeros(2, 3, 4, 4), 'a Tensor (2, 3, '
                                                                                                     '4, 4)')])
def test_what_is_no_image_is_refused(inputs, got):
    with pytest.raises(TypeError, match='an image must be a Tensor') as error:
        sample_image(inputs)
    assert str(error.value).endswith(got)


def stock(toy_data, *transforms):
    register_all_modules()
    cfg = data_sets(toy_data)['photos']
    cfg['pipeline'][-1:-1] = transforms
    return DATASETS.build(with_scope(cfg))


@pytest.mark.parametrize('transforms, rgb', [
    ([], False),
    ([dict(type='Normalize', mean=[0] * 3, std=[1] * 3, to_rgb=True)], True),
    ([dict(type='Normalize', mean=[0] * 3, std=[1] * 3, to_rgb=False)], False),
    ([dict(type='NumpyToPIL', to_rgb=True)], True),
    ([dict(type='NumpyToPIL', to_rgb=True), dict(type='PILToNumpy', to_bgr=True)], False),
])
def test_swaps_of_the_pipeline_are_counted(transforms, rgb, toy_data):
    dataset = stock(toy_data, *transforms)
    assert is_rgb(dataset) is rgb
    assert is_rgb(ConcatDataset([dataset, dataset])) is rgb
    sample = dataset[0]
    red = 0 if rgb else 2
    assert (sample_image(sample['inputs'], is_rgb(dataset))[..., 0] == sample['inputs'][red].numpy()).all()


def test_a_data_set_without_a_pipeline_is_as_loaded():
    assert is_rgb(SimpleNamespace()) is False
