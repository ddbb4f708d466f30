"""What a stage of a vision transformer gives."""

from typing import NamedTuple

from torch import Tensor


class TokenState(NamedTuple):
    """Tokens ``(N, E + H * W, C)``, the E extra ones (class token and the like) first, and ``(H, W)`` (ours)."""

    tokens: Tensor
    size: tuple[int, int]
