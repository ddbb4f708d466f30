import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from xlearner_mm.downstream.probe import probe

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Thirty images of three classes, each of its own colour, for training, test and validation."""
    root, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
    for split in ('train', 'test', 'val'):
        for i in range(30):
            image = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            image[..., i % 3] += 150
            path = root / split / f'class{i % 3}' / f'{i}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return root


def job(root, folder, variant, metric='top1', val=False):
    data = {split: dict(type='CustomDataset', data_root=str(root), data_prefix=split, with_label=True,
                        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')])
            for split in ('train', 'test', 'val')}
    return Config(dict(
        default_scope='mmpretrain',
        train_dataloader=dict(dataset=data['train'], batch_size=10),
        test_dataloader=dict(dataset=data['test']),
        downstream=dict(protocol='linear_probe', metric=metric, **(dict(val=data['val']) if val else {})),
        backbone=dict(type='xlearner_mm.PooledNetwork', library='torchvision', name='resnet18'),
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[64.] * 3, to_rgb=True),
        job=dict(features=str(folder), result=dict(set='photos', variant=variant, seed=0))))


def test_features_are_computed_once_for_all_variants(photos, tmp_path):
    assert probe(job(photos, tmp_path, 'knn')) == {'top1': 100.0}
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sorted(path.name.split('-')[0] for path in files) == ['photos_test', 'photos_train']
    assert probe(job(photos, tmp_path, 'full', 'mean_per_class')) == {'mean_per_class': 100.0}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


def test_few_data_are_a_tenth_of_training_and_validation(photos, tmp_path, monkeypatch):
    from xlearner_mm.downstream import probe as module

    sizes, fit = [], module.linear_probe
    monkeypatch.setattr(module, 'linear_probe', lambda train, test, val, *args, **kwargs: (
        sizes.append([len(part.labels) for part in (train, test, val)]), fit(train, test, val, *args, **kwargs))[1])
    assert set(probe(job(photos, tmp_path, 'low_data', val=True))) == {'top1'}
    probe(job(photos, tmp_path, 'full', val=True))
    assert sizes == [[3, 30, 3], [30, 30, 30]]
