"""A wrapper that scales losses as fp16 does; mmengine's own refuses the CPU."""

from typing import Any, Optional

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn


class Scaler:
    """Lowers its scale by half after each step whose gradients are not finite, which it does not apply."""

    def __init__(self, scale: float) -> None:
        self.value = scale
        self.scales: list[float] = []
        self._found = False

    def scale(self, loss: Tensor) -> Tensor:
        return loss * self.value

    def get_scale(self) -> float:
        return self.value

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        self._found = not all(bool(g.isfinite().all()) for g in gradients)
        if not self._found:
            torch._foreach_div_(gradients, self.value)
            optimizer.step()

    def update(self, fixed: Optional[float]) -> None:
        self.value = fixed if fixed is not None else self.value / 2 if self._found else self.value
        self.scales.append(self.value)


class ScaledWrapper(OptimWrapper):
    """As mmengine's AmpOptimWrapper, without a GPU and without autocast."""

    def __init__(self, scale: float, fixed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = Scaler(scale)
        self._scale_update_param = scale if fixed else None

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update(self._scale_update_param)


def in_half(parameter: nn.Parameter) -> None:
    """Let the gradients of a parameter pass through 16 bits: what is beyond 65504 is infinite then."""
    parameter.register_hook(lambda gradient: gradient.half().float())
