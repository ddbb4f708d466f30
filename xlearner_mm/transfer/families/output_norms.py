"""Norms of what a backbone returns: OpenMMLab's have one for each stage that is asked for, the others for the last."""

from collections.abc import Sequence


def last_normed(num_stages: int, out_indices: Sequence[int]) -> int:
    """Give the last stage, whose output norm torchvision and timm have too.

    Args:
        num_stages (int): Number of stages.
        out_indices (Sequence[int]): Stages that have an output norm.

    Returns:
        int: The last stage.

    Raises:
        ValueError: If it has none.
    """
    if num_stages - 1 not in out_indices:
        raise ValueError(f'its last stage has no output norm (out_indices={tuple(out_indices)}), and theirs has one')
    return num_stages - 1


def left_out(num_stages: int, out_indices: Sequence[int]) -> list[str]:
    """Say which output norms have no place in torchvision and timm.

    Args:
        num_stages (int): Number of stages.
        out_indices (Sequence[int]): Stages that have an output norm.

    Returns:
        list[str]: A note, or none.
    """
    norms = ', '.join(f'norm{i}' for i in out_indices if i != num_stages - 1)
    return [f'{norms} of the trained backbone are left out: only OpenMMLab normalises what other stages than the last '
            'one return.'] if norms else []
