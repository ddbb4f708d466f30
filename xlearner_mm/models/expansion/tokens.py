"""Maps as tokens and back, exactly (ours)."""

from collections.abc import Sequence

from torch import Tensor, nn


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


def check_patches(backbone: nn.Module, known: Sequence[int], found: Sequence[int]) -> None:
    """Refuse an image whose patches are not those that a backbone has positions for.

    Args:
        backbone (nn.Module): The stock backbone.
        known (Sequence[int]): Height and width of its positions, in patches.
        found (Sequence[int]): Height and width of the image, in patches.

    Raises:
        ValueError: If they differ.
    """
    if tuple(known) != tuple(found):
        raise ValueError(f'{type(backbone).__name__} has positions for {known[0]}x{known[1]} patches and does not '
                         f'resize them, but an image gave {found[0]}x{found[1]}. Resize or crop images to its '
                         'img_size, or change that.')
