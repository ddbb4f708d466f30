"""A quick check of frozen features by their neighbours."""

from typing import Optional

import torch
import torch.nn.functional as F

from .accuracy import accuracy, check_metric
from .features import Features, check_features
from .principal_axes import CHUNK

_SIMILARITIES = 2**24  # how many are held at a time: 64 MB


def knn_probe(train: Features, test: Features, metric: str = 'top1', k: int = 20, temperature: float = 0.07,
              device: Optional[torch.device] = None) -> float:
    """Classify test samples by the training samples that are most similar to them (Wu et al. 2018, as DINO does).

    Each of the ``k`` training samples of the largest cosine votes for its class, with the weight
    ``exp(cosine / temperature)``.

    Args:
        train (Features): Training samples.
        test (Features): Test samples.
        metric (str): ``top1`` or ``mean_per_class``, see :func:`accuracy`.
        k (int): Number of neighbours; at most that of training samples is used.
        temperature (float): The smaller, the more the nearest ones count.
        device (torch.device, optional): Where to compute; by default where the features are.

    Returns:
        float: Percent.

    Raises:
        TypeError: If vectors are not floating point, or labels are no integers.
        ValueError: If a set is empty or not finite, the metric is unknown, or ``k`` or ``temperature`` is not positive.
    """
    check_metric(metric)
    check_features(train=train, test=test)
    if k < 1 or not temperature > 0:
        raise ValueError(f'k={k} and temperature={temperature} of the k-NN probe must be positive.')
    device = device or train.vectors.device
    bank = F.normalize(train.vectors.to(device).float(), dim=1).T
    classes, targets = train.labels.unique(return_inverse=True)
    targets, predicted = targets.to(device), []
    for part in test.vectors.split(max(1, min(CHUNK, _SIMILARITIES // len(targets)))):
        cosine, nearest = (F.normalize(part.to(device).float(), dim=1) @ bank).topk(min(k, len(targets)))
        votes, row = cosine.new_zeros(len(part), len(classes)), torch.arange(len(part), device=device)
        # Less the largest, so that nothing overflows.
        for weight, neighbour in zip(((cosine - cosine[:, :1]) / temperature).exp().T, nearest.T, strict=True):
            votes[row, targets[neighbour]] += weight
        predicted.append(votes.argmax(1).to(classes.device))
    return accuracy(classes[torch.cat(predicted)], test.labels.to(classes.device), metric)
