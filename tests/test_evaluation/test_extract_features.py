import os
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from mmengine.registry import MODELS

import toy
from tiny import resnet
from xlearner_mm.datasets import SampleError
from xlearner_mm.evaluation import extract_features
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat
PREPROCESSOR = dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)


def build(**changes):
    register_all_modules()
    torch.manual_seed(0)
    return MODELS.build(with_scope(resnet(**changes)))


@pytest.fixture
def data(toy_data, tmp_path):
    """Config of a data set whose files a test may change."""
    shutil.copytree(toy_data / 'photos', tmp_path / 'photos')
    return toy.data_sets(tmp_path, 'val')['photos']


class Counting:
    """How many batches a backbone has seen."""

    def __init__(self, backbone):
        self.batches = 0
        backbone.register_forward_hook(self)

    def __call__(self, *_):
        self.batches += 1


@pytest.mark.parametrize('num_workers', [0, 1])
def test_every_image_once_in_the_order_of_the_data_set(data, num_workers):
    backbone = build()
    backbone.train()
    state = {key: value.clone() for key, value in backbone.state_dict().items()}
    features = extract_features(backbone, data, PREPROCESSOR, 'photos', batch_size=3, num_workers=num_workers)
    assert features.vectors.shape == (7, 64) and features.vectors.dtype == torch.float32
    assert features.labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert backbone.training and all(torch.equal(v, state[k]) for k, v in backbone.state_dict().items())
    stock, preprocessor = toy_set(data), MODELS.build(with_scope(PREPROCESSOR))
    backbone.eval()
    with torch.no_grad():
        image = preprocessor(dict(inputs=[stock[5]['inputs']], data_samples=None))['inputs']
        assert torch.allclose(features.vectors[5], backbone(image)[-1].mean((0, 2, 3)), atol=1e-6)


def toy_set(data):
    from mmengine.registry import DATASETS
    return DATASETS.build(with_scope(data))


def test_a_file_is_taken_as_long_as_nothing_has_changed(data, tmp_path):
    backbone = build()
    counting = Counting(backbone)

    def extract(cfg=data, preprocessor=PREPROCESSOR, network=backbone):
        return extract_features(network, cfg, preprocessor, 'photos', cache=tmp_path / 'cache')

    def files():
        return sorted((tmp_path / 'cache').iterdir())

    first, again = extract(), extract()
    assert counting.batches == 1 and len(files()) == 1 and files()[0].name.startswith('photos-')
    assert torch.equal(first.vectors, again.vectors) and torch.equal(first.labels, again.labels)
    twin = build(init_cfg=dict(type='Constant', layer='Conv2d', val=0.))
    twin.eval()
    twin_counting = Counting(twin)
    extract(network=twin)  # an equal backbone, built anew and in another mode
    assert twin_counting.batches == 0

    extract(preprocessor=dict(PREPROCESSOR, mean=[0.] * 3))
    extract(cfg=dict(data, pipeline=[dict(type='LoadImageFromFile'), dict(type='Resize', scale=32),
                                     dict(type='PackInputs')]))
    backbone.out_indices = (0, )
    assert extract().vectors.shape == (7, 8)
    backbone.out_indices = (0, 1, 2, 3)
    with torch.no_grad():
        backbone.layer4[1].conv2.weight[0, 0, 0, 0] += 1
    assert not torch.equal(extract().vectors, first.vectors)
    photo = next(iter(Path(data['data_root'], 'val').rglob('*.png')))
    os.utime(photo, ns=(0, 0))
    extract()
    photo.unlink()
    assert len(extract().labels) == 6
    assert counting.batches == 7 and len(files()) == 7


def test_a_broken_file_is_told_and_written_anew(data, tmp_path):
    first = extract_features(build(), data, PREPROCESSOR, 'photos', cache=tmp_path / 'cache')
    path, = (tmp_path / 'cache').iterdir()
    for content in (b'', path.read_bytes()[:300], b'no features'):
        path.write_bytes(content)
        with patch('xlearner_mm.evaluation.feature_cache.print_log') as log:
            again = extract_features(build(), data, PREPROCESSOR, 'photos', cache=tmp_path / 'cache')
        assert log.call_args.args[0].startswith(f'{path} is broken (') and torch.equal(again.vectors, first.vectors)


@pytest.mark.parametrize('change, got', [
    (dict(type='mmpretrain.CustomDataset', with_label=False), 'none'),
    (dict(type='mmpretrain.MultiLabelDataset', ann_file='multi.json'), r'\[0, 1\]'),
])
def test_samples_without_exactly_one_label_are_refused(data, change, got):
    Path(data['data_root'], 'multi.json').write_text(
        '{"metainfo": {"classes": ["a", "b"]}, "data_list": [{"img_path": "class0/0.png", "gt_label": [0, 1]}]}')
    if 'ann_file' in change:
        data.pop('with_label')
    with pytest.raises(ValueError, match=rf'photos: the sample of \S+/class0/0.png must have exactly .*, got {got}\.'):
        extract_features(build(), {**data, **change}, PREPROCESSOR, 'photos')


def test_an_image_that_cannot_be_read_is_named(data):
    photo = Path(data['data_root'], 'val/class1/1.png')
    photo.write_bytes(photo.read_bytes()[:200])
    with pytest.raises(SampleError, match=r"Source 'photos': sample 3 \(\S+/class1/1.png\) cannot be loaded"):
        extract_features(build(), data, PREPROCESSOR, 'photos')


def test_features_that_are_not_finite_are_named(data, tmp_path):
    backbone = build()
    with torch.no_grad():
        backbone.layer4[1].bn2.bias[3] = torch.inf
    with pytest.raises(ValueError, match=r'Data set photos: the features of \S+/class0/0.png are not finite'):
        extract_features(backbone, data, PREPROCESSOR, 'photos', cache=tmp_path / 'cache')
    assert not (tmp_path / 'cache').exists()
