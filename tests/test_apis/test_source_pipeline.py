import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import Resize
from PIL import Image

import toy
from xlearner_mm.apis.source_pipeline import SourcePipeline
from xlearner_mm.datasets import SampleError

pytestmark = pytest.mark.compat

NAME = 'val_dataloader.boxes.dataset'


def build(dataset):
    return SourcePipeline('boxes', 'det', dataset, NAME)


@pytest.fixture
def dataset(tmp_path):
    return toy.data_sets(tmp_path / 'none', 'val')['boxes']


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    return str(tmp_path / 'a.png'), pixels[..., ::-1]


def test_an_image_goes_through_the_transforms_of_the_library_without_labels(dataset, image):
    path, pixels = image
    pipeline = build(dataset)
    sample = pipeline(path, 5)
    assert sample['inputs'].shape == (3, 64, 64) and sample['inputs'].dtype == torch.uint8
    packed = sample['data_samples']
    assert (packed.source, packed.task, packed.img_path, packed.img_id) == ('boxes', 'det', path, 5)
    assert packed.ori_shape == (32, 48) and packed.scale_factor == pytest.approx((64 / 48, 2))
    assert len(packed.gt_instances) == 0
    assert isinstance(pipeline._transforms[0], Resize)  # mmdet's and not mmcv's
    assert np.array_equal(pipeline.read(path), pixels)
    assert torch.equal(pipeline(pixels, 5)['inputs'], sample['inputs'])


def test_the_pipeline_of_a_wrapped_data_set(dataset, image):
    wrapped = dict(type='mmdet.ConcatDataset', datasets=[dict(dataset, type='CocoDataset')])
    assert isinstance(build(dict(type='mmdet.RepeatDataset', times=2, dataset=wrapped))._transforms[0], Resize)
    with pytest.raises(ValueError, match=f'{NAME} has no pipeline, and none of a data set inside of it'):
        build(dict(type='mmdet.ConcatDataset', datasets=[]))


def test_a_loader_that_gives_floats_gives_them_of_arrays_too(dataset, image):
    dataset['pipeline'][0]['to_float32'] = True
    inputs = [build(dataset)(given, 0)['inputs'] for given in image]
    assert inputs[0].dtype == torch.float32 and torch.equal(*inputs)


def test_pipelines_that_cannot_be_are_named(dataset):
    with pytest.raises(ValueError, match=f"{NAME}.pipeline names 'os.system'.*could run any code"):
        build(dict(dataset, pipeline=[*dataset['pipeline'], dict(type='os.system', command='true')]))
    with pytest.raises(ValueError, match=f'{NAME}.pipeline has no LoadImageFromFile'):
        build(dict(dataset, pipeline=dataset['pipeline'][2:]))


def test_an_image_that_cannot_be_used_is_named(dataset, image, tmp_path):
    path, _ = image
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'a.png').read_bytes()[:600])
    (tmp_path / 'text.png').write_text('no image')
    for name in ('cut.png', 'text.png', 'none.png'):
        with pytest.raises(SampleError, match=rf'{tmp_path}/{name} cannot be read: .*Mend or remove the image'):
            build(dataset)(str(tmp_path / name), 0)
    dataset['pipeline'].insert(2, dict(type='LoadProposals'))
    with pytest.raises(SampleError, match=f"Source 'boxes': {path} cannot be prepared: KeyError: .proposals"):
        build(dataset)(path, 0)
