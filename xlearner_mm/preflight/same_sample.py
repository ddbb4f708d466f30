"""Whether two samples hold the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement


def same_sample(first: Any, second: Any) -> bool:
    """Compare two samples, or parts of samples, value by value (ours).

    Args:
        first (Any): A sample of a stock data set: nested dicts, lists, data elements, tensors, masks, ...
        second (Any): Another.

    Returns:
        bool: Whether every value is the same; NaN is the same as NaN.
    """
    if type(first) is not type(second):
        return False
    if isinstance(first, torch.Tensor):
        return first.shape == second.shape and same_sample(first.numpy(), second.numpy())
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second, equal_nan=first.dtype.kind in 'fc')
    if isinstance(first, BaseDataElement):
        return same_sample(dict(first.all_items()), dict(second.all_items()))
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(same_sample(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same_sample, first, second))
    if hasattr(first, '__dict__') and not isinstance(first, type):  # boxes and masks of mmdet
        return same_sample(vars(first), vars(second))
    return bool(first == second) or (first != first and second != second)
