import itertools
from unittest import mock

import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from xlearner_mm.datasets import MultiSourceBatchSampler, SampleError, SampleKey, collate_by_source
from xlearner_mm.preflight import first_batches
from xlearner_mm.preflight.first_batches import try_training_batches, try_val_batches

pytestmark = pytest.mark.compat


def training(dataset):
    sampler = MultiSourceBatchSampler(DefaultSampler(dataset, shuffle=False, seed=3), dict.fromkeys(dataset.sizes, 2))
    return DataLoader(dataset, batch_sampler=sampler, collate_fn=collate_by_source)


def validation(datasets):
    return {source: DataLoader(dataset, 2, collate_fn=lambda batch: {
        key: [sample[key] for sample in batch] for key in batch[0]}) for source, dataset in datasets.items()}


class Stateful:
    """An augmentation that counts."""

    def __init__(self):
        self.count = 0

    def __call__(self, results):
        self.count += 1
        results['img'] = results['img'] + self.count
        return results


def test_the_toy_sources_pass(model, build, toy_data):
    dataset, val = build(toy_data)
    state = torch.get_rng_state()
    assert try_training_batches(model(), training(dataset)) == []
    try_val_batches(model(), validation(val))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_augmentation_with_a_state_is_told(model, build, toy_data):
    dataset, _ = build(toy_data)
    dataset.sources['maps'].pipeline.transforms.insert(-1, Stateful())
    (warning, ) = try_training_batches(model(), training(dataset))
    assert warning.startswith("Source 'maps': sample ") and 'is another one when it is loaded again' in warning
    assert warning.endswith('Mend the pipeline in train_dataloader.dataset.sources.maps.dataset, if runs must be '
                            'repeatable.')


def test_a_label_without_a_class(model, build, toy_data):
    net = model()
    net.branches['maps'].decode_head.num_classes = 1
    with pytest.raises(ValueError, match="Source 'maps': label [123] of .* is outside 0..0"):
        try_training_batches(net, training(build(toy_data)[0]))


def test_a_sample_that_cannot_be_loaded(model, build, own_data):
    for path in (own_data / 'boxes').glob('*/*.png'):
        path.write_bytes(b'')
    dataset, val = build(own_data)
    with pytest.raises(SampleError, match=r"Source 'boxes': sample \d .*is empty \(0 bytes\)"):
        try_training_batches(model(), training(dataset))
    with pytest.raises(ValueError, match=r"Source 'boxes': the first validation batch \(samples 0, 1\) cannot be "
                                         r'loaded: .*Mend val_dataloader.boxes.dataset'):
        try_val_batches(model(), validation(val))


def test_a_batch_that_cannot_be_preprocessed(model, build, toy_data):
    net = model()
    net.data_preprocessor.preprocessors['boxes'].batch_augments = [lambda inputs, samples: 1 / 0]
    with pytest.raises(ValueError, match="^Source 'boxes': its data preprocessor refuses the first batch of train_data"
                                         'loader.dataset.sources.boxes.dataset: ZeroDivisionError: .*Mend the'):
        try_training_batches(net, training(build(toy_data)[0]))


def test_an_error_that_names_its_source_stays_as_it_is(model, build, toy_data, monkeypatch):
    net = model()
    monkeypatch.setattr(net.data_preprocessor, 'forward', mock.Mock(side_effect=ValueError("Source 'photos': no.")))
    with pytest.raises(ValueError, match="^Source 'photos': no.$"):
        try_training_batches(net, training(build(toy_data)[0]))


def test_the_first_batch_of_each_source_wherever_it_comes(monkeypatch):
    def steps():
        for step in itertools.count():
            yield [SampleKey('ab'[step == 3], 0, step, 5), SampleKey('ab'[step == 3], 0, step + 1, 5)]

    found = first_batches._first_keys(steps(), ['a', 'b'])
    assert {source: [key.index for key in keys] for source, keys in found.items()} == dict(a=[0, 1], b=[3, 4])
    monkeypatch.setattr(first_batches, 'MAX_STEPS', 3)
    assert list(first_batches._first_keys(steps(), ['a', 'b'])) == ['a']


def test_a_source_that_is_not_due_is_told(model, build, toy_data):
    dataset, _ = build(toy_data)
    loader = DataLoader(dataset, batch_sampler=[[SampleKey('photos', 0, 0, 5)]] * 3, collate_fn=collate_by_source)
    first, second = try_training_batches(model(), loader)
    assert first.startswith("Source 'boxes' is not due in the first 1,000 steps") and "'maps'" in second
