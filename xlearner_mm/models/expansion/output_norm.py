"""Norms that a stock backbone applies to the stages it returns, and only to these."""

from typing import Any

from torch import nn


def normed_stages(backbone: Any, num_stages: int) -> tuple[int, ...]:
    """Find the stages for which a backbone has an output norm ``norm<i>``.

    Args:
        backbone (nn.Module): The stock backbone.
        num_stages (int): Its number of stages.

    Returns:
        tuple[int]: The stages, counted from 0.
    """
    return tuple(i for i in range(num_stages) if hasattr(backbone, f'norm{i}'))


def output_norm(backbone: Any, index: int) -> nn.Module:
    """Give a backbone's output norm for a stage.

    Args:
        backbone (nn.Module): The stock backbone.
        index (int): The stage.

    Returns:
        nn.Module: The norm.

    Raises:
        ValueError: If the backbone has none.
    """
    norm = getattr(backbone, f'norm{index}', None)
    if norm is None:
        raise ValueError(f'{type(backbone).__name__} with out_indices={tuple(backbone.out_indices)} has no output norm '
                         f'for stage {index}. Mend out_indices of this backbone so that they name stage {index}, or '
                         'use another stage in the port.')
    return norm
