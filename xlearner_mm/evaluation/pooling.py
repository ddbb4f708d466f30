"""One vector an image out of what a backbone gives."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pool(output: Any, backbone: nn.Module) -> Tensor:
    """Give the vector that is customarily probed.

    Of several outputs the last one counts. A map is averaged over its positions; of tokens the class token is taken,
    or their mean where the backbone has none. Where a map comes with a class token, or there are two of these, their
    mean is taken.

    Args:
        output (Tensor or Sequence): Map ``(N, C, H, W)``, tokens ``(N, L, C)`` or vector ``(N, C)``; a sequence of
            them, one a stage; or of pairs of them.
        backbone (nn.Module): Where it comes from.

    Returns:
        Tensor: ``(N, C)``.

    Raises:
        TypeError: If the output is something else.
    """
    last = output[-1] if isinstance(output, (tuple, list)) and output else output
    if isinstance(last, (tuple, list)):
        vectors = [part for part in last if isinstance(part, Tensor) and part.ndim == 2]
        last = torch.stack(vectors).mean(0) if vectors else None
    if not isinstance(last, Tensor) or last.ndim not in (2, 3, 4):
        raise TypeError(f'{type(backbone).__name__} gives {_told(output)}, of which no vector can be made: it must be '
                        'a map (N, C, H, W), tokens (N, L, C) or a vector (N, C), or a sequence of them.')
    if last.ndim == 4:
        return F.adaptive_avg_pool2d(last, 1).flatten(1)
    if last.ndim == 3:
        return last[:, 0] if isinstance(getattr(backbone, 'cls_token', None), Tensor) else last.mean(1)
    return last


def _told(output: Any) -> str:
    return f'a tensor {tuple(output.shape)}' if isinstance(output, Tensor) else f'a {type(output).__name__}'
