"""How often labels are right."""

import torch
from torch import Tensor

METRICS = ('top1', 'mean_per_class')


def accuracy(predicted: Tensor, labels: Tensor, metric: str = 'top1') -> float:
    """Score predicted labels.

    By custom the mean over the classes is taken of Oxford-IIIT Pets, Flowers-102, Caltech-101 and FGVC-Aircraft.

    Args:
        predicted (Tensor): ``(N, )``.
        labels (Tensor): The right ones, ``(N, )``.
        metric (str): ``top1``: the part of the samples that is right; ``mean_per_class``: the mean of that part over
            the classes that have samples.

    Returns:
        float: Percent.

    Raises:
        ValueError: If there is no such metric.
    """
    check_metric(metric)
    right = (predicted == labels).double()
    if metric == 'mean_per_class':
        _, classes = labels.unique(return_inverse=True)
        right = torch.bincount(classes, right) / torch.bincount(classes)
    return 100 * right.mean().item()


def check_metric(metric: str) -> None:
    """Refuse a metric that there is not.

    Args:
        metric (str): Its name.

    Raises:
        ValueError: If it is none of ``METRICS``.
    """
    if metric not in METRICS:
        raise ValueError(f'The metric {metric!r} must be one of {", ".join(METRICS)}.')
