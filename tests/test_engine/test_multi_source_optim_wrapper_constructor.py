import copy
import inspect
import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import DefaultOptimWrapperConstructor, build_optim_wrapper
from mmengine.registry import MODELS, OPTIMIZERS
from torch import nn

import tiny
import toy
from xlearner_mm.engine import MultiSourceOptimWrapperConstructor, multi_source_optim_wrapper_constructor
from xlearner_mm.models import Phase
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

OURS = 'xlearner_mm.MultiSourceOptimWrapperConstructor'
LR, DECAY = 0.5, 0.25
LINK = 'backbone.reconciliation.links.{}.{}.1_to_2.projection.conv.weight'


def model(phase=Phase.EXPANSION, seed=0, **kwargs):
    register_all_modules()
    torch.manual_seed(seed)
    made = MODELS.build(tiny.xlearner(**kwargs))
    if made.squeeze is not None:
        made.set_phase(phase)
    return made


def wrapper(net, paramwise=None, constructor=OURS, optimizer='AdamW', **options):
    options = {**dict(lr=LR, weight_decay=DECAY), **options}
    cfg = dict(type='OptimWrapper', optimizer=dict(type=optimizer, **options), paramwise_cfg=paramwise)
    return build_optim_wrapper(net, ConfigDict(cfg, constructor=constructor) if constructor else ConfigDict(cfg))


def rates(net, *args, **kwargs):
    """Learning rate and weight decay by name."""
    names = {parameter: name for name, parameter in net.named_parameters()}
    groups = wrapper(net, *args, **kwargs).optimizer.param_groups
    return {names[parameter]: (group['lr'], group['weight_decay']) for group in groups for parameter in group['params']}


def test_multipliers_of_task_source_and_part_are_multiplied():
    found = rates(model(), dict(
        tasks=dict(seg=dict(lr_mult=0.5), cls=dict(decay_mult=0)), sources=dict(maps=dict(lr_mult=0.25, decay_mult=2)),
        parts=dict(branches=dict(lr_mult=4), reconciliation=dict(lr_mult=8, decay_mult=0.5))))
    assert found['backbone.sub_backbones.seg.conv1.weight'] == (LR * 0.5, DECAY)
    assert found['backbone.sub_backbones.det.conv1.weight'] == (LR, DECAY)
    assert found['backbone.sub_backbones.cls.conv1.weight'] == (LR, 0)
    assert found[LINK.format('seg', 'cls')] == (LR * 0.5 * 8, DECAY * 0.5)
    assert found[LINK.format('det', 'seg')] == (LR * 8, DECAY * 0.5)
    assert found[LINK.format('cls', 'seg')] == (LR * 8, 0)
    assert found['branches.maps.decode_head.conv_seg.weight'] == (LR * 0.5 * 0.25 * 4, DECAY * 2)
    assert found['branches.boxes.neck.fpn_convs.0.conv.weight'] == (LR * 4, DECAY)
    assert found['branches.photos.head.fc.bias'] == (LR * 4, 0)


def test_the_squeeze_trains_parts_of_its_own():
    net = model(Phase.SQUEEZE, squeeze=dict(student=tiny.resnet(), heads='fresh',
                                            weights=dict(type='xlearner_mm.UncertaintyTeacherWeights')))
    found = rates(net, dict(
        parts=dict(student=dict(lr_mult=0.5), connectors=dict(lr_mult=2, decay_mult=0), weights=dict(lr_mult=3),
                   branches=dict(lr_mult=5)),
        sources=dict(maps=dict(lr_mult=2)), tasks=dict(det=dict(decay_mult=4), cls=dict(lr_mult=1))))
    assert found['squeeze.student.conv1.weight'] == (LR * 0.5, DECAY)
    connectors = {rate for name, rate in found.items() if name.startswith('squeeze.connectors.')}
    assert connectors == {(LR * 2, 0)}
    assert {rate for name, rate in found.items() if name.startswith('squeeze.weights.')} == {(LR * 3, DECAY)}
    assert found['squeeze.branches.maps.decode_head.conv_seg.weight'] == (LR * 10, DECAY)
    assert found['squeeze.branches.boxes.bbox_head.conv_cls.weight'] == (LR * 5, DECAY * 4)
    assert not any(name.startswith('backbone.') for name in found)


def test_stock_settings_are_multiplied_too():
    paramwise = dict(norm_decay_mult=0, bias_lr_mult=2, custom_keys={'branches.maps': dict(lr_mult=0.5, decay_mult=3)})
    found = rates(model(), dict(paramwise, tasks=dict(seg=dict(lr_mult=0.25, decay_mult=0.5)), layer_decay=0.5))
    assert found['branches.maps.decode_head.conv_seg.bias'] == (LR * 0.5 * 0.25, DECAY * 3 * 0.5)
    assert found['branches.boxes.bbox_head.conv_cls.bias'] == (LR * 2, DECAY)
    assert found['backbone.sub_backbones.seg.layer4.0.bn1.weight'] == (LR * 0.25 * 0.5, 0)
    assert found[LINK.format('seg', 'det')] == (LR * 0.25 * 0.5 ** 2, DECAY * 0.5)


@pytest.mark.parametrize('paramwise', [
    dict(norm_decay_mult=0, bias_lr_mult=2, bias_decay_mult=0), dict(flat_decay_mult=0, dwconv_decay_mult=0.5),
    dict(custom_keys={'backbone': dict(lr_mult=0.1), 'branches.boxes': dict(decay_mult=0, betas=(0.8, 0.9))}),
], ids=str)
def test_stock_settings_alone_are_as_in_mmengine(paramwise):
    net = model(squeeze=False)
    stock, own = rates(net, paramwise, constructor=None), rates(net, paramwise)
    assert own == stock
    groups = wrapper(net, paramwise).optimizer.param_groups
    assert len(groups) <= 4 < len(wrapper(net, paramwise, constructor=None).optimizer.param_groups)
    betas = {id(p): group['betas'] for group in groups for p in group['params']}
    expected = (0.8, 0.9) if 'custom_keys' in paramwise else (0.9, 0.999)
    assert {betas[id(p)] for p in net.branches['boxes'].parameters()} == {expected}


def test_a_key_that_changes_nothing_makes_no_group():
    keys = {'branches.maps': dict(lr_mult=1, decay_mult=1), 'branches.boxes': dict(lr_mult=0.5)}
    groups = wrapper(model(squeeze=False), dict(custom_keys=keys)).optimizer.param_groups
    assert [(group['lr'], group['weight_decay']) for group in groups] == [(LR, DECAY), (LR * 0.5, DECAY)]


def test_without_settings_the_groups_are_those_of_mmengine():
    net = model()
    own, stock = (wrapper(net, constructor=c).optimizer.param_groups for c in (OURS, None))
    assert len(own) == len(stock) == 1 and own[0]['params'] == stock[0]['params']


def test_a_distributed_model_is_unwrapped():
    net = model(squeeze=False)
    wrapped = nn.Module()
    wrapped.module = net
    paramwise = dict(layer_decay=0.5, sources=dict(maps=dict(lr_mult=2)))
    own, other = (wrapper(m, paramwise).optimizer.state_dict()['param_groups'] for m in (net, wrapped))
    assert own == other and len(own) > 5


@pytest.mark.parametrize('optimizer', [dict(optimizer='SGD', momentum=0.9), dict(optimizer='AdamW')], ids=str)
def test_merged_groups_do_the_same_steps_bit_for_bit(optimizer):
    ended = []
    for constructor in (OURS, None):
        net = model(squeeze=False)
        optim = wrapper(net, dict(norm_decay_mult=0, bias_lr_mult=2, custom_keys={'seg': dict(lr_mult=0.5)}),
                        constructor, **{**optimizer, 'lr': 0.01})
        for seed in range(2):
            torch.manual_seed(seed)
            net.train_step(tiny.batches(), optim)
        ended.append(net.state_dict())
    assert all(torch.equal(value, ended[1][key]) for key, value in ended[0].items())


def test_the_order_of_the_groups_is_that_of_the_model():
    paramwise = dict(norm_decay_mult=0, tasks=dict(seg=dict(lr_mult=0.5)), layer_decay=0.5)
    net = model(squeeze=False)
    position = {id(parameter): number for number, parameter in enumerate(net.parameters())}
    groups = [[position[id(p)] for p in group['params']] for group in wrapper(net, paramwise).optimizer.param_groups]
    assert all(group == sorted(group) for group in groups)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    assert sorted(sum(groups, [])) == list(range(len(position)))
    # 0.5 to the power of 0 to 6, with and without weight decay; the norm of a head that has one is that of seg.
    assert len(groups) == len(set(rates(net, paramwise).values())) == 13


def test_layer_decay_equals_that_of_mmpretrain():
    vit = dict(type='mmpretrain.VisionTransformer', img_size=64, out_type='cls_token', arch=dict(
        embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=32))
    register_all_modules()
    net = MODELS.build(with_scope(tiny.classifier(backbone=vit, channels=16) | dict(neck=None)))
    paramwise = dict(norm_decay_mult=0, flat_decay_mult=0, custom_keys={'.cls_token': dict(decay_mult=0)})
    stock = rates(net, dict(paramwise, layer_decay_rate=0.75),
                  constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor')
    assert rates(net, dict(paramwise, layer_decay=0.75)) == stock
    assert len(set(stock.values())) == 12


def shared_model(**kwargs):
    """Two detectors that share a neck."""
    cfg = tiny.xlearner(squeeze=False, shared=dict(det=('neck', )), **kwargs)
    cfg.branches.more = ConfigDict(task='det', model=tiny.detector())
    register_all_modules()
    return MODELS.build(cfg)


def test_a_shared_part_counts_once_and_is_no_single_sources():
    net = shared_model()
    found = rates(net, dict(sources=dict(boxes=dict(lr_mult=0.5), more=dict(lr_mult=0.25)),
                            tasks=dict(det=dict(lr_mult=2)), parts=dict(branches=dict(lr_mult=2))))
    assert found['branches.boxes.neck.fpn_convs.0.conv.weight'] == (LR * 4, DECAY)
    assert found['branches.boxes.bbox_head.conv_cls.weight'] == (LR * 2, DECAY)
    assert found['branches.more.bbox_head.conv_cls.weight'] == (LR, DECAY)
    assert len(found) == len(list(net.parameters()))


def test_a_weight_of_two_modules_counts_once():
    net = nn.ModuleDict(dict(a=nn.Linear(2, 2), b=nn.Linear(2, 2)))
    net.b.weight = net.a.weight
    assert set(rates(net, dict(bias_lr_mult=2))) == {'a.weight', 'a.bias', 'b.bias'}
    unequal = dict(custom_keys={'b.': dict(lr_mult=0.5)})
    with pytest.raises(ValueError, match="Two modules hold 'a.weight'"):
        rates(net, unequal)
    assert rates(net, dict(unequal, bypass_duplicate=True))['a.weight'] == (LR, DECAY)


def test_frozen_parameters_stay_out():
    cfg = tiny.xlearner(squeeze=False)
    cfg.backbone.frozen = ['seg']
    register_all_modules()
    net = MODELS.build(cfg)
    found = rates(net, dict(layer_decay=0.5, tasks=dict(seg=dict(lr_mult=0.5))))
    assert set(found) == {name for name, p in net.named_parameters() if p.requires_grad}
    assert found[LINK.format('seg', 'det')] == (LR * 0.5 ** 3, DECAY)


def test_hard_sharing():
    net = model(expanded=False, squeeze=False)
    found = rates(net, dict(layer_decay=0.5, parts=dict(backbone=dict(lr_mult=2)), tasks=dict(seg=dict(lr_mult=8))))
    assert found['backbone.conv1.weight'] == (LR * 2 * 0.5 ** 5, DECAY)
    assert found['branches.maps.decode_head.conv_seg.weight'] == (LR * 8, DECAY)


@pytest.mark.parametrize('paramwise, message', [
    (dict(task=dict(seg=dict(lr_mult=1))),
     r"paramwise_cfg has unknown keys \['task'\]; it takes custom_keys, .*, tasks, sources, parts, layer_decay\."),
    (dict(norm_decay=0), r"unknown keys \['norm_decay'\]; it takes .* norm_decay_mult"),
    (dict(tasks=dict(segm=dict())), r"paramwise_cfg.tasks names \['segm'\], .* Its tasks: cls, det, seg\."),
    (dict(sources=dict(seg=dict())), r"paramwise_cfg.sources names \['seg'\], .* Its sources: photos, boxes, maps\."),
    (dict(parts=dict(backbone=dict())), r"paramwise_cfg.parts names \['backbone'\], .* Its parts: sub_backbones, "
     r'reconciliation, branches, student, connectors\.'),
    (dict(tasks=dict(seg=dict(lr=0.1))), r"tasks.seg has unknown keys \['lr'\]; it takes lr_mult, decay_mult\."),
    (dict(tasks=dict(seg=dict(lr_mult=-1))), r'tasks.seg.lr_mult=-1 must be a number from 0 on'),
    (dict(parts=dict(student=dict(decay_mult='0'))), r"parts.student.decay_mult='0' must be a number from 0 on"),
    (dict(layer_decay=1.5), r'layer_decay=1.5 must be a number above 0 and up to 1'),
    (dict(layer_decay=True), r'layer_decay=True must be'),
], ids=str)
def test_a_typo_is_refused(paramwise, message):
    with pytest.raises(ValueError, match=message):
        rates(model(), paramwise)


@pytest.mark.parametrize('paramwise, message', [
    (dict(tasks=[0.1]), r'paramwise_cfg.tasks must be dict\(lr_mult=..., decay_mult=...\) by name, got \[0.1\]'),
    (dict(parts=dict(student=0.1)), r'paramwise_cfg.parts.student must be dict\(lr_mult=..., .*\), got 0.1'),
], ids=str)
def test_a_setting_of_another_type(paramwise, message):
    with pytest.raises(TypeError, match=message):
        rates(model(), paramwise)


def test_tasks_of_a_model_without():
    with pytest.raises(TypeError, match='paramwise_cfg.sources is for an xlearner_mm.XLearner, got Linear'):
        rates(nn.Linear(1, 1), dict(sources=dict(maps=dict(lr_mult=0.5))))


@pytest.mark.parametrize('key, paramwise', [('lr', dict(layer_decay=0.5)),
                                            ('weight_decay', dict(tasks=dict(seg=dict(decay_mult=0))))])
def test_what_is_multiplied_must_be_set(key, paramwise):
    options = dict(type='AdamW', lr=LR, weight_decay=DECAY)
    del options[key]
    cfg = ConfigDict(type='OptimWrapper', optimizer=options, paramwise_cfg=paramwise, constructor=OURS)
    with pytest.raises(ValueError, match=f'paramwise_cfg multiplies {key}, which optim_wrapper.optimizer does not set'):
        build_optim_wrapper(model(), cfg)


def test_the_keys_of_mmengine_are_known():
    source = inspect.getsource(DefaultOptimWrapperConstructor)
    assert set(re.findall(r"paramwise_cfg\.get\(\s*'(\w+)'", source)) == set(
        MultiSourceOptimWrapperConstructor.STOCK_KEYS)


def test_the_example_of_the_readme():
    blocks = re.findall(r'```python\n(.*?)```', (Path(__file__).parents[2] / 'README.md').read_text(), re.DOTALL)
    code, = (block for block in blocks if OURS in block)
    told = {}
    exec(code, told)
    cfg = tiny.xlearner()
    cfg.branches = ConfigDict(coco=cfg.branches.boxes, ade20k=cfg.branches.maps)
    del cfg.backbone.sub_backbones['cls']
    register_all_modules()
    net = MODELS.build(cfg)
    names = {parameter: name for name, parameter in net.named_parameters()}
    groups = build_optim_wrapper(net, ConfigDict(told['optim_wrapper'])).optimizer.param_groups
    found = {names[p]: (group['lr'], group['weight_decay']) for group in groups for p in group['params']}
    assert found['branches.coco.bbox_head.conv_cls.weight'] == (1e-4 * 2, 0.05 * 0.5)
    assert found[LINK.format('seg', 'det')] == (pytest.approx(1e-4 * 0.75 ** 2 * 0.5 * 2), 0.05)


class Keen(torch.optim.AdamW):
    """Says what it was given."""

    def __init__(self, params, fused=None, **kwargs):
        super().__init__(params, **kwargs)
        self.given = fused


@pytest.fixture
def keen():
    OPTIMIZERS.register_module(module=Keen, force=True)
    yield
    del OPTIMIZERS._module_dict['Keen']


@pytest.mark.parametrize('paramwise', [None, dict(layer_decay=0.5)], ids=str)
def test_runs_fused_where_it_should(paramwise, keen, monkeypatch):
    asked = []
    monkeypatch.setattr(multi_source_optim_wrapper_constructor, 'fused_by_default',
                        lambda *args: asked.append(args) or True)
    net = model(squeeze=False)
    options = ConfigDict(type='Keen', lr=LR)
    constructor = MultiSourceOptimWrapperConstructor(ConfigDict(type='OptimWrapper', optimizer=options), paramwise)
    assert constructor(net).optimizer.given is True
    assert asked == [(Keen, options, {torch.device('cpu')}, True)]
    assert constructor.optimizer_cfg == options and 'fused' not in options
    monkeypatch.undo()
    assert constructor(net).optimizer.given is None  # as torch does, on a CPU


def trained(root, work_dir, paramwise, squeeze_paramwise, **changes):
    cfg = toy.config(root, work_dir, 2, 4, **changes)
    cfg.optim_wrapper.update(constructor=OURS, paramwise_cfg=paramwise)
    cfg.custom_hooks[0].squeeze.optim_wrapper.update(
        optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01), constructor=OURS, paramwise_cfg=squeeze_paramwise)
    return cfg


EXPANSION = dict(norm_decay_mult=0, layer_decay=0.5, tasks=dict(seg=dict(lr_mult=0.5)))
SQUEEZE = dict(layer_decay=0.25, parts=dict(connectors=dict(lr_mult=2, decay_mult=0)))


@pytest.fixture(scope='module')
def reference(toy_data, tmp_path_factory):
    """Work folder of a run of two iterations of each phase, and its runner."""
    work_dir = tmp_path_factory.mktemp('reference')
    return work_dir, toy.train(trained(toy_data, work_dir, EXPANSION, SQUEEZE, save_every=1))


def groups_of(path):
    return torch.load(path, weights_only=False)['optimizer']['param_groups']


def test_schedules_follow_in_both_phases(reference):
    work_dir, runner = reference
    for at, base, factor in ((1, 0.01, (2 / 3) ** 0.9), (2, 0.01, (1 / 3) ** 0.9), (3, 0.001, 1.0), (4, 0.001, 1.0)):
        groups = groups_of(work_dir / f'iter_{at}.pth')
        assert [group['lr'] for group in groups] == pytest.approx([group['initial_lr'] * factor for group in groups])
        assert max(group['initial_lr'] for group in groups) == base * (1 if at < 3 else 2)
        assert len({group['initial_lr'] for group in groups}) > 5
    names = {parameter: name for name, parameter in runner.model.named_parameters()}
    found = {names[p]: group for group in runner.optim_wrapper.optimizer.param_groups for p in group['params']}
    assert found['squeeze.student.conv1.weight']['initial_lr'] == 0.001 * 0.25 ** 5
    assert {(group['initial_lr'], group['weight_decay']) for name, group in found.items()
            if name.startswith('squeeze.connectors.')} == {(0.002, 0)}
    assert set(found) == {name for name, p in runner.model.named_parameters() if p.requires_grad}


def test_the_log_has_a_table_of_each_phase_and_no_line_a_parameter(reference):
    log, = reference[0].glob('*/*.log')
    text = log.read_text()
    tables = re.findall(r'Parameter groups of (\w+), (\d+) tensors are frozen:\n *parts +lr +weight decay', text)
    assert [optimizer for optimizer, _ in tables] == ['SGD', 'AdamW']
    assert re.search(r'sub_backbones, reconciliation +0.0003125 +0.0001 +8 +4,784\n', text)
    assert re.search(r'connectors +0.002 +0 +6 +12,480\n', text)
    assert 'paramwise_options --' not in text and 'is skipped since' not in text


@pytest.mark.parametrize('at', [1, 2, 3])
def test_a_resumed_run_ends_with_the_same_weights(at, reference, toy_data, tmp_path):
    shutil.copy(reference[0] / f'iter_{at}.pth', tmp_path / 'from.pth')
    toy.train(trained(toy_data, tmp_path / 'run', EXPANSION, SQUEEZE, resume=True,
                      load_from=str(tmp_path / 'from.pth')))
    toy.assert_same_checkpoint(reference[0] / 'iter_4.pth', tmp_path / 'run' / 'iter_4.pth')
    assert groups_of(reference[0] / 'iter_4.pth') == groups_of(tmp_path / 'run' / 'iter_4.pth')


def test_a_resume_with_other_groups_is_refused(reference, toy_data, tmp_path):
    shutil.copy(reference[0] / 'iter_1.pth', tmp_path / 'from.pth')
    other = copy.deepcopy(EXPANSION)
    other['tasks'] = dict(det=dict(lr_mult=0.5))
    with pytest.raises(ValueError, match='parameter groups of the optimizer in the checkpoint are not'):
        toy.train(trained(toy_data, tmp_path / 'run', other, SQUEEZE, resume=True,
                          load_from=str(tmp_path / 'from.pth')))


def test_a_typo_in_the_squeeze_shows_before_the_run(toy_data, tmp_path):
    with pytest.raises(ValueError, match=r"squeeze is wrong: .*paramwise_cfg.parts names \['studnet'\]"):
        toy.train(trained(toy_data, tmp_path, EXPANSION, dict(parts=dict(studnet=dict(lr_mult=2)))))
