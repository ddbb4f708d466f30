"""Sub-backbones of different families in one expansion; every registered family stands in one of the mixes."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from staged_checks import assert_trains_a_step
from tiny import resnet
from xlearner_mm.registry import STAGED_BACKBONES

pytestmark = pytest.mark.compat

INDICES = (0, 1, 2, 3)
HEADS = dict(num_heads=(1, 2, 2, 4), out_indices=INDICES, drop_path_rate=0.)
PYRAMID, TRAPEZOID = (4, 8, 16, 32), (16, ) * 4


def window(kind, pretrain):
    cfg = dict(type=kind, window_size=3, out_indices=INDICES, drop_path_rate=0.)
    if pretrain:
        more = dict(extra_norm_every_n_blocks=0) if kind.endswith('V2') else {}
        arch = dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4], **more)
        return dict(cfg, arch=arch, img_size=64, pad_small_map=True)
    return dict(cfg, embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), mlp_ratio=2)


def vit(kind):
    arch = dict(embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=32)
    return dict(type=kind, arch=arch, img_size=64, out_indices=list(INDICES), out_type='featmap')


def seg_vit(kind):
    return dict(type=kind, img_size=(64, 64), embed_dims=16, num_layers=4, num_heads=2, mlp_ratio=2,
                out_indices=INDICES)


def hr_net(kind):
    extra = dict(stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1, ), num_channels=(4, )))
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(num_modules=1, num_branches=n, block='BASIC', num_blocks=(1, ) * n,
                                  num_channels=(4, 8, 16, 32)[:n])
    return dict(type=kind, extra=extra, norm_eval=False)


def pvt(kind, **kwargs):
    return dict(type=kind, embed_dims=8, num_layers=[1] * 4, **HEADS, **kwargs)


def reg_net(kind, **kwargs):
    arch = dict(w0=8, wa=12.0, wm=2.0, group_w=8, depth=5, bot_mul=1.0)
    return dict(type=kind, arch=arch, stem_channels=8, base_channels=8, out_indices=INDICES, **kwargs)


def layers(kind, indices, **kwargs):
    return dict(type=kind, out_indices=indices, **kwargs)


MOBILE = dict(widen_factor=0.1)
CSP = dict(deepen_factor=0.1, widen_factor=0.125)
DILATED = dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), type='mmseg.ResNetV1c')
SMALL = dict(stem_channels=8, base_channels=8)

# Config and strides of the levels, written down and not asked of the package.
FAMILIES = {
    'det.MobileNet': (layers('mmdet.MobileNetV2', (1, 2, 4, 7), **MOBILE), PYRAMID),
    'seg.MobileNet': (layers('mmseg.MobileNetV2', (1, 2, 4, 6), **MOBILE), PYRAMID),
    'cls.MobileNet': (layers('mmpretrain.MobileNetV2', (1, 2, 4, 7), **MOBILE), PYRAMID),
    'CSPDarknet': (layers('mmdet.CSPDarknet', (1, 2, 3, 4), **CSP), PYRAMID),
    'CSPNeXt': (layers('mmdet.CSPNeXt', (1, 2, 3, 4), **CSP), PYRAMID),
    'Darknet': (layers('mmdet.Darknet', (2, 3, 4, 5), depth=53, norm_eval=False), PYRAMID),
    'CSPResNet': (layers('mmpretrain.CSPResNet', INDICES, depth=50), PYRAMID),
    'ViT': (vit('mmpretrain.VisionTransformer'), TRAPEZOID),
    'DeiT3': (vit('mmpretrain.DeiT3'), TRAPEZOID),
    'Distilled': (vit('mmpretrain.DistilledVisionTransformer'), TRAPEZOID),
    'BEiTViT': (vit('mmpretrain.BEiTViT'), TRAPEZOID),
    'EVA02': (vit('mmpretrain.ViTEVA02'), TRAPEZOID),
    'seg.ViT': (seg_vit('mmseg.VisionTransformer'), TRAPEZOID),
    'seg.BEiT': (seg_vit('mmseg.BEiT'), TRAPEZOID),
    'seg.MAE': (seg_vit('mmseg.MAE'), TRAPEZOID),
    'det.HRNet': (hr_net('mmdet.HRNet'), PYRAMID),
    'seg.HRNet': (hr_net('mmseg.HRNet'), PYRAMID),
    'cls.HRNet': (hr_net('mmpretrain.HRNet'), PYRAMID),
    'det.Swin': (window('mmdet.SwinTransformer', False), PYRAMID),
    'seg.Swin': (window('mmseg.SwinTransformer', False), PYRAMID),
    'cls.Swin': (window('mmpretrain.SwinTransformer', True), PYRAMID),
    'SwinV2': (window('mmpretrain.SwinTransformerV2', True), PYRAMID),
    'PVT': (pvt('mmdet.PyramidVisionTransformer', mlp_ratios=(2, ) * 4), PYRAMID),
    'PVTv2': (pvt('mmdet.PyramidVisionTransformerV2', mlp_ratios=(2, ) * 4), PYRAMID),
    'MiT': (pvt('mmseg.MixVisionTransformer', mlp_ratio=2), PYRAMID),
    'ConvNeXt': (dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64]),
                      out_indices=INDICES, layer_scale_init_value=0.5, gap_before_final_norm=False), PYRAMID),
    'ResNeSt': (resnet('mmdet', type='mmdet.ResNeSt', depth=50, radix=2, reduction_factor=2, base_width=8), PYRAMID),
    'det.RegNet': (reg_net('mmdet.RegNet', norm_eval=False), PYRAMID),
    'cls.RegNet': (reg_net('mmpretrain.RegNet'), PYRAMID),
    'seg.dilated': (resnet('mmseg', contract_dilation=True, **DILATED), (4, 8, 8, 8)),
    'det.ResNet': (resnet('mmdet'), PYRAMID),
    'cls.ResNet': (resnet('mmpretrain'), PYRAMID),
    'CIFAR': (layers('mmpretrain.ResNet_CIFAR', INDICES, depth=18, zero_init_residual=False, **SMALL), (1, 2, 4, 8)),
}
MIXES = [
    ('det.MobileNet', 'CSPDarknet', 'ViT'), ('seg.HRNet', 'det.Swin', 'PVTv2'), ('ConvNeXt', 'MiT', 'ResNeSt'),
    ('det.RegNet', 'Darknet', 'CSPResNet'), ('seg.dilated', 'SwinV2', 'seg.BEiT'),
    ('cls.MobileNet', 'det.HRNet', 'DeiT3'), ('seg.MobileNet', 'cls.Swin', 'EVA02'),
    ('cls.RegNet', 'seg.ViT', 'CSPNeXt'), ('cls.HRNet', 'BEiTViT', 'seg.Swin'),
    ('cls.ResNet', 'Distilled', 'seg.MAE'), ('CIFAR', 'PVT', 'det.ResNet'),
]
# round(log2(ratio of two strides)), at least 0.
HALVINGS = {1 / 16: 0, 1 / 8: 0, 1 / 4: 0, 1 / 2: 0, 1: 0, 2: 1, 4: 2, 8: 3, 16: 4}


@pytest.fixture(autouse=True)
def tiny_archs(monkeypatch):
    """Where depth and widths stand in the class."""
    channels = (32, 16, 16, 16, 32, 32)
    monkeypatch.setitem(MODELS.get('mmdet.Darknet').arch_settings, 53,
                        ((1, ) * 5, tuple(zip(channels[:-1], channels[1:]))))
    settings = MODELS.get('mmpretrain.CSPResNet').arch_settings
    monkeypatch.setitem(settings, 50, {**settings[50], 'in_channels': (8, 8, 16, 16),
                                       'out_channels': (8, 16, 16, 32), 'num_blocks': (1, ) * 4})


def stages_run(model):
    """Record what runs: (task, stage), or (task, 'whole') where the stock forward itself does."""
    ran = []
    for task, staged in model.staged.items():
        stage = staged.stage
        staged.stage = lambda i, x, task=task, stage=stage: ran.append((task, i)) or stage(i, x)
        staged.backbone.register_forward_hook(lambda *_, task=task: ran.append((task, 'whole')))
    return ran


def parameters_in_graph(outputs):
    """Ids of the parameters that a walk from the outputs to the leaves of the autograd graph meets."""
    found, seen, todo = set(), set(), [output.grad_fn for output in outputs]
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found |= {id(node.variable)} if hasattr(node, 'variable') else set()
            todo += [other for other, _ in node.next_functions]
    return found


@pytest.mark.parametrize('names', MIXES, ids='+'.join)
def test_a_mix_trains_a_step(names):
    model = assert_trains_a_step(*[FAMILIES[name][0] for name in names])
    strides = dict(zip('abc', [FAMILIES[name][1] for name in names]))
    for receiver, by_other in model.reconciliation.links.items():
        assert list(by_other) == [task for task in 'abc' if task != receiver]
        for other, links in by_other.items():
            blocks = {key: len(link.downsamples) for key, link in links.items()}
            assert blocks == {f'{j}_to_{i}': HALVINGS[strides[receiver][i] / strides[other][j]]
                              for i in range(3) for j in range(i + 1)}


@pytest.mark.parametrize('names', MIXES, ids='+'.join)
def test_others_run_once_and_keep_no_graph(names):
    torch.manual_seed(0)
    model = build(names).train()
    ran, images = stages_run(model), torch.randn(2, 3, 64, 64)
    for task in model.tasks:
        ran.clear()
        features = model(images, task)
        expected = []
        for other in [t for t in 'abc' if t != task] + [task]:
            staged = model.staged[other]
            stages = range(staged.num_stages if other == task else staged.levels[2] + 1)
            whole = 'HRNet' in names['abc'.index(other)]
            expected += [(other, 'whole')] if whole else [(other, stage) for stage in stages]
        assert ran == expected
        reached = parameters_in_graph(model.staged[task].level_maps(features))
        own = {id(p) for p in model.sub_backbones[task].parameters()}
        links = {id(p) for p in model.reconciliation.links[task].parameters()}
        assert links <= reached and reached & own and reached <= own | links


def build(names, **reconciliation):
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict(zip('abc', [FAMILIES[name][0] for name in names])),
        reconciliation=dict(zero_init=False, **reconciliation)))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def level_modules(net, name):
    """Modules of a stock backbone whose outputs are the levels; none for HRNet, whose outputs themselves are."""
    if 'HRNet' in name:
        return []
    if name == 'ViT':
        return list(net.layers)
    if name == 'CSPNeXt':
        return [net.stage1, net.stage2, net.stage3, net.stage4]
    if 'MobileNet' in name:
        return [net.layer2, net.layer3, net.layer5, net.conv2]  # the last convolution, in mmdet and mmpretrain
    return [net.layer1, net.layer2, net.layer3, net.layer4]


def stock_pass(net, name, x, added=None):
    """Run a stock forward; hooks add to the levels, so that the next stage reads the sum. Gives the levels' maps."""
    maps = []

    def of_map(level, y):
        maps.append(y if added is None else y + added(level, y.shape[-2:]))
        return maps[-1]

    def of_tokens(level, y, size):
        patches = of_map(level, y[:, 1:].transpose(1, 2).reshape(len(y), -1, *size))
        return torch.cat([y[:, :1], patches.flatten(2).transpose(1, 2)], 1)

    size = tuple(-(-s // 16) for s in x.shape[-2:])  # patches are padded
    hooks = [module.register_forward_hook(
        lambda _, __, y, i=i: of_tokens(i, y, size) if name == 'ViT' else of_map(i, y))
        for i, module in enumerate(level_modules(net, name))]
    outputs = net(x)
    for hook in hooks:
        hook.remove()
    if not hooks:
        for level, y in enumerate(outputs):
            of_map(level, y)
    return maps


def naive(model, names, x, task, same_level):
    """Figure 2a around stock forwards."""
    names = dict(zip('abc', names))
    plain = {t: stock_pass(net, names[t], x) for t, net in model.sub_backbones.items() if t != task}

    def added(level, size):
        total = 0
        for other, maps in plain.items():
            for j in range(level if same_level else 0, level + 1) if level < 3 else ():
                link, z = model.reconciliation.links[task][other][f'{j}_to_{level}'], maps[j]
                for block in link.downsamples:
                    z = F.relu(block.norm(block.conv(z)))
                z = link.projection.norm(link.projection.conv(z))
                if z.shape[-2:] != size:
                    z = F.interpolate(z, size, mode='bilinear', align_corners=False)
                total = total + z
        return total

    return stock_pass(model.sub_backbones[task], names[task], x, added)


@pytest.mark.parametrize('names, wiring, size, evened_out', [
    (('det.ResNet', 'ViT', 'det.MobileNet'), 'paper', (64, 64), True),
    (('det.ResNet', 'ViT', 'det.MobileNet'), 'paper', (75, 53), True),
    (('seg.HRNet', 'det.RegNet', 'seg.dilated'), 'paper', (75, 53), True),
    (('CSPNeXt', 'cls.MobileNet', 'det.ResNet'), 'same_level', (75, 53), False),
], ids=['tokens', 'tokens, odd', 'HRNet, odd', 'same_level, odd'])
def test_equals_a_naive_reference(monkeypatch, names, wiring, size, evened_out):
    torch.manual_seed(0)
    model = build(names, wiring=wiring).eval().double()
    x, interpolated = torch.randn(2, 3, *size, dtype=torch.double), []
    interpolate = F.interpolate
    monkeypatch.setattr(F, 'interpolate', lambda y, size, *args, **kwargs: interpolated.append(
        y.shape[1]) or interpolate(y, size, *args, **kwargs))
    with torch.no_grad():
        for task in model.tasks:
            own = model.staged[task].level_maps(model(x, task))
            reference = naive(model, names, x, task, wiring == 'same_level')
            plain = stock_pass(model.sub_backbones[task], dict(zip('abc', names))[task], x)
            assert len(own) == len(reference) == 4
            for a, b in zip(own, reference):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
            assert all((a - b).abs().max() > 1e-2 for a, b in zip(own[:3], plain[:3]))
    assert bool(interpolated) is evened_out


def test_every_registered_family_is_in_a_mix():
    mixed = set()
    for name in {name for mix in MIXES for name in mix}:
        owner = next(c for c in MODELS.get(FAMILIES[name][0]['type']).__mro__ if 'forward' in vars(c))
        mixed.add(f'{owner.__module__.split(".")[0]}:{owner.__name__}')
    registered = {key for key, adapter in STAGED_BACKBONES.module_dict.items()
                  if adapter.__module__.startswith('xlearner_mm.')}  # not those of a user's project
    assert registered == mixed, 'Put the new family into FAMILIES and MIXES above.'
