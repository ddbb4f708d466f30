"""The L2 strength of a linear classifier, chosen by validation."""

import logging
from collections.abc import Iterable
from typing import NamedTuple, Optional

import torch
from mmengine.logging import print_log

from .accuracy import accuracy
from .features import Features
from .linear_fit import LinearFit, fit_linear
from .softmax_regression import SoftmaxRegression

# Strengths are powers of 10 in eighths: 97 of them from 1e-6 to 1e6.
LAST, STEPS = 48, (16, 8, 4, 2, 1)


class StrengthSweep(NamedTuple):
    """Outcome of a sweep."""

    fit: LinearFit  # with the chosen strength
    scores: dict[float, float]  # percent in validation by strength, from strong to weak


def sweep_strength(train: Features, val: Features, metric: str = 'top1', standardize: bool = False,
                   tolerance: float = 1e-4, device: Optional[torch.device] = None) -> StrengthSweep:
    """Choose the L2 strength by validation, coarse to fine as the linear probe of CLIP does.

    The strengths 1e6, 1e4, ... 1e-6 come first; then four times those beside the best one, at half the distance, down
    to an eighth of a power of 10. Of equal ones the strongest is taken (ours). Each fit starts from that of the next
    stronger strength.

    Args:
        train (Features): Training samples.
        val (Features): Validation samples.
        metric (str): One of ``METRICS``.
        standardize (bool): Divide each feature by its standard deviation first.
        tolerance (float): That of :func:`fit_linear`.
        device (torch.device, optional): Where to compute; by default where the features are.

    Returns:
        StrengthSweep: The chosen fit, and all scores.
    """
    problem = SoftmaxRegression(train, standardize, device)
    fits: dict[int, LinearFit] = {}
    scores: dict[int, float] = {}
    for step in STEPS:
        for exponent in _due(scores, step):
            start = fits.get(min((e for e in fits if e > exponent), default=LAST))
            fits[exponent] = fit_linear(problem, _strength(exponent), start, tolerance)
            scores[exponent] = accuracy(fits[exponent].predict(val.vectors), val.labels, metric)
    best = _best(scores)
    if abs(best) == LAST:
        print_log(f'The best L2 strength in validation, {_strength(best):g}, is the last one of those tried: features '
                  'of another scale, e.g. standardize=True, may do better.', 'current', logging.WARNING)
    return StrengthSweep(fits[best], {_strength(e): scores[e] for e in sorted(scores, reverse=True)})


def _due(scores: dict[int, float], step: int) -> Iterable[int]:
    """Exponents to try next, from strong to weak."""
    if not scores:
        return range(LAST, -LAST - 1, -step)
    best = _best(scores)
    return [e for e in (best + step, best - step) if abs(e) <= LAST]


def _best(scores: dict[int, float]) -> int:
    return max(scores, key=lambda e: (scores[e], e))


def _strength(exponent: int) -> float:
    return 10.0**(exponent / 8)
