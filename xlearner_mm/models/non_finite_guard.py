"""What happens when a loss or a gradient is not finite."""

import logging
from collections.abc import Mapping, Sequence
from typing import Optional

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

_MEND = ('resume from one with finite weights, with a lower learning rate, gradient clipping '
         '(optim_wrapper.clip_grad) or a lower loss_weight, or look for bad labels in the batch')


class NonFiniteGuard:
    """Skip optimizer steps whose losses or gradients are not finite, and stop after too many (ours).

    A skipped step leaves weights, optimizer and running statistics as they were.

    Args:
        sources (Sequence[str]): All sources.
        limit (int): So many steps of a source may be skipped.

    Attributes:
        counts (dict[str, int]): Skipped steps by source; plain values for a checkpoint.
    """

    def __init__(self, sources: Sequence[str], limit: int = 0) -> None:
        self.sources = list(sources)
        self.limit = limit
        self.counts: dict[str, int] = {}
        self._losses: dict[str, Tensor] = {}
        self._parts: dict[str, Tensor] = {}
        self._saved: list[Tensor] = []
        self._buffers: list[Tensor] = []

    def open(self, model: nn.Module) -> None:
        """Begin with the iterations that lead to an optimizer step.

        Args:
            model (nn.Module): The model; its running statistics are kept for the case that the step is skipped.
        """
        self._losses, self._parts = {}, {}
        if self.limit > 0:
            self._buffers = list(model.buffers())  # counters, too: averages are computed with some of them
            if list(map(_kind, self._saved)) != list(map(_kind, self._buffers)):
                self._saved = [torch.empty_like(b) for b in self._buffers]
            if self._buffers:
                torch._foreach_copy_(self._saved, self._buffers)

    def watch(self, source: str, loss: Tensor, parts: Mapping[str, Tensor]) -> None:
        """Take note of a source's loss; nothing waits for a device.

        Args:
            source (str): The source.
            loss (Tensor): Scalar, detached.
            parts (Mapping[str, Tensor]): What it consists of, to be told.
        """
        self._losses[source] = self._losses[source] + loss if source in self._losses else loss
        # Added up as the loss: what was not finite in an earlier iteration is told, too.
        self._parts.update({key: self._parts.get(key, 0) + value for key, value in parts.items()})

    def flags(self) -> Tensor:
        """Tell the sources whose loss is not finite.

        Returns:
            Tensor: Integers ``(S, )``, 1 for such a source, in the order of all sources.
        """
        some = next(iter(self._losses.values()))
        zero = torch.zeros_like(some)
        return (~torch.isfinite(torch.stack([self._losses.get(s, zero) for s in self.sources]))).int()

    def broken_gradients(self, parameters: Sequence[nn.Parameter], branches: Mapping[str, nn.Module]) -> list[str]:
        """Find gradients that are not finite, after they were averaged over the ranks.

        Args:
            parameters (Sequence[Parameter]): All trained parameters.
            branches (Mapping[str, nn.Module]): Stock model by source.

        Returns:
            list[str]: Sources whose branch has such a gradient; all of this step if only shared parameters have.
        """
        if _finite(parameters):
            return []
        present = [source for source in branches if source in self._losses]
        return [s for s in present if not _finite(list(branches[s].parameters()))] or present

    def skip(self, sources: Sequence[str], what: str) -> None:
        """Count a step that is not applied.

        Args:
            sources (Sequence[str]): Sources that are to blame.
            what (str): What is not finite: ``loss`` or ``gradient``.

        Raises:
            FloatingPointError: If it is one too many.
        """
        for source in sources:
            self.counts[source] = self.counts.get(source, 0) + 1
        names = ', '.join(map(repr, sources))
        parts = {key: float(value) for key, value in self._parts.items() if key.split('.', 1)[0] in sources}
        where = self._where(sources, what)
        text = f'The {what} of source {names} is not finite{where}: {parts}. The step was not applied'
        if any(self.counts[source] > self.limit for source in sources):
            raise FloatingPointError(
                f'{text} and the checkpoints are as they were: {_MEND}. Steps skipped so far: {self.counts}, allowed '
                f'train_cfg.max_non_finite={self.limit} a source.')
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._saved)
        print_log(f'{text}; skipped so far: {self.counts} (train_cfg.max_non_finite={self.limit} a source).',
                  logger='current', level=logging.WARNING)

    def _where(self, sources: Sequence[str], what: str) -> str:
        losses = [self._losses[s] for s in sources if s in self._losses]
        here = what != 'loss' or any(not torch.isfinite(loss) for loss in losses)
        return '' if here else ' on another rank; here'


def _finite(parameters: Sequence[nn.Parameter]) -> bool:
    """Whether all gradients are finite, by one pass over them."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return True
    norms = torch.stack([norm.float() for norm in torch._foreach_norm(gradients)])
    # The square of a large number is infinite, and the number is not: look closer, which is rare.
    return bool(norms.isfinite().all()) or all(bool(gradient.isfinite().all()) for gradient in gradients)


def _kind(tensor: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return tensor.shape, tensor.dtype, tensor.device


def loss_scale(optim_wrapper: object) -> Optional[float]:
    """Give the scale of the losses under fp16.

    Args:
        optim_wrapper (OptimWrapper): Wrapper of the optimizer.

    Returns:
        float or None: The present scale if it changes by itself (its overflows are no errors, they lower it); None
        otherwise.
    """
    scaler = getattr(optim_wrapper, 'loss_scaler', None)
    if scaler is None or getattr(optim_wrapper, '_scale_update_param', None) is not None:
        return None
    return float(scaler.get_scale())
