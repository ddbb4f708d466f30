"""Parts of a training set that have its classes in proportion, chosen by a seed."""

import numpy as np
import torch
from torch import Tensor

from xlearner_mm.datasets import permute
from xlearner_mm.utils import Key

from .features import Features


def hold_out(features: Features, share: float = 0.2, seed: int = 0) -> tuple[Features, Features]:
    """Split a training set in two (ours).

    Of each class that has two samples at least one is held out, and one is kept of each.

    Args:
        features (Features): The training set.
        share (float): Part to hold out, above 0 and below 1.
        seed (int): Which samples.

    Returns:
        tuple[Features, Features]: What is kept, and what is held out.

    Raises:
        ValueError: If the share is not in this range, or no class has two samples.
    """
    if not 0 < share < 1:
        raise ValueError(f'The share {share} to hold out must be above 0 and below 1.')
    held = _choose(features.labels, share, 1, seed, 'hold_out')
    if not held.any():
        raise ValueError(f'Each of the {len(held)} training samples is the only one of its class: none can be held out '
                         'to choose the L2 strength. Give a validation set.')
    return features.take(~held), features.take(held)


def few_labels(features: Features, share: float = 0.1, seed: int = 0) -> Features:
    """Take a part of a training set, at least one sample of each class (the low-data variant of gv-benchmark).

    Args:
        features (Features): The training set.
        share (float): Part to take, above 0 and at most 1.
        seed (int): Which samples.

    Returns:
        Features: The part.

    Raises:
        ValueError: If the share is not in this range.
    """
    if not 0 < share <= 1:
        raise ValueError(f'The share {share} of the labels must be above 0 and at most 1.')
    return features.take(_choose(features.labels, share, 0, seed, 'few_labels'))


def _choose(labels: Tensor, share: float, left: int, *key: Key) -> Tensor:
    """Mask of about a share of each class, at least one sample, that leaves ``left`` of it."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        own = torch.nonzero(labels == label).flatten().cpu()
        number = min(max(1, int(share * len(own) + 0.5)), len(own) - left)
        chosen[own[torch.from_numpy(permute(np.arange(number), len(own), *key, label))]] = True
    return chosen.to(labels.device)
