"""What a linear classifier makes of frozen features."""

from typing import NamedTuple, Optional

import torch
from mmengine.logging import print_log

from .accuracy import accuracy, check_metric
from .features import Features, check_features
from .linear_fit import LinearFit, fit_linear
from .softmax_regression import SoftmaxRegression
from .splits import hold_out
from .strength_sweep import sweep_strength


class ProbeResult(NamedTuple):
    """Outcome of a linear probe."""

    percent: float  # the metric on the test set
    strength: float  # the L2 strength that was chosen
    val_scores: dict[float, float]  # percent in validation by strength, from strong to weak
    fit: LinearFit  # fitted to training and validation set


def linear_probe(train: Features, test: Features, val: Optional[Features] = None, metric: str = 'top1', seed: int = 0,
                 standardize: bool = False, tolerance: float = 1e-4,
                 device: Optional[torch.device] = None) -> ProbeResult:
    """Probe frozen features by one linear layer (protocol of the sibling, see also CLIP, Radford et al. 2021).

    The L2 strength is chosen on the validation set; then the layer is fitted anew to training and validation set
    together, and scored on the test set.

    Args:
        train (Features): Training samples.
        test (Features): Test samples.
        val (Features, optional): Validation samples; by default a fifth of each class of the training set.
        metric (str): ``top1`` or ``mean_per_class``, see :func:`accuracy`.
        seed (int): Which part of the training set is held out.
        standardize (bool): Divide each feature by its standard deviation first; the penalty then counts all alike.
        tolerance (float): That of :func:`fit_linear`.
        device (torch.device, optional): Where to compute; by default where the features are. It holds the features of
            training and validation set once more.

    Returns:
        ProbeResult: The figure, and what it is made of.

    Raises:
        TypeError: If vectors are not floating point, or labels are no integers.
        ValueError: If a set is empty or not finite, the training set has one class only, nothing can be held out of it,
            or the metric is unknown.
    """
    check_metric(metric)
    check_features(train=train, test=test, **({} if val is None else dict(validation=val)))
    kept, held = hold_out(train, seed=seed) if val is None else (train, val)
    chosen, scores = sweep_strength(kept, held, metric, standardize, tolerance, device)
    problem = SoftmaxRegression(kept.join(held), standardize, device)
    same = torch.equal(problem.classes, chosen.classes)
    fit = fit_linear(problem, chosen.strength, chosen if same else None, tolerance)
    percent = accuracy(fit.predict(test.vectors), test.labels, metric)
    print_log(f'Linear probe: {metric} {percent:.2f} % on {len(test.labels)} samples, with L2 strength '
              f'{fit.strength:.3g} ({scores[fit.strength]:.2f} % of {len(held.labels)} in validation), fitted to '
              f'{len(kept.labels) + len(held.labels)} samples of {len(fit.classes)} classes.', 'current')
    return ProbeResult(percent, fit.strength, scores, fit)
