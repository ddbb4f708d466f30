import itertools
import json
import re
import weakref
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

import ranks
import tiny
import toy
from hand_run import Run
from rank_group import group, spawn
from xlearner_mm.engine import MultiSourceDistributed, TaskInterferenceHook
from xlearner_mm.engine.gradient_parts import gradient_parts
from xlearner_mm.engine.interference import interference
from xlearner_mm.models import SourceGradients
from xlearner_mm.utils import seed_all

pytestmark = pytest.mark.compat

SOURCES = ('photos', 'boxes', 'maps')
PAIRS = ('photos-boxes', 'photos-maps', 'boxes-maps')
STAGES = ('all', 'stem', 'stage1', 'stage2', 'stage3', 'stage4')
KEYS = {f'interference/{stage}/{key}' for stage in STAGES
        for key in (*(f'cos/{pair}' for pair in PAIRS), *(f'share/{source}' for source in SOURCES))}
KEYS.add('interference/phase')


def hard_sharing(**kwargs):
    torch.manual_seed(0)
    model = MODELS.build(tiny.xlearner(squeeze=False, expanded=False, **kwargs))
    model.init_weights()
    return model.train()


def stage_of(name):
    return f'stage{name[5]}' if name.startswith('layer') else 'stem'


def gradients_of(model, iterations):
    """Gradient by source and stage of the backbone, summed over iterations, each by a call of autograd of its own."""
    parameters = dict(model.backbone.named_parameters())
    sums = {}
    for number, data in enumerate(iterations):
        for source, batch in data.items():
            seed_all(7, number, source)
            losses = model(**model.data_preprocessor({source: batch}, True), mode='loss')
            gradients = torch.autograd.grad(model.parse_losses(losses)[0], parameters.values())
            before = sums.get(source, [0] * len(gradients))
            sums[source] = [old + new.double() for old, new in zip(before, gradients)]
    return {source: {stage: torch.cat([gradient.flatten() for name, gradient in zip(parameters, own)
                                       if stage in ('all', stage_of(name))]) for stage in STAGES}
            for source, own in sums.items()}


def expected(gradients):
    values = {'interference/phase': 0}
    for stage in STAGES:
        own = {source: stages[stage] for source, stages in gradients.items()}
        total = sum(g.norm() for g in own.values())
        values.update({f'interference/{stage}/share/{s}': float(g.norm() / total) for s, g in own.items()})
        values.update({f'interference/{stage}/cos/{a}-{b}': float(nn.functional.cosine_similarity(own[a], own[b], 0))
                       for a, b in itertools.combinations(own, 2)})
    return values


def test_values_are_those_of_separate_gradients():
    model, data = hard_sharing(), tiny.batches()
    values = expected(gradients_of(model, [data]))
    run = Run(model, TaskInterferenceHook(interval=1))
    run.step(data)
    assert set(run.written[1]) == KEYS == set(values)
    assert run.written[1] == pytest.approx(values, abs=1e-5)
    assert all(re.fullmatch(r'[/\w.\- ]*', key) for key in KEYS)  # more is an error in MLflow
    assert sum(run.written[1][f'interference/stage3/share/{source}'] for source in SOURCES) == pytest.approx(1)
    assert len({round(value, 4) for value in values.values()}) > 30  # stages and pairs do differ


def test_a_window_of_accumulated_iterations_is_measured_as_a_whole():
    model = hard_sharing()
    windows = [[tiny.batches('photos', 'maps', seed=10 * w), tiny.batches('photos', seed=10 * w + 1)] for w in range(3)]
    values = gradients_of(model, windows[0])
    run = Run(model, TaskInterferenceHook(interval=2), accumulative_counts=2)
    kept = []
    for data in itertools.chain(*windows):
        run.step(data)
        kept.append(model.keep_gradients)
    assert kept == [True, False, False, False, True, False] and list(run.written) == [2, 6]
    own = {source: stages['all'] for source, stages in values.items()}
    norms = {source: float(g.norm()) for source, g in own.items()}
    cosine = float(nn.functional.cosine_similarity(own['photos'], own['maps'], 0))
    assert {key for key in run.written[2] if '/all/' in key} == {
        f'interference/all/{key}' for key in ('cos/photos-maps', 'share/photos', 'share/maps')}
    assert run.written[2]['interference/all/cos/photos-maps'] == pytest.approx(cosine, abs=1e-5)
    assert run.written[2]['interference/all/share/maps'] == pytest.approx(
        norms['maps'] / sum(norms.values()), abs=1e-5)


def trained(hook, micro_batches, counts, steps=2):
    cfg = tiny.xlearner(squeeze=False, expanded=False)
    cfg.branches.boxes.micro_batches = micro_batches
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    run = Run(model.train(), hook, accumulative_counts=counts)
    for step in range(steps * counts):
        run.step(tiny.batches(seed=step))
    return model.state_dict(), run.written


@pytest.mark.parametrize('micro_batches, counts', [(1, 1), (2, 1), (1, 2)])
def test_micro_batches_and_accumulation_change_the_order_of_addition_only(micro_batches, counts):
    states, written = zip(trained(None, micro_batches, counts),
                          trained(TaskInterferenceHook(interval=1), micro_batches, counts))
    assert written[0] == {} and list(written[1]) == [counts, 2 * counts]
    tolerance = dict(rtol=0, atol=0) if micro_batches == counts else dict(rtol=1e-5, atol=1e-6)
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, **tolerance)


def scalars_of(work_dir):
    (file, ) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_run_is_the_same_bit_by_bit(toy_data, tmp_path):
    runs = {}
    for name, hooks in dict(without=[], measured=[dict(type='xlearner_mm.TaskInterferenceHook', interval=1)]).items():
        cfg = toy.config(toy_data, tmp_path / name, expansion_iters=2, max_iters=4)
        cfg.custom_hooks += hooks
        runs[name] = toy.train(cfg)
    toy.assert_same_checkpoint(*(tmp_path / name / 'iter_4.pth' for name in runs))
    lines = scalars_of(tmp_path / 'measured')
    found = {line['step']: set(line) - {'step'} for line in lines if 'interference/all/share/photos' in line}
    assert list(found) == [3, 4]  # the expansion has one source a task: nothing is shared
    assert len(found[3]) == 7 * 6 + 1 and {key.split('/')[1] for key in found[3]} == {*STAGES, 'connectors', 'phase'}
    assert [len(line) for line in lines if 'loss' in line] == [
        len(line) for line in scalars_of(tmp_path / 'without')]  # the lines of the log are as they were
    (log, ) = (tmp_path / 'measured').glob('*/*.log')
    told = [line for line in log.read_text().splitlines()
            if 'WARNING - TaskInterferenceHook' in line or 'interference/' in line]
    assert len(told) == 1 and 'nothing to compare at iteration 1, the sources' in told[0]
    for text in ('photos (cls)', 'boxes (det)', 'maps (seg)', 'a sub-backbone of its own'):
        assert text in told[0]
    assert not any('interference' in file.read_text() for file in tmp_path.glob('measured/*/vis_data/2*.json'))
    assert runs['measured'].model.source_gradients is None and not runs['measured'].model.keep_gradients


def test_gradients_are_let_go():
    model = hard_sharing()
    run = Run(model, TaskInterferenceHook(interval=1))
    run.visualizer.add_scalars = lambda scalars, step: None
    run.hook.before_train_iter(run, 0)
    model.train_step(tiny.batches(), run.optim_wrapper)
    kept = weakref.ref(model.source_gradients)
    run.hook.after_train_iter(run, 0)
    assert model.source_gradients is None and kept() is None
    model.keep_gradients = True  # by a user: it stays, and so does what they want
    run.step(tiny.batches())
    assert model.keep_gradients and model.source_gradients.sources == list(SOURCES)


def test_a_step_that_is_skipped_writes_nothing():
    model = hard_sharing()
    model.guard.limit = 1
    run = Run(model, TaskInterferenceHook(interval=1))
    spoilt = model.branches['maps'].decode_head.conv_seg.weight.register_hook(lambda gradient: gradient * float('nan'))
    run.step(tiny.batches())  # gradients on the backbone are finite
    assert run.written == {} and run.warnings == [] and model.guard.counts == dict(maps=1)
    spoilt.remove()
    run.step(tiny.batches())
    assert list(run.written) == [2]


def test_a_step_of_one_source():
    run = Run(hard_sharing(), TaskInterferenceHook(interval=1))
    for _ in range(2):
        run.step(tiny.batches('boxes'))
    run.step(tiny.batches('boxes', 'maps'))
    assert list(run.written) == [3] and len(run.warnings) == 1
    assert "iteration 1, whose step has one source, 'boxes'" in run.warnings[0]


def kept_apart(rows):
    """Gradients of sources for the parameters a, b and c; None is not reached."""
    parameters = {name: nn.Parameter(torch.zeros(2)) for name in 'abc'}
    gradients = SourceGradients(parameters)
    for source, row in rows.items():
        for parameter, values in zip(parameters.values(), row):
            parameter.grad = None if values is None else torch.tensor(values)
        gradients.take(source)
    return gradients


PARTS = dict(a=('all', 'one'), b=('all', 'two'), c=('all', 'two'))


def test_what_is_shared_by_some():
    values = interference(kept_apart(dict(p=([3., 0.], [4., 0.], None), q=([0., 2.], None, [9., 9.]),
                                          r=(None, [-6., 8.], None), s=([0., 0.], None, None))), PARTS)
    assert values == pytest.approx({
        'interference/one/cos/p-q': 0, 'interference/one/share/p': 3 / 5, 'interference/one/share/q': 2 / 5,
        'interference/two/cos/p-r': -0.6, 'interference/two/share/p': 4 / 14, 'interference/two/share/r': 10 / 14,
        'interference/all/cos/p-q': 0, 'interference/all/cos/p-r': -24 / 50, 'interference/all/share/p': 5 / 17,
        'interference/all/share/q': 2 / 17, 'interference/all/share/r': 10 / 17})
    assert interference(kept_apart(dict(p=([3., 0.], None, None), q=(None, [1., 1.], None))), PARTS) == {}


def test_a_loss_scale_does_not_matter_and_infinity_writes_nothing():
    plain, scaled, broken = (interference(kept_apart(dict(p=([a, b], None, None), q=([c, d], None, None))), PARTS)
                             for a, b, c, d in ((1., 2., 3., -1.), (2.**40, 2.**41, 3 * 2.**40, -2.**40),
                                                (1., float('inf'), 3., -1.)))
    assert plain == scaled and broken == {}
    assert plain['interference/one/cos/p-q'] == pytest.approx(1 / 50**0.5)


def test_parts_of_expansion_and_squeeze():
    cfg = tiny.xlearner()
    cfg.squeeze.heads = 'fresh'
    cfg.squeeze.weights = dict(type='xlearner_mm.UncertaintyTeacherWeights')
    model = MODELS.build(cfg)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parts = gradient_parts(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert set(parts) == {name for name, _ in model.named_parameters()}
    assert all(of[0] == 'all' for of in parts.values())
    for name, own in {
            'backbone.sub_backbones.det.conv1.weight': ('stem', 'det.stem'),
            'backbone.sub_backbones.seg.layer4.0.conv1.weight': ('stage4', 'seg.stage4'),
            'squeeze.student.layer1.0.conv1.weight': ('stage1', ),
            'branches.boxes.bbox_head.conv_cls.bias': ('branches', 'det.branches'),
            'squeeze.branches.photos.head.fc.bias': ('branches', 'cls.branches')}.items():
        assert parts[name][1:] == own
    by_start = {name.rsplit('.', 1)[0].split('_to_')[0]: of[1:] for name, of in parts.items()}
    assert by_start['backbone.reconciliation.links.cls.det.0'] == ('links', 'cls.links')
    named = {of[1] for name, of in parts.items() if name.startswith('squeeze.')}
    assert {'connectors', 'weights', 'branches', 'stem', 'stage4'} <= named


@pytest.mark.parametrize('backbone, stages', [
    (dict(type='mmpretrain.VisionTransformer', arch=dict(
        embed_dims=8, num_layers=8, num_heads=2, feedforward_channels=8), img_size=32, patch_size=8,
        out_type='featmap'),
     dict(cls_token='stem', layers__1='stage1', layers__3='stage2', layers__7='stage4', ln1='output')),
    (dict(type='mmdet.HRNet', multiscale_output=False, extra={f'stage{i}': dict(
        num_modules=1, num_branches=i, block='BASIC' if i > 1 else 'BOTTLENECK', num_blocks=(1, ) * i,
        num_channels=(8, 8, 8, 8)[:i]) for i in range(1, 5)}), dict(
            conv1='stem', layer1='stage1', stage2='stage2', stage4='stage4'))])
def test_stages_of_other_families(backbone, stages):
    model = MODELS.build(dict(
        type='xlearner_mm.XLearner', backbone=backbone, branches=dict(photos=dict(task='cls', model=tiny.classifier(
            backbone=tiny.port(out_indices=(0, )), channels=8)))))
    parts = gradient_parts(model)
    for start, stage in stages.items():
        own = {of[1] for name, of in parts.items() if name.startswith(f'backbone.{start}'.replace('__', '.'))}
        assert own == {stage}


@pytest.mark.parametrize('interval', [0, -1, 1.5, '2'])
def test_an_interval_that_is_none(interval):
    with pytest.raises(ValueError, match=f'TaskInterferenceHook.interval={interval!r} must be a positive integer'):
        TaskInterferenceHook(interval)


def test_another_loop():
    with pytest.raises(TypeError, match='SimpleNamespace has no gradients by source. Set train_cfg='):
        TaskInterferenceHook().before_train(SimpleNamespace(train_loop=SimpleNamespace()))


def measure(rank, world, port, folder):
    with group(rank, world, port):
        run = Run(MultiSourceDistributed(ranks.build(expanded=False)), TaskInterferenceHook(interval=1))
        run.step(ranks.data_of('joint', 0, rank))
        torch.save(run.written, f'{folder}/{rank}.pth')


def test_over_ranks_the_averages_are_compared_and_the_first_one_writes(tmp_path):
    first, other = spawn(measure, 2, tmp_path, method='fork')
    assert list(first) == [1] and other == {}
    run = Run(ranks.build(expanded=False), TaskInterferenceHook(interval=1), accumulative_counts=2)
    for rank in range(2):
        run.iter = 0  # whose randomness both ranks have
        run.step(ranks.data_of('joint', 0, rank))
    assert set(run.written[1]) == KEYS and first[1] == pytest.approx(run.written[1], abs=1e-4)
