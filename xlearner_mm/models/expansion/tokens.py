"""Maps as tokens and back, exactly (ours)."""

from torch import Tensor


def to_tokens(x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Turn a map into tokens; where the map is a view of tokens these come back without a copy.

    Args:
        x (Tensor): Map of shape ``(N, C, H, W)``.

    Returns:
        tuple: Tokens of shape ``(N, H * W, C)``, and ``(H, W)``.
    """
    return x.flatten(2).transpose(1, 2).contiguous(), (x.shape[2], x.shape[3])


def to_map(tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
    """Turn tokens into a map.

    Args:
        tokens (Tensor): Tokens of shape ``(N, H * W, C)``.
        hw_shape (tuple): ``(H, W)``.

    Returns:
        Tensor: A view of shape ``(N, C, H, W)``.
    """
    return tokens.transpose(1, 2).unflatten(2, tuple(hw_shape))
