"""What every staged backbone must show, whatever its family."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

from xlearner_mm.models import ExpandedBackbone
from xlearner_mm.models.expansion import build_staged_backbone


def build(cfg: dict, training: bool = True) -> Any:
    """The same backbone at every call with the same config; its BN statistics and drop path are no trivial ones."""
    torch.manual_seed(0)
    backbone = MODELS.build(ConfigDict(cfg))
    for module in backbone.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    backbone.train(training)
    return backbone


def assert_equals_stock(cfg: dict, training: bool, num_stages: int, size: tuple = (64, 64),
                        output: str = 'maps', tolerance: float = 0) -> None:
    """Outputs, gradients and statistics are the stock forward's bit for bit, for all indices and for each one.

    Where what a stage gives is read three times, gradients are the same sum in another order: within a tolerance.
    """
    images = torch.randn(2, 3, *size)
    stock, other = build(cfg, training), build(cfg, training)
    staged = build_staged_backbone(other)
    assert staged.num_stages == num_stages
    for indices in [*((i, ) for i in range(num_stages)), tuple(range(num_stages))]:
        if 'out_indices' in cfg:
            stock.out_indices = indices
        torch.manual_seed(1)
        expected = stock(images)
        expected = expected if isinstance(expected, (list, tuple)) else (expected, )  # mmseg's MobileNetV2
        expected = expected if 'out_indices' in cfg else [expected[i] for i in indices]
        torch.manual_seed(1)
        own = staged.emit(staged.features(images), indices, output)
        assert isinstance(own, tuple) and len(own) == len(expected) == len(indices)
        assert all(torch.equal(a, b) for a, b in zip(flat(own), flat(expected), strict=True))
    for outputs in (expected, own):
        sum(f.square().mean() for f in flat(outputs)).backward()
    _assert_same(stock, other, tolerance)


def flat(outputs: Any) -> list[torch.Tensor]:
    """All tensors; a stage of some vision transformers gives two."""
    return [outputs] if isinstance(outputs, torch.Tensor) else [x for output in outputs for x in flat(output)]


def _assert_same(stock: nn.Module, other: nn.Module, tolerance: float) -> None:
    state = other.state_dict()
    assert list(stock.state_dict()) == list(state)
    assert all(torch.equal(value, state[key]) for key, value in stock.state_dict().items())
    for (name, a), (_, b) in zip(stock.named_parameters(), other.named_parameters()):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            most = tolerance * a.grad.abs().max().item()
            torch.testing.assert_close(b.grad, a.grad, rtol=tolerance, atol=most, msg=name)


def assert_leaves_no_trace(adapter: type, cfg: dict, channels: tuple, strides: tuple) -> None:
    """Finding the shapes changes neither state dict nor flags, and the shapes are right."""
    backbone = build(cfg)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    flags = [m.training for m in backbone.modules()]
    staged = build_staged_backbone(backbone)
    shapes = staged.shapes()
    assert type(staged) is adapter
    assert tuple(s.channels for s in shapes) == channels
    assert tuple(s.stride for s in shapes) == strides
    assert list(backbone.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())
    assert flags == [m.training for m in backbone.modules()]


def assert_trains_a_step(*cfgs: dict, size: int = 64, **reconciliation: Any) -> ExpandedBackbone:
    """An expansion of these backbones does a step, and every link and every sub-backbone learns from it."""
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(zip('abc', cfgs)),
        reconciliation=dict(zero_init=False, **reconciliation)))
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    images = torch.randn(2, 3, size, size)
    for task in model.tasks:
        features = model(images, task)
        sum((f * torch.randn_like(f)).mean() for f in model.staged[task].level_maps(features)).backward()
    parts = [model.sub_backbones[task] for task in model.tasks] + [
        link for by_other in model.reconciliation.links.values() for links in by_other.values()
        for link in links.values()]
    before = [[p.detach().clone() for p in part.parameters()] for part in parts]
    optimizer.step()
    for part, old in zip(parts, before):
        new = list(part.parameters())
        assert all(torch.isfinite(p).all() for p in new)
        assert any(p.grad is not None and p.grad.any() and not torch.equal(p, q) for p, q in zip(new, old))
    return model


def train_a_step(*cfgs: dict, **reconciliation: Any) -> set[str]:
    """An expansion does a step for its first task; the rate is high, for float32 norms of transformers to change.

    Returns:
        set[str]: Tasks whose sub-backbones got a gradient.
    """
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict(zip('abc', cfgs)),
        reconciliation=dict(zero_init=False, **reconciliation)))
    model.init_weights()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    maps = model.staged['a'].emit(model(torch.randn(2, 3, 64, 64), 'a'), (0, 1, 2, 3), 'maps')
    sum((m * torch.randn(m.shape)).mean() for m in maps).backward()
    optimizer.step()
    links = {n for n in before if n.startswith('reconciliation.links.a.')}
    learned = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert links and links <= learned
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert all(not torch.equal(p, before[n]) for n, p in model.named_parameters() if n in links and 'weight' in n)
    assert {n for n in before if n.startswith('sub_backbones.a.')} == {
        n for n, p in model.named_parameters() if p.grad is not None and n.startswith('sub_backbones.a.')}
    return {n.split('.')[1] for n in learned if n.startswith('sub_backbones.')}
