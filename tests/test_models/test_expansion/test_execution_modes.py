"""Memory formats, autocast, compilation and checkpointing of an expansion, and work that it need not do."""

import shutil

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from tiny import batches, resnet, xlearner
from xlearner_mm.models import ReconciliationLayer

pytestmark = pytest.mark.compat

TASKS = ('cls', 'det', 'seg')
LAST = torch.channels_last


def swin(**kwargs):
    return dict(type='mmdet.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), mlp_ratio=2,
                window_size=3, drop_path_rate=0., out_indices=(0, 1, 2, 3), **kwargs)


def conv_next(**kwargs):
    return dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64]),
                out_indices=(0, 1, 2, 3), layer_scale_init_value=0.5, gap_before_final_norm=False, **kwargs)


def vit(**kwargs):
    arch = dict(embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=32)
    return dict(type='mmpretrain.VisionTransformer', arch=arch, img_size=64, out_indices=[0, 1, 2, 3],
                out_type='featmap', **kwargs)


def hr_net():
    extra = dict(stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1, ), num_channels=(4, )))
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(num_modules=1, num_branches=n, block='BASIC', num_blocks=(1, ) * n,
                                  num_channels=(4, 8, 16, 32)[:n])
    return dict(type='mmseg.HRNet', extra=extra, norm_eval=False)


RESNETS, MIX = (resnet(), ) * 3, (swin(), conv_next(), vit())


def build(cfgs=RESNETS, reconciliation=None, **kwargs):
    """The same expansion at every call; BN statistics are no trivial ones."""
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict(zip(TASKS, cfgs)),
        reconciliation={'zero_init': False, **(reconciliation or {})}, **kwargs))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def images(size=64):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def maps(model, x, task='seg'):
    return model.staged[task].level_maps(model(x, task))


def step(model, x, task='seg'):
    """Gradients of a training step, in float32."""
    outputs = maps(model.train(), x, task)
    g = torch.Generator().manual_seed(2)
    sum((o.float() * torch.randn(o.shape, generator=g)).mean() for o in outputs).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_near(one, other, tolerance):
    """All values of a map, or of a gradient, to a share of the largest one."""
    assert one.shape == other.shape
    assert (one.float() - other.float()).abs().max() <= tolerance * other.float().abs().max() + 1e-12


def assert_same_gradients(one, other, tolerance=1e-5):
    assert one.keys() == other.keys() and any(name.startswith('reconciliation') for name in one)
    most = max(g.abs().max() for g in other.values())
    for name, grad in one.items():
        torch.testing.assert_close(grad, other[name], rtol=tolerance, atol=(tolerance * most).item(), msg=name)


def links_seen(model):
    """Inputs and outputs of the links that run."""
    seen = []
    for module in model.modules():
        if isinstance(module, ReconciliationLayer):
            module.register_forward_hook(lambda _, args, out: seen.append((args[0], out)))
    return seen


@pytest.mark.parametrize('training', [True, False])
def test_channels_last_goes_through_links(training):
    model, expected = build().to(memory_format=LAST).train(training), maps(build().train(training), images())
    seen = links_seen(model)
    outputs = maps(model, images().contiguous(memory_format=LAST))
    assert len(seen) == 12 and len(outputs) == 4
    tensors = [*outputs, *(t for pair in seen for t in pair)]
    assert all(t.is_contiguous(memory_format=LAST) and not t.is_contiguous() for t in tensors)
    assert all(f.is_contiguous() for f in expected)
    for a, b in zip(outputs, expected):
        assert_near(a, b, 1e-5)


@pytest.mark.parametrize('cfgs', [RESNETS, MIX], ids=['ResNets', 'mix'])
def test_channels_last_trains_as_well(cfgs):
    last, plain = build(cfgs).to(memory_format=LAST), build(cfgs)
    x = images().contiguous(memory_format=LAST)
    for a, b in zip(maps(last.eval(), x), maps(plain.eval(), images())):
        assert_near(a, b, 1e-5)
    assert_same_gradients(step(last, x), step(plain, images()), 1e-4)


@pytest.mark.parametrize('cfgs', [RESNETS, MIX], ids=['ResNets', 'mix'])
def test_autocast_to_bfloat16(cfgs):
    low, full = build(cfgs).eval(), build(cfgs).eval()
    seen, passed = links_seen(low), []
    for module in low.sub_backbones['det'].modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, out: passed.append(out.dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = maps(low, images())
    expected = maps(full, images())
    assert set(passed) == {torch.bfloat16}  # the auxiliary pass, too
    assert {out.dtype for _, out in seen} == {torch.bfloat16}
    if cfgs is RESNETS:  # elsewhere norms decide
        assert {f.dtype for f in outputs} == {source.dtype for source, _ in seen} == {torch.bfloat16}
    for a, b in zip(outputs, expected):
        assert_near(a, b, 0.06)
        assert not torch.equal(a.float(), b)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = maps(low.train(), images())
    sum(f.float().square().mean() for f in outputs).backward()
    grads = [p.grad for p in low.parameters() if p.grad is not None]
    assert grads and all(g.dtype == torch.float32 and torch.isfinite(g).all() for g in grads)
    assert all(p.grad is not None for p in low.reconciliation.links['seg'].parameters())


def test_autocast_of_a_whole_model():
    torch.manual_seed(0)
    model = MODELS.build(xlearner(squeeze=False)).eval()  # no dropout
    data = model.data_preprocessor(batches(), True)
    full = {k: v for k, v in model(**data, mode='loss').items() if 'loss' in k}
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = {k: v for k, v in model(**data, mode='loss').items() if 'loss' in k}
    assert full.keys() == low.keys() and len(full) == 5
    for key, value in low.items():
        torch.testing.assert_close(value.float(), full[key], rtol=0.05, atol=0.01, msg=key)
    assert any(not torch.equal(low[key].float(), full[key]) for key in low)
    sum(low.values()).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert len(grads) > 100 and all(g.dtype == torch.float32 and torch.isfinite(g).all() for g in grads)


def test_one_autocast_around_all_sources_keeps_every_gradient():
    """Torch 2.1 keeps weights that it cast without gradients, in an auxiliary pass, for the pass that trains them."""
    torch.manual_seed(0)
    model = MODELS.build(xlearner(squeeze=False)).train()
    data = model.data_preprocessor(batches(), True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


# One graph; the dynamo of torch 2.1 does not look into context managers of ours, but into what is between them.
WHOLE = tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 6)


@pytest.fixture
def two_blocks(monkeypatch):
    """ResNets of two stages of a block each: compiling takes its time by the operation."""
    settings = MODELS.get('mmdet.ResNet').arch_settings
    monkeypatch.setitem(settings, 18, (settings[18][0], (1, ) * 4))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield (resnet(num_stages=2, out_indices=(0, 1), strides=(1, 2), dilations=(1, 1)), ) * 2
    torch._dynamo.reset()


def compare_compiled(cfgs, training, backend, tolerance=1e-5, **kwargs):
    """Outputs, gradients and statistics are the eager ones. Gives numbers of graphs after each call, and of breaks."""
    eager, model = (build(cfgs, dict(stages=range(cfgs[0]['num_stages'])), **kwargs).train(training) for _ in range(2))
    compiled, counters, graphs = torch.compile(model, backend=backend), torch._dynamo.utils.counters, []
    for _ in range(3):
        outputs, expected = compiled(images(32), 'det'), eager(images(32), 'det')
        assert len(outputs) == len(expected) == cfgs[0]['num_stages']
        for a, b in zip(outputs, expected):
            assert_near(a, b, tolerance)
        graphs.append(counters['stats']['unique_graphs'])
    if training:
        for features in (outputs, expected):
            sum(f.square().mean() for f in features).backward()
        assert_same_gradients(*({n: p.grad for n, p in m.named_parameters() if p.grad is not None}
                                for m in (model, eager)), tolerance=tolerance)
    for one, other in zip(model.buffers(), eager.buffers()):
        assert_near(one, other, tolerance)
    return graphs, sum(counters['graph_break'].values())


@pytest.mark.parametrize('training, kwargs', [
    (True, {}), (False, {}), (True, dict(output_stride=dict(det=4))), (True, dict(auxiliary_norm='per_task')),
    (False, dict(auxiliary_norm='per_task')),
], ids=str)
def test_compiled(two_blocks, training, kwargs):
    graphs, breaks = compare_compiled(two_blocks, training, 'aot_eager', **kwargs)
    assert graphs[0] > 0 and graphs[1] == graphs[2]
    if WHOLE:
        # In evaluation AuxiliaryNorms asks a tensor whether a set was ever updated: one break.
        expected = 1 if kwargs.get('auxiliary_norm') and not training else 0
        assert (graphs, breaks) == ([1 + expected] * 3, expected)
    else:  # torch 2.1 compiles for any number where it first took the stage's as a constant
        assert graphs[2] <= 20 and breaks <= 20


@pytest.mark.skipif(not shutil.which('g++'), reason='inductor needs a C++ compiler')
def test_compiled_by_inductor(two_blocks):
    one = resnet(num_stages=1, out_indices=(0, ), strides=(1, ), dilations=(1, ))
    with torch.no_grad():  # a backward would take as long again to compile
        graphs, _ = compare_compiled((one, ) * 2, False, 'inductor')
    assert graphs[0] > 0 and graphs[1] == graphs[2]


def held_bytes(model, x):
    """Gradients of a step, and the bytes of the storages that autograd held for it beside parameters."""
    own = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}
    held = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)  # kept, so that no address is used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = maps(model.train(), x)
    g = torch.Generator().manual_seed(2)
    sum((o * torch.randn(o.shape, generator=g)).mean() for o in outputs).backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return grads, sum(size for size, _ in held.values())


@pytest.mark.parametrize('cfg', [resnet, swin, conv_next], ids=lambda cfg: cfg.__name__)
def test_gradient_checkpointing_holds_less(cfg):
    plain, plain_bytes = held_bytes(build([cfg()] * 3), images())
    again, bytes_ = held_bytes(build([cfg(with_cp=True)] * 3), images())
    assert_same_gradients(again, plain)
    assert 0 < bytes_ < 0.8 * plain_bytes  # the links hold their own


@pytest.mark.parametrize('reconciliation', [dict(wiring='none'), dict(stages=())], ids=str)
@pytest.mark.parametrize('auxiliary_norm', ['shared', 'per_task'])
def test_without_links_no_other_sub_backbone_runs(reconciliation, auxiliary_norm):
    model, ran = build(MIX, reconciliation, auxiliary_norm=auxiliary_norm), set()
    for task, net in model.sub_backbones.items():
        for module in net.modules():
            module.register_forward_hook(lambda *_, task=task: ran.add(task))
    for task in TASKS:
        ran.clear()
        model(images(), task)
        assert ran == {task}
    assert not list(model.reconciliation.parameters())


def forwards(net):
    calls = []
    net.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize('last_level', [2, None])
def test_an_hr_net_as_teacher_runs_once(last_level):
    model = build((hr_net(), resnet(), hr_net())).eval()
    calls = {task: forwards(model.sub_backbones[task]) for task in ('cls', 'seg')}
    with torch.no_grad():
        model.forward_tasks(images(), TASKS, last_level)
    assert {task: len(c) for task, c in calls.items()} == dict(cls=1, seg=1)
