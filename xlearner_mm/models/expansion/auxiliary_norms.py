"""Batch statistics of the auxiliary passes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.model import BaseModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..keyed_module_dict import KeyedModuleDict
from .staged_backbone import plain_pass


class AuxiliaryNorms(BaseModule):
    """Keep a set of running statistics of a sub-backbone's BN for each task whose links read it (ours).

    Images of another task have other statistics than the sub-backbone's own. In training an auxiliary pass is
    normalised by its own batch and updates the set of its task; weight and bias stay those of the sub-backbone. A layer
    that was never updated, because it is frozen, goes on with the sub-backbone's own statistics.

    Args:
        backbone (nn.Module): The sub-backbone; it is not registered here.
        readers (Sequence[str]): Tasks whose links read it.
    """

    def __init__(self, backbone: nn.Module, readers: Sequence[str]) -> None:
        super().__init__()
        # Past nn.Module's bookkeeping: the parameters stand once, in the sub-backbone.
        object.__setattr__(self, '_norms', [
            m for m in backbone.modules() if isinstance(m, _BatchNorm) and m.track_running_stats])
        self.sets = KeyedModuleDict({reader: nn.ModuleList(map(_Statistics, self._norms)) for reader in readers})

    @contextmanager
    def reading_for(self, reader: str, backbone: nn.Module) -> Iterator[None]:
        """Run a block as a plain pass of the sub-backbone, but for BN, which uses the statistics of a task.

        Args:
            reader (str): The task.
            backbone (nn.Module): The sub-backbone.
        """
        trained = [norm.training for norm in self._norms]
        kept = [norm._buffers for norm in self._norms]
        with plain_pass(backbone):
            try:
                for norm, statistics, training in zip(self._norms, self.sets[reader], trained, strict=True):
                    if training or statistics.num_batches_tracked > 0:
                        norm._buffers = statistics._buffers
                    norm.training = training
                yield
            finally:
                for norm, buffers in zip(self._norms, kept, strict=True):
                    norm._buffers, norm.training = buffers, False


class _Statistics(nn.Module):
    """The buffers of a BN layer, as they are before training."""

    num_batches_tracked: torch.Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.register_buffer('running_mean', torch.zeros(norm.num_features))
        self.register_buffer('running_var', torch.ones(norm.num_features))
        self.register_buffer('num_batches_tracked', torch.tensor(0, dtype=torch.long))
