from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from mmengine.runner import Runner

import toy
from xlearner_mm.datasets import SampleError, SampleKey
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.visualization import first_keys, fit_image, labelled_sample, sample_image, source_title

pytestmark = pytest.mark.compat

HEIGHT = 128
SCHEDULES = [
    dict(),
    dict(batch_size=4, schedule='mixed', ratios=dict(photos=2, boxes=1, maps=1)),
    dict(batch_size=dict(photos=2, boxes=3, maps=1), schedule='alternate', ratios='equal'),
]


def loader(data, sources=(), **sampler):
    register_all_modules()
    cfg = toy.config(data, Path('unused')).train_dataloader
    cfg.batch_size = sampler.pop('batch_size', cfg.batch_size)
    cfg.batch_sampler.update(sampler)
    for source, changes in dict(sources).items():
        cfg.dataset.sources[source].update(changes)
    return Runner.build_dataloader(cfg, seed=5)


@pytest.fixture(scope='module')
def plain(toy_data):
    return loader(toy_data)


@pytest.mark.parametrize('sampler', SCHEDULES)
def test_keys_are_those_that_training_draws_first(sampler, toy_data):
    drawn = dict(photos=[], boxes=[], maps=[])
    data = loader(toy_data, **sampler)
    for batch in islice(data.batch_sampler, 60):
        for key in batch:
            drawn[key.source].append(key)
    for source, keys in drawn.items():
        assert first_keys(data.batch_sampler, source, 0, 9) == keys[:9]
        size = toy.COUNTS[source]
        assert first_keys(data.batch_sampler, source, 2, 3) == keys[2 * size:2 * size + 3]


def test_a_source_that_may_not_repeat_has_one_pass(toy_data):
    sampler = loader(toy_data, no_repeat=['boxes']).batch_sampler
    assert len(first_keys(sampler, 'boxes', 0, 9)) == toy.COUNTS['boxes']
    assert len(first_keys(sampler, 'maps', 0, 9)) == 9
    with pytest.raises(ValueError, match="Source 'boxes' may not repeat .* has no epoch 1"):
        first_keys(sampler, 'boxes', 1, 2)


def test_images_are_those_of_the_first_batch(plain):
    batch = next(iter(plain))
    for source in ('photos', 'boxes', 'maps'):
        for number, key in enumerate(first_keys(plain.batch_sampler, source, 0, 2)):
            trained = fit_image(sample_image(batch[source]['inputs'][number]), HEIGHT)
            shown = labelled_sample(plain.dataset, key, HEIGHT).image
            # Maps cover all; boxes are lines, names a part of the upper half.
            part = dict(photos=np.s_[64:], boxes=np.s_[90:], maps=np.s_[:0])[source]
            assert (shown[part] == trained[part]).all()
            assert (shown != trained).any()
            if source == 'maps':
                assert np.abs(shown - trained * 0.45).max() < 4  # the toy's colours are 0 to 3


def test_captions_name_label_file_and_key(plain):
    for source, words in dict(photos='class', boxes='1 box', maps='2 classes').items():
        key = first_keys(plain.batch_sampler, source, 0, 1)[0]
        path = plain.dataset.image_paths(source, key.index)[0]
        label, name, where = labelled_sample(plain.dataset, key, HEIGHT).caption
        assert label.startswith(words) and name == Path(path).name and where == f'epoch 0 · index {key.index}'
        if source == 'photos':
            assert label == Path(path).parent.name


def test_titles_tell_what_a_source_is(plain, monkeypatch):
    dataset = plain.dataset
    monkeypatch.setitem(dataset.sizes, 'boxes', 118287)
    assert source_title(dataset, 'boxes') == 'boxes · det · mmdet.CocoDataset · 118,287 samples'
    assert source_title(dataset, 'photos') == 'photos · cls · mmpretrain.CustomDataset · 7 samples'


def test_samples_that_were_passed_over_are_told(tmp_path):
    data = toy.write_data(tmp_path)
    (data / 'maps/img/train/2.png').write_bytes(b'')
    dataset = loader(data, dict(maps=dict(on_error='skip'))).dataset
    key = SampleKey('maps', 0, 2, seed=5)
    assert labelled_sample(dataset, key, HEIGHT).caption[1:] == ['3.png', 'epoch 0 · index 3', 'skipped before: 2']
    with pytest.raises(SampleError, match="Source 'maps': sample 2 .*2.png"):
        labelled_sample(loader(data).dataset, key, HEIGHT)


def test_a_sample_that_cannot_be_drawn_is_named(plain, monkeypatch):
    monkeypatch.setitem(plain.dataset.sources['photos']._metainfo, 'classes', ('one', ))
    keys = first_keys(plain.batch_sampler, 'photos', 0, 7)
    key = next(key for key in keys if 'class1' in plain.dataset.image_paths('photos', key.index)[0])
    with pytest.raises(ValueError, match=r'\.png\) cannot be drawn: its label 1 is not among the 1 classes') as error:
        labelled_sample(plain.dataset, key, HEIGHT)
    assert str(error.value).startswith(f"Source 'photos': sample {key.index} (")
    assert str(error.value).endswith('metainfo.classes.')
