"""Data-parallel training of a model that does several backward passes a step."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmengine.dist import all_reduce, broadcast, is_distributed
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from xlearner_mm.models import GradientReducer, XLearner
from xlearner_mm.registry import MODEL_WRAPPERS
from xlearner_mm.utils import Key

from .bucketed_reducer import BucketedReducer


@MODEL_WRAPPERS.register_module()
class MultiSourceDistributed(nn.Module):
    """Average gradients over ranks once a step, while the backward passes of the sources go on (ours).

    ``DistributedDataParallel`` with one backward a source gives silently wrong gradients on some versions of torch
    and errors on others. Every rank must have the same sources in a step, which is checked. N ranks equal N batches in
    turn on one process for models that normalise their losses by the rank's own samples, as Faster R-CNN does; some
    others, as FCOS, share their numbers of positives among the ranks.

    Args:
        module (XLearner): The model.
        bucket_mb (float): About the size of the messages, see :class:`BucketedReducer`.
        reduce_dtype (str, optional): Data type of the messages, as ``bfloat16``; None for that of the gradients.

    Raises:
        ValueError: If the backend cannot sum ``reduce_dtype``.
    """

    module: XLearner

    def __init__(self, module: XLearner, bucket_mb: float = 25, reduce_dtype: Optional[str] = None) -> None:
        super().__init__()
        self.module = module
        tensors = [*module.parameters(), *module.buffers()]
        _broadcast(tensors)
        self.reducer = GradientReducer()
        if is_distributed():
            dtype = None if reduce_dtype is None else _reducible(reduce_dtype, tensors[0].device)
            self.reducer = BucketedReducer(list(module.parameters()), list(module.tasks), bucket_mb, dtype)

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

        After a step of the optimizer running statistics are those of rank 0, as its checkpoint has them.

        Args:
            data (Mapping[str, dict]): Batch of this rank by source.
            optim_wrapper (OptimWrapper): Wrapper of the optimizer.
            random_key (Sequence): See :meth:`XLearner.train_step`.
            step (int): See :meth:`XLearner.train_step`.

        Returns:
            dict[str, Tensor]: Scalars of this rank to log.
        """
        logged = self.module.train_step(data, optim_wrapper, random_key, step, self.reducer)
        if optim_wrapper.should_update():
            _broadcast(self.module.buffers())
        return logged

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Let the gradients of train steps inside pile up on each rank; the first one after it averages them.

        The optimizer must not be due inside: see ``optim_wrapper.accumulative_counts``.

        Yields:
            None: Nothing.
        """
        before, self.reducer.synced = self.reducer.synced, False
        try:
            yield
        finally:
            self.reducer.synced = before

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


def _broadcast(tensors: Iterable[Tensor]) -> None:
    """Give every rank the values of rank 0, in one message a data type."""
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        by_type.setdefault(tensor.dtype, []).append(tensor.detach())
    for group in by_type.values():
        flat = torch.cat([t.reshape(-1) for t in group])
        broadcast(flat, src=0)
        values = flat.split([t.numel() for t in group])
        torch._foreach_copy_(group, [v.view_as(t) for v, t in zip(values, group, strict=True)])


def _reducible(name: str, device: torch.device) -> torch.dtype:
    """Look a data type up and try it."""
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(f'model_wrapper_cfg.reduce_dtype={name!r} is no floating-point data type of torch, as '
                         "'bfloat16' is.")
    try:
        all_reduce(torch.zeros(1, dtype=dtype, device=device))
    except RuntimeError as error:
        raise ValueError(f'model_wrapper_cfg.reduce_dtype={name!r}: the distributed backend of this torch cannot sum '
                         f"it ({error}). Leave it out, or use 'float16' or the backend nccl.") from error
    return dtype
