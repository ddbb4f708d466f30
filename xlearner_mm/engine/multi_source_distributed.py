"""Data-parallel training of a model that does several backward passes a step."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, all_reduce_params, broadcast
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from xlearner_mm.models import XLearner
from xlearner_mm.registry import MODEL_WRAPPERS
from xlearner_mm.utils import Key


@MODEL_WRAPPERS.register_module()
class MultiSourceDistributed(nn.Module):
    """Average gradients over ranks once a step, after the last source's backward (ours).

    ``DistributedDataParallel`` with one backward a source gives silently wrong gradients on some versions of torch
    and errors on others. Every rank must have the same sources in a step. N ranks equal N batches in turn on one
    process for models that normalise their losses by the rank's own samples, as Faster R-CNN does; some others, as
    FCOS, share their numbers of positives among the ranks.

    Args:
        module (XLearner): The model.
    """

    module: XLearner

    def __init__(self, module: XLearner) -> None:
        super().__init__()
        self.module = module
        _broadcast([*module.parameters(), *module.buffers()])

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        Args:
            *args: Arguments of the model's ``forward``.
            **kwargs: Keyword arguments of it.

        Returns:
            Any: What it returns.
        """
        return self.module(*args, **kwargs)

    def train_step(self, data: Mapping[str, Any], optim_wrapper: OptimWrapper,
                   random_key: Sequence[Key] = (), step: int = 0) -> dict[str, Tensor]:
        """Do a train step of the model whose gradients are averaged over the ranks.

        Afterwards running statistics are those of rank 0, as its checkpoint has them.

        Args:
            data (Mapping[str, dict]): Batch of this rank by source.
            optim_wrapper (OptimWrapper): Wrapper of the optimizer.
            random_key (Sequence): See :meth:`XLearner.train_step`.
            step (int): See :meth:`XLearner.train_step`.

        Returns:
            dict[str, Tensor]: Scalars of this rank to log.
        """
        logged = self.module.train_step(data, optim_wrapper, random_key, step, self.reduce_gradients)
        _broadcast(self.module.buffers())
        return logged

    def val_step(self, data: Mapping[str, Any]) -> list[Any]:
        """Predict a batch of one source.

        Args:
            data (Mapping): See :meth:`XLearner.val_step`.

        Returns:
            list: Stock data samples with predictions.
        """
        return self.module.val_step(data)

    def test_step(self, data: Mapping[str, Any]) -> list[Any]:
        """Predict a batch of one source.

        Args:
            data (Mapping): See :meth:`XLearner.val_step`.

        Returns:
            list: Stock data samples with predictions.
        """
        return self.module.test_step(data)

    def reduce_gradients(self) -> None:
        """Average the gradients over the ranks.

        A parameter without a gradient on every rank keeps none, so that the optimizer passes over it as on one
        process; one that has it on some ranks only counts as zero on the others.
        """
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=parameters[0].device)
        all_reduce(used, 'max')
        gradients = []
        for parameter, is_used in zip(parameters, used.tolist(), strict=True):
            if is_used:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        all_reduce_params(gradients, coalesce=True, op='mean')


def _broadcast(tensors: Iterable[Tensor]) -> None:
    """Give every rank the values of rank 0, in one message a data type."""
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        by_type.setdefault(tensor.dtype, []).append(tensor.detach())
    for group in by_type.values():
        flat = torch.cat([t.reshape(-1) for t in group])
        broadcast(flat, src=0)
        for tensor, values in zip(group, flat.split([t.numel() for t in group]), strict=True):
            tensor.copy_(values.view_as(tensor))
