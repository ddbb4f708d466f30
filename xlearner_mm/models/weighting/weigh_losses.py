"""Weights on a stock dict of losses."""

from collections.abc import Mapping
from typing import Any, Union

from torch import Tensor


def weigh_losses(losses: Mapping[str, Any], weight: Union[float, Tensor]) -> dict[str, Any]:
    """Weigh what is back-propagated; leave alone what is only logged (ours).

    Args:
        losses (Mapping[str, Tensor or list[Tensor]]): What a stock model returns in mode ``loss``.
        weight (float or Tensor): Weight of the source, a scalar.

    Returns:
        dict[str, Tensor or list[Tensor]]: The same keys.
    """
    same = not isinstance(weight, Tensor) and weight == 1  # to look at a tensor is to wait for its device

    def _weigh(key: str, value: Any) -> Any:
        if 'loss' not in key or same:
            return value
        return [v * weight for v in value] if isinstance(value, (list, tuple)) else value * weight

    return {key: _weigh(key, value) for key, value in losses.items()}
