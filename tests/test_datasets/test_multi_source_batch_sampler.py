import itertools
import json
import pickle
import time

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner
from torch.utils.data import SequentialSampler

from xlearner_mm.datasets import MultiSourceBatchSampler, MultiSourceDataset, SampleKey

pytestmark = pytest.mark.compat


def make(sizes, batch_size, seed=0, **kwargs):
    dataset = MultiSourceDataset({s: dict(task='cls', dataset=range(size)) for s, size in sizes.items()})
    return MultiSourceBatchSampler(DefaultSampler(dataset, shuffle=False, seed=seed), batch_size, **kwargs)


def take(sampler, steps):
    return [list(batch) for batch in itertools.islice(sampler, steps)]


@pytest.fixture
def set_rank(monkeypatch):
    def set_rank(rank, world_size):
        monkeypatch.setattr('xlearner_mm.datasets.multi_source_batch_sampler.get_dist_info', lambda: (rank, world_size))

    return set_rank


def test_a_batch_has_every_source_in_order():
    sampler = make(dict(b=5, a=9), dict(a=2, b=1), seed=11)
    batch = take(sampler, 1)[0]
    assert [key.source for key in batch] == ['b', 'a', 'a']
    assert all(type(key) is SampleKey and key.epoch == 0 and key.seed == 11 for key in batch)
    assert all(type(key.index) is int for key in batch)
    assert take(sampler, 3)[0] == batch


@pytest.mark.parametrize('size, batch_size', [(1, 1), (1, 3), (2, 3), (3, 2), (64, 8), (65, 8), (100, 7), (9001, 13)])
def test_every_sample_once_an_epoch(size, batch_size):
    epochs = 3
    steps = -(-size * epochs // batch_size)
    keys = [key for batch in take(make(dict(a=size), dict(a=batch_size)), steps) for key in batch]
    for epoch in range(epochs):
        part = keys[epoch * size:(epoch + 1) * size]
        assert {key.epoch for key in part} == {epoch}
        assert sorted(key.index for key in part) == list(range(size))


def test_equal_lengths_get_different_orders():
    keys = [key for batch in take(make(dict(a=200, b=200), dict(a=20, b=20)), 20) for key in batch]
    orders = [[k.index for k in keys if k.source == s and k.epoch == e] for s in 'ab' for e in (0, 1)]
    other_seed = [key for batch in take(make(dict(a=200), dict(a=20), seed=1), 10) for key in batch]
    orders.append([k.index for k in other_seed])
    for one, other in itertools.combinations(orders, 2):
        assert sum(x == y for x, y in zip(one, other, strict=True)) < 10


def test_ranks_part_one_global_order(set_rank):
    sizes, per_step = dict(a=37, b=1000), dict(a=8, b=4)
    expected = None
    for world_size in (1, 2, 4):
        ranks = []
        for rank in range(world_size):
            set_rank(rank, world_size)
            ranks.append(take(make(sizes, {s: n // world_size for s, n in per_step.items()}), 50))
        steps = [{s: [key for batch in batches for key in batch if key.source == s] for s in sizes}
                 for batches in zip(*ranks, strict=True)]
        expected = expected or steps
        assert steps == expected


def test_state_continues_anywhere_also_on_other_ranks(set_rank):
    sizes = dict(a=7, b=90, c=20000)
    sampler = make(sizes, dict(a=4, b=2, c=6), seed=5)
    state = sampler.initial_state()
    assert state == dict(seed=5, schedule='joint', step=0, carry={}, positions=dict(a=0, b=0, c=0), sizes=sizes)
    batches = take(sampler, 60)
    for step in range(60):
        fresh = make(sizes, dict(a=4, b=2, c=6), seed=99)  # a run without a fixed seed has another one when resumed
        fresh.set_state(pickle.loads(pickle.dumps(state)))
        assert take(fresh, 2)[0] == batches[step]
        state = sampler.next_state(state)
    assert json.loads(json.dumps(state)) == dict(
        seed=5, schedule='joint', step=60, carry={}, positions=dict(a=240, b=120, c=360), sizes=sizes)
    sampler.set_state(state)
    single = take(sampler, 1)[0]
    halves = []
    for rank in range(2):
        set_rank(rank, 2)
        half = make(sizes, dict(a=2, b=1, c=3))
        half.set_state(state)
        halves += take(half, 1)[0]
        assert half.next_state(state)['positions'] == dict(a=244, b=122, c=366)
    assert sorted(map(repr, halves)) == sorted(map(repr, single))


def test_next_state_changes_nothing_else():
    sampler = make(dict(a=5), dict(a=2))
    first = take(sampler, 3)
    state = sampler.initial_state()
    sampler.next_state(state)
    assert state['positions'] == dict(a=0) and take(sampler, 3) == first
    assert sampler.next_state(dict(state, step=7, positions=dict(a=3))) == dict(state, step=8, positions=dict(a=5))


def test_billions_of_samples_cost_nothing():
    start = time.process_time()
    sampler = make(dict(a=10**9, b=10**8, c=10**6), dict(a=64, b=2, c=4))
    state = dict(sampler.initial_state(), positions=dict(a=123456789012, b=5, c=10**9))
    sampler.set_state(state)
    batch = take(sampler, 1)[0]
    assert time.process_time() - start < 1  # some 5 ms; merely to write down 10**9 indices takes longer
    assert batch[0].epoch == 123 and batch[-1].epoch == 1000 and len(batch) == 70


def test_length_is_the_slowest_epoch(set_rank):
    sampler = make(dict(a=100, b=10), dict(a=8, b=2))
    assert len(sampler) == 13
    set_rank(0, 2)
    assert len(sampler) == 7


@pytest.mark.parametrize('kwargs, length', [
    (dict(batch_size=dict(a=1, b=1)), 100),
    (dict(batch_size=4, schedule='mixed', ratios='proportional'), 37),  # 147 samples, 4 a step
    (dict(batch_size=1, schedule='mixed', ratios=dict(a=48, b=1)), 49 * 47),  # floats would give one more
    (dict(batch_size=2, schedule='mixed', ratios=[(0, dict(a=1, b=0)), (9, 'equal')]), 50),
    (dict(batch_size=dict(a=8, b=2), schedule='alternate', ratios='equal'), 47),
])
def test_length_by_schedule(kwargs, length):
    assert len(make(dict(a=100, b=47), **kwargs)) == length


@pytest.mark.parametrize('world_size', [1, 2])
@pytest.mark.parametrize('size', [8, 9, 57, 4000])
def test_a_source_that_may_not_repeat(set_rank, size, world_size):
    keys, steps = [], size // (4 * world_size)
    for rank in range(world_size):
        set_rank(rank, world_size)
        sampler = make(dict(a=size, b=50), dict(a=4, b=3), no_repeat=['a'])
        batches, state = list(map(list, sampler)), sampler.initial_state()  # it ends
        for _ in batches:
            state = sampler.next_state(state)
            assert sampler.used_up(state) == []
        assert len(batches) == steps and sampler.used_up(sampler.next_state(state)) == ['a']
        sampler.set_state(state)
        assert list(sampler) == []
        keys += [key for batch in batches for key in batch if key.source == 'a']
    assert len({key.index for key in keys}) == len(keys) == steps * 4 * world_size
    assert {key.epoch for key in keys} == {0}


@pytest.mark.parametrize('schedule, batch_size', [('mixed', 7), ('alternate', dict(a=5, b=3, c=1))])
def test_several_that_may_not_repeat(schedule, batch_size):
    sampler = make(dict(a=40, b=300, c=7), batch_size, schedule=schedule, ratios=dict(a=1, b=2, c=1),
                   no_repeat=('a', 'b'))
    keys = [key for batch in sampler for key in batch]
    of = {s: [key for key in keys if key.source == s] for s in 'abc'}
    for source in 'ab':
        assert len({key.index for key in of[source]}) == len(of[source])
    assert 35 <= len(of['a']) <= 40 and max(key.epoch for key in of['c']) > 0
    assert sampler.no_repeat == ('a', 'b')


@pytest.mark.parametrize('batch_size, world_size, kwargs, images', [
    (dict(a=6, b=1), 1, {}, 6),
    (dict(a=3, b=1), 2, {}, 6),
    (12, 1, dict(schedule='mixed', ratios='equal'), 6),
    (8, 1, dict(schedule='mixed', ratios=[(0, 'equal'), (9, dict(a=7, b=2))]), 7),
    (11, 1, dict(schedule='mixed', ratios='equal'), 6),
    (dict(a=6, b=1), 1, dict(schedule='alternate', ratios=dict(a=1, b=99)), 6),
])
def test_a_step_larger_than_a_source_that_may_not_repeat(set_rank, batch_size, world_size, kwargs, images):
    set_rank(0, world_size)
    with pytest.raises(ValueError, match=f"step takes {images} samples of source 'a' on all ranks together, which has "
                       r'5 and may not repeat\. Lower .*batch_size or its ratio, or let it repeat \(no_repeat\)'):
        make(dict(a=5, b=9), batch_size, no_repeat=['a'], **kwargs)
    make(dict(a=5, b=99), batch_size, no_repeat=['b'], **kwargs)


@pytest.mark.parametrize('no_repeat', [['a', 'cats'], 'a'])
def test_wrong_no_repeat(no_repeat):
    with pytest.raises(ValueError, match=r"no_repeat=\[?'a'.* must be a list of sources out of \['a', 'b'\]"):
        make(dict(a=5, b=6), dict(a=1, b=1), no_repeat=no_repeat)


def test_changed_data_is_refused():
    state = make(dict(a=5, b=6), dict(a=1, b=1)).initial_state()
    with pytest.raises(ValueError, match="'c' is new; 'b' is gone; 'a' had 5 samples and has 4.*load_from"):
        make(dict(a=4, c=6), dict(a=1, c=1)).set_state(state)


@pytest.mark.parametrize('batch_size, error, message', [
    (8, TypeError, r'train_dataloader\.batch_size must be a dict.*got int: 8'),
    (dict(a=1), ValueError, r"no value for the sources \['b'\] and one for the unknown \[\].*each of \['a', 'b'\]"),
    (dict(a=1, b=1, c=1), ValueError, r"unknown \['c'\]"),
    (dict(a=0, b=1), ValueError, r"batch_size\.a=0 must be at least 1\. To train without source 'a', take it out"),
    (dict(a=1, b=True), TypeError, r"batch_size\.b=True must be an integer"),
    (dict(a=1, b=2.0), TypeError, r"batch_size\.b=2\.0 must be an integer"),
])
def test_wrong_batch_size(batch_size, error, message):
    with pytest.raises(error, match=message):
        make(dict(a=5, b=6), batch_size)


def test_wrong_sampler_and_schedule():
    for sampler in (None, SequentialSampler(range(3))):
        with pytest.raises(TypeError, match=r"train_dataloader\.sampler=dict\(type='DefaultSampler', shuffle=False\)"):
            MultiSourceBatchSampler(sampler, dict(a=1))
    with pytest.raises(TypeError, match='draws from a MultiSourceDataset, got range'):
        MultiSourceBatchSampler(DefaultSampler(range(3), seed=0), dict(a=1))
    with pytest.raises(ValueError, match="schedule='round_robin' must be one of joint, mixed, alternate"):
        make(dict(a=5), dict(a=1), schedule='round_robin')


def build_loader(sources, num_workers=0, seed=3, batch_size=None, schedule=None, **kwargs):
    return Runner.build_dataloader(
        dict(
            batch_size=batch_size or dict(photos=3, boxes=1, maps=2),
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler', **(schedule or {})),
            collate_fn=dict(type='xlearner_mm.collate_by_source'),
            dataset=dict(type='xlearner_mm.MultiSourceDataset', sources=sources),
            **kwargs),
        seed=seed)


def fingerprint(batch):
    """Everything in a batch that a model sees, as bytes."""
    labels = dict(photos=lambda s: s.gt_label, boxes=lambda s: s.gt_instances.bboxes.tensor,
                  maps=lambda s: s.gt_sem_seg.data)
    return {source: [(image.numpy().tobytes(), labels[source](sample).numpy().tobytes(), sample.img_path, sample.task)
                     for image, sample in zip(part['inputs'], part['data_samples'], strict=True)]
            for source, part in batch.items()}


def test_the_loader_of_the_runner_gives_the_same_bytes_with_any_workers(stock):
    expected = None
    for num_workers in (0, 1, 2):
        torch.manual_seed(num_workers)
        loader = build_loader(stock, num_workers)
        batches = [fingerprint(batch) for batch in itertools.islice(loader, 8)]
        expected = expected or batches
        assert batches == expected
    assert list(expected[0]) == ['photos', 'boxes', 'maps']
    assert [len(part) for part in expected[0].values()] == [3, 1, 2]
    # Augmentations differ from epoch to epoch.
    images = {entry[0] for batch in expected for entry in batch['boxes']}
    assert len(images) > 5


def test_the_loader_of_the_runner_resumes(stock):
    loader = build_loader(stock, num_workers=2, persistent_workers=True)
    sampler = loader.batch_sampler
    states = [sampler.initial_state()]
    batches = []
    for batch in itertools.islice(loader, 6):
        batches.append(fingerprint(batch))
        states.append(sampler.next_state(states[-1]))
    for resumed in (loader, build_loader(stock, seed=None)):
        resumed.batch_sampler.set_state(states[3])
        assert [fingerprint(batch) for batch in itertools.islice(resumed, 3)] == batches[3:]


@pytest.mark.parametrize('name, batch_size', [('mixed', 4), ('alternate', dict(photos=3, boxes=1, maps=2))])
def test_the_loader_of_the_runner_takes_any_schedule(stock, name, batch_size):
    schedule = dict(schedule=name, ratios=dict(photos=2, boxes=1, maps=1))
    batches = [[fingerprint(batch) for batch in itertools.islice(loader, 4)] for loader in (
        build_loader(stock, workers, batch_size=batch_size, schedule=schedule) for workers in (0, 1))]
    assert batches[0] == batches[1]
    expected = [('photos', 'boxes', 'maps')] * 4 if name == 'mixed' else [(s, ) for s in ('photos', 'boxes', 'maps')]
    assert {tuple(batch) for batch in batches[0]} == set(expected)


def test_hooks_of_mmengine_work(stock):
    loader = build_loader(stock)
    assert len(loader) == 5  # boxes: 5 images, one a step

    class FakeRunner:
        epoch = 4

        class train_loop:
            dataloader = loader

    first = fingerprint(next(iter(loader)))
    DistSamplerSeedHook().before_train_epoch(FakeRunner)
    assert loader.batch_sampler.sampler.epoch == 4
    assert fingerprint(next(iter(loader))) == first
