"""Samples that stock data sets replace by random other ones without telling (ours)."""

from typing import Any

from mmengine.dataset import BaseDataset

from .stock_sets import leaves


def tell_dropped(dataset: Any) -> None:
    """Let a stock data set fail where its pipeline drops a sample, instead of taking a random other one.

    Args:
        dataset (Any): Data set, or a wrapper such as ``ConcatDataset`` around several.
    """
    for leaf in leaves(dataset):
        if isinstance(leaf, BaseDataset):
            leaf.max_refetch = 0


def is_dropped(error: Exception) -> bool:
    """Tell whether an error is that of :func:`tell_dropped`; mmengine has no class for it.

    Args:
        error (Exception): What a data set raised.

    Returns:
        bool: Whether the pipeline dropped the sample.
    """
    return type(error) is Exception and str(error).startswith('Cannot find valid image after 0!')
