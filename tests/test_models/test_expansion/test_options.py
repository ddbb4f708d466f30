"""Every option of an expansion does something, given where a user gives it; those that no other file tests so."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

from tiny import resnet

pytestmark = pytest.mark.compat

TASKS = ('cls', 'det', 'seg')


def swin(**kwargs):
    return dict(type='mmdet.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), mlp_ratio=2,
                window_size=3, out_indices=(0, 1, 2, 3), **kwargs)


def conv_next(**kwargs):
    return dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64]),
                out_indices=(0, 1, 2, 3), gap_before_final_norm=False, **kwargs)


def vit(**kwargs):
    arch = dict(embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=32)
    return dict(type='mmpretrain.VisionTransformer', arch=arch, img_size=64, out_indices=[0, 1, 2, 3],
                out_type='featmap', **kwargs)


RESNETS = (resnet(), ) * 3


def build(cfgs=RESNETS, reconciliation=None, seed=0, **kwargs):
    torch.manual_seed(seed)
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict(zip(TASKS, cfgs)),
        reconciliation=reconciliation or {}, **kwargs))
    model.init_weights()
    return model


def links(model):
    return [link for by_other in model.reconciliation.links.values() for group in by_other.values()
            for link in group.values()]


def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def difference(model, other):
    """By level, how much the maps of a task differ."""
    with torch.no_grad():
        return [(a - b).abs().max().item() for a, b in zip(model(images(), 'cls'), other(images(), 'cls'))]


def test_final_relu_adds_nothing_negative():
    plain = build(reconciliation=dict(wiring='none')).eval()
    for final_relu in (True, False):
        model = build(reconciliation=dict(final_relu=final_relu, zero_init=False)).eval()
        with torch.no_grad():
            added = model(images(), 'cls')[0] - plain(images(), 'cls')[0]
        assert (added > 1e-3).any() and bool((added < -1e-3).any()) is not final_relu
        assert all((link.scale is not None) is final_relu for link in links(model))


@pytest.mark.parametrize('final_relu', [True, False])
def test_zero_init_decides_what_the_links_add_at_first(final_relu):
    plain = build(reconciliation=dict(wiring='none')).eval()
    zero, other = (build(reconciliation=dict(final_relu=final_relu, zero_init=z)).eval() for z in (True, False))
    assert difference(zero, plain) == [0.] * 4
    assert min(difference(other, plain)) > 1e-3


def test_norm_cfg_reaches_every_link_and_the_last_norm_starts_at_zero():
    model = build(reconciliation=dict(norm_cfg=dict(type='GN', num_groups=4, eps=0.5)))
    norms = [m for m in model.reconciliation.modules() if isinstance(m, (nn.GroupNorm, nn.BatchNorm2d))]
    assert len(norms) == 6 * (6 + 4)  # of each ordered pair six last ones, and those of four blocks of stride 2
    assert {(type(m), m.num_groups, m.eps) for m in norms} == {(nn.GroupNorm, 4, 0.5)}
    assert all(not link.projection.norm.weight.any() for link in links(model))
    assert difference(model.eval(), build(reconciliation=dict(wiring='none')).eval()) == [0.] * 4


@pytest.mark.parametrize('one, other, first', [
    (dict(wiring='paper'), dict(wiring='same_level'), 1), (dict(wiring='same_level'), dict(wiring='none'), 0),
    (dict(stages=(0, 1, 2)), dict(stages=(0, 1)), 2), (dict(stages=(0, )), dict(stages=()), 0),
    (dict(stages=(0, 1, 2, 3)), {}, 3),
], ids=str)
def test_stages_and_wiring_change_what_is_computed(one, other, first):
    models = [build(reconciliation=dict(zero_init=False, **settings)).eval() for settings in (one, other)]
    for link in (link for model in models for link in links(model)):  # in whatever order they are built
        for p in link.parameters():
            nn.init.constant_(p, 0.1)
    assert [d > 1e-4 for d in difference(*models)] == [level >= first for level in range(4)]


@pytest.mark.parametrize('output_stride', [8, 16])
def test_output_stride_changes_its_task_and_what_reads_it(output_stride):
    cfgs = [resnet(depth=50)] * 3
    model, plain = build(cfgs, output_stride=dict(seg=output_stride)), build(cfgs)
    sizes = {task: [f.shape[-1] for f in model.eval()(images(), task)] for task in TASKS}
    assert sizes == dict(cls=[16, 8, 4, 2], det=[16, 8, 4, 2], seg=[16, 8, *[64 // min(output_stride, s)
                                                                             for s in (16, 32)]])
    # Links start at zero, and a dilated bottleneck gives the strided values at its positions.
    step = 32 // output_stride
    with torch.no_grad():
        dilated, strided = model(images(), 'seg')[3], plain.eval()(images(), 'seg')[3]
    torch.testing.assert_close(dilated[..., ::step, ::step], strided, rtol=1e-4, atol=1e-5)
    blocks = {key: len(link.downsamples) for key, link in model.reconciliation.links['cls']['seg'].items()}
    assert blocks['2_to_2'] == (1 if output_stride == 8 else 0) and blocks['0_to_2'] == 2


@pytest.mark.parametrize('frozen', [(), ('det', ), TASKS], ids=str)
def test_frozen_sub_backbones_do_not_learn_and_the_others_do(frozen):
    model = build(reconciliation=dict(zero_init=False), frozen=frozen).train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for task in TASKS:
        sum(f.square().mean() for f in model(images(), task)).backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split('.')[1] for name in changed if name.startswith('sub_backbones')} == set(TASKS) - set(frozen)
    assert {name.split('.')[2] for name in changed if name.startswith('reconciliation')} == set(TASKS)


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_each_sub_backbone_is_loaded_from_its_own_file(tmp_path, prefix):
    # mmdet's Swin reads its file itself: only what stands there under `backbone.`, whatever the prefix.
    cfgs, files = (resnet(), swin() if prefix else conv_next(), vit()), {}
    source = build(cfgs, seed=7)
    for task, net in source.sub_backbones.items():
        files[task] = str(tmp_path / f'{task}.pth')
        torch.save(dict(state_dict={(prefix or '') + k: v for k, v in net.state_dict().items()}), files[task])
    pretrained = [dict(type='Pretrained', checkpoint=files[task], **(dict(prefix=prefix) if prefix else {}))
                  for task in TASKS]
    model = build([dict(cfg, init_cfg=init) for cfg, init in zip(cfgs, pretrained)])
    fresh = build(cfgs)
    for task in TASKS:
        own, wanted, other = (m.sub_backbones[task].state_dict() for m in (model, source, fresh))
        assert own.keys() == wanted.keys() and all(torch.equal(value, wanted[key]) for key, value in own.items())
        assert any(not torch.equal(value, other[key]) for key, value in own.items())
    assert all(not link.projection.norm.weight.any() for link in links(model))


def test_an_expansion_is_loaded_as_a_whole(tmp_path):
    source = build(reconciliation=dict(zero_init=False), seed=7)
    torch.save(source.state_dict(), tmp_path / 'expanded.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'expanded.pth'))
    model = build(init_cfg=init_cfg)
    wanted = source.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())
    assert all(link.projection.norm.weight.all() for link in links(model))  # what was learned is not set to zero
