"""One average over the ranks for several tensors."""

from collections.abc import Sequence
from typing import Any, Optional

import torch
import torch.distributed as dist
from torch import Tensor


class FlatAverage:
    """Average tensors over all ranks in one message, while other work goes on (ours).

    Args:
        tensors (Sequence[Tensor, optional]): Tensors of one data type and device; None counts as zeros.
        like (Sequence[Tensor]): Tensors of the same shapes.
        dtype (torch.dtype, optional): Data type of the message; None for that of the tensors.
        group (ProcessGroup, optional): Group of all ranks that sends it; None for the default one.
    """

    def __init__(self, tensors: Sequence[Optional[Tensor]], like: Sequence[Tensor],
                 dtype: Optional[torch.dtype], group: Any = None) -> None:
        sizes = [t.numel() for t in like]
        self._flat = torch.empty(sum(sizes), dtype=dtype or like[0].dtype, device=like[0].device)
        self._views = [part.view(t.shape) for part, t in zip(self._flat.split(sizes), like, strict=True)]
        present = [(view, t) for view, t in zip(self._views, tensors, strict=True) if t is not None]
        for view, tensor in zip(self._views, tensors, strict=True):
            if tensor is None:
                view.zero_()
        if present:
            torch._foreach_copy_([view for view, _ in present], [t for _, t in present])
        self._flat.div_(dist.get_world_size())  # before the sum, which could overflow in a short type
        self._work = dist.all_reduce(self._flat, group=group, async_op=True)

    @property
    def nbytes(self) -> int:
        """Size of the message."""
        return self._flat.numel() * self._flat.element_size()

    def wait(self) -> list[Tensor]:
        """Wait for the other ranks.

        Returns:
            list[Tensor]: The averages, views of the message.
        """
        self._work.wait()
        return self._views
