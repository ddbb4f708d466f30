"""What holds for every schedule, shown by the batches of the real sampler."""

import itertools
import json
from fractions import Fraction

import pytest
from mmengine.dataset import DefaultSampler

from xlearner_mm.datasets import MultiSourceBatchSampler, MultiSourceDataset

pytestmark = pytest.mark.compat

SIZES = dict(a=7, b=90, c=20000)
RATIOS = [(0, dict(a=1, b=2, c=5)), (25, 'equal'), (50, dict(a=3, b=0, c=1))]
SCHEDULES = dict(
    joint=dict(batch_size=dict(a=4, b=2, c=6)),
    mixed=dict(batch_size=5, schedule='mixed', ratios=RATIOS),
    alternate=dict(batch_size=dict(a=4, b=2, c=6), schedule='alternate', ratios=RATIOS))


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


def counts(batch):
    return {source: sum(key.source == source for key in batch) for source in SIZES}


@pytest.mark.parametrize('name', SCHEDULES)
def test_each_schedule_continues_anywhere(name):
    sampler = make(SIZES, seed=5, **SCHEDULES[name])
    batches, state = take(sampler, 70), sampler.initial_state()
    fresh = make(SIZES, seed=99, **SCHEDULES[name])  # a run without a fixed seed has another one when resumed
    for step in range(70):
        fresh.set_state(json.loads(json.dumps(state)))
        assert take(fresh, 1) == batches[step:step + 1]
        state = sampler.next_state(state)
        if step in (24, 40, 55):
            assert take(fresh, 15)[1:] == batches[step + 1:step + 15]
        drawn = {s: sum(counts(batch)[s] for batch in batches[:step + 1]) for s in SIZES}
        assert state['positions'] == drawn and state['step'] == step + 1


@pytest.mark.parametrize('name', SCHEDULES)
def test_each_schedule_gives_each_source_its_own_order(name):
    sizes = dict(SIZES, b=20)
    keys = [key for batch in take(make(sizes, **SCHEDULES[name]), 300) for key in batch]
    for source, size in dict(a=7, b=20).items():
        indices = [key.index for key in keys if key.source == source]
        epochs, whole = [key.epoch for key in keys if key.source == source], len(indices) // size
        assert whole > 0 and epochs == [i // size for i in range(len(indices))]
        for epoch in range(whole):
            assert sorted(indices[epoch * size:(epoch + 1) * size]) == list(range(size))


@pytest.mark.parametrize('name', SCHEDULES)
def test_each_schedule_draws_the_same_samples_on_any_ranks(set_rank, name):
    sizes, expected = dict(a=37, b=1000), None
    for world_size in (1, 2, 4):
        of_a_rank = 8 // world_size
        kwargs = dict(SCHEDULES[name], batch_size=of_a_rank if name == 'mixed' else dict(a=of_a_rank, b=of_a_rank))
        if name != 'joint':
            kwargs['ratios'] = dict(a=1, b=2)
        ranks = []
        for rank in range(world_size):
            set_rank(rank, world_size)
            ranks.append(take(make(sizes, **kwargs), 60))
        for batches in zip(*ranks, strict=True):
            assert len({tuple(key.source for key in batch) for batch in batches}) == 1  # equal parts
        order = {s: [key for batches in zip(*ranks, strict=True) for batch in batches for key in batch
                     if key.source == s] for s in sizes}
        expected = expected or order
        for source in sizes:
            common = min(len(order[source]), len(expected[source]))
            assert common > 100 and order[source][:common] == expected[source][:common]


def test_a_mixed_run_goes_on_with_other_ranks(set_rank):
    kwargs, had = dict(batch_size=3, schedule='mixed', ratios=dict(a=1, b=3, c=7)), dict.fromkeys(SIZES, 0)
    state = make(SIZES, **kwargs).initial_state()
    for world_size in (4, 1, 2):
        set_rank(0, world_size)
        sampler = make(SIZES, **kwargs)
        sampler.set_state(json.loads(json.dumps(state)))
        for batch in take(sampler, 33):
            had = {s: had[s] + counts(batch)[s] * world_size for s in SIZES}
            state = sampler.next_state(state)
        assert state['positions'] == had
        total = sum(had.values())
        assert all(abs(had[s] - total * share / 11) < 2 * world_size for s, share in dict(a=1, b=3, c=7).items())
    assert all(abs(Fraction(carry)) < 4 for carry in state['carry'].values())


@pytest.mark.parametrize('name', SCHEDULES)
@pytest.mark.parametrize('world_size', [1, 2])
def test_planned_images_are_those_drawn(set_rank, name, world_size):
    set_rank(0, world_size)
    sampler = make(SIZES, **SCHEDULES[name])
    drawn = [counts(batch) for batch in take(sampler, 80)]
    largest = 6 if name == 'alternate' else 1
    for start, end in ((0, 80), (0, 25), (10, 30), (20, 60), (49, 51), (50, 80), (7, 7)):
        planned = sampler.images_between(start, end)
        for source in SIZES:
            real = world_size * sum(images[source] for images in drawn[start:end])
            assert abs(planned[source] - real) < 2 * largest * world_size
    mean = dict(joint=(4, 2, 6), mixed=(15 / 4, 0, 5 / 4), alternate=(3, 0, 1.5))[name]
    assert tuple(sampler.images_a_step(60).values()) == pytest.approx([world_size * images for images in mean])


@pytest.mark.parametrize('name', SCHEDULES)
def test_a_new_phase_goes_on_with_the_samples(name):
    old = make(SIZES, **SCHEDULES['mixed'])
    state = old.initial_state()
    for _ in range(33):
        state = old.next_state(state)
    before = json.dumps(state)
    new = make(SIZES, **SCHEDULES[name])
    begun = new.next_phase(state)
    assert begun == dict(state, schedule=name, step=0, carry={}) and json.dumps(state) == before
    assert new.next_phase(state, step=9)['step'] == 9
    new.set_state(begun)
    drawn = [key for batch in take(new, 12) for key in batch]
    for source, size in SIZES.items():
        first = next(key for key in drawn if key.source == source)
        assert first.epoch == state['positions'][source] // size
    assert [counts(batch) for batch in take(new, 12)] == [counts(batch) for batch in
                                                          take(make(SIZES, **SCHEDULES[name]), 12)]


def test_another_schedule_is_refused():
    state = make(SIZES, **SCHEDULES['mixed']).initial_state()
    with pytest.raises(ValueError, match="saved with schedule='mixed', and train_dataloader.batch_sampler.schedule is "
                       "'joint': resume with the same one, or start anew with load_from"):
        make(SIZES, **SCHEDULES['joint']).set_state(state)
