"""A linear classifier, fitted to the optimum of its loss."""

import logging
import math
from typing import Any, NamedTuple, Optional

import torch
from mmengine.logging import print_log
from torch import Tensor

from .principal_axes import CHUNK
from .softmax_regression import Evaluation, SoftmaxRegression


class LinearFit(NamedTuple):
    """A fitted linear classifier on features.

    ``loss`` is the mean cross entropy over the training samples plus the penalty, divided by their number, too;
    ``gradient`` is the 2-norm of its gradient relative to that of the classifier that only knows the frequencies of the
    classes, in coordinates in which the centred features have a mean square norm of 1.
    """

    classes: Tensor  # (K, ), the labels
    weight: Tensor  # (K, C)
    bias: Tensor  # (K, )
    strength: float
    loss: float
    gradient: float
    evaluations: int
    converged: bool

    def predict(self, vectors: Tensor) -> Tensor:
        """Classify features.

        Args:
            vectors (Tensor): ``(N, C)``.

        Returns:
            Tensor: Labels ``(N, )``, on the device of the features.
        """
        best = [torch.addmm(self.bias, part.to(self.weight), self.weight.T).argmax(1) for part in vectors.split(CHUNK)]
        return self.classes[torch.cat(best).to(self.classes.device)].to(vectors.device)


def fit_linear(problem: SoftmaxRegression, strength: float, start: Optional[LinearFit] = None,
               tolerance: float = 1e-4, max_iter: int = 1000) -> LinearFit:
    """Fit a linear classifier by L-BFGS with all samples in every step (torch's, preconditioned).

    It ends where the gradient (see :class:`LinearFit`) is at most ``tolerance``; an end at any other place is told as a
    warning. With 1e-4 the loss was, as measured, within 1e-6 of its optimum at the strengths that are best in
    validation, and within 2e-4 at those too weak to matter, where all training samples are right.

    Args:
        problem (SoftmaxRegression): The loss.
        strength (float): Weight of the penalty, above 0; scikit-learn's ``1 / C``.
        start (LinearFit, optional): Fit of the same classes to start from, at best with a slightly larger strength.
        tolerance (float): As above. Rounding sets a limit at about 1e-6 for float32 and 1e-7 for float64 features.
        max_iter (int): Most steps.

    Returns:
        LinearFit: The classifier.

    Raises:
        ValueError: If the strength is not above 0 and finite, or ``start`` has other classes.
    """
    if not 0 < strength < math.inf:
        raise ValueError(f'The L2 strength {strength} must be above 0 and finite: without it there may be no optimum.')
    if start is not None and not torch.equal(start.classes, problem.classes):
        raise ValueError(f'start classifies {len(start.classes)} classes, the training samples have other ones, '
                         f'{len(problem.classes)}. Start without it.')
    initial, count = problem.initial.gradient.norm().item(), len(problem.axes.rows)
    descent = _Descent(problem, strength, start)
    # Without any signal the gradient is nothing but the rounding of a sum over the samples.
    least = max(tolerance * initial, torch.finfo(problem.prior.dtype).eps * count)
    found = descent.run(least, max_iter)
    size = found.gradient.norm().item()
    fit = LinearFit(problem.classes, *problem.axes.back(descent.layer), strength, found.loss / count,
                    size / initial if initial else 0., descent.evaluations, size <= least)
    if not fit.converged:
        print_log(f'The linear classifier of L2 strength {strength:g} has not converged after {fit.evaluations} '
                  f'evaluations of its loss: its gradient is {fit.gradient:.1e} instead of {tolerance:.1e} of that '
                  'without weights. Take a larger tolerance, standardize=True or float64 features.', 'current',
                  logging.WARNING)
    return fit


class _Descent:
    """L-BFGS of torch, in coordinates in which the second derivatives at the start are near a unit matrix."""

    def __init__(self, problem: SoftmaxRegression, strength: float, start: Optional[LinearFit]) -> None:
        self._problem, self._strength, self.evaluations = problem, strength, 1
        layer, self._found = problem.prior, problem.initial
        if start is not None:
            layer = problem.axes.into(start.weight, start.bias)
            self._found = problem.evaluate(layer, strength)
        scale = problem.curvature(self._found.variance, strength).rsqrt()
        # Torch divides the gradient of the first step by its 1-norm. In these units that is the step of Newton.
        norm = (scale * self._found.gradient).abs().sum()
        self._scale = scale * torch.where(norm > 0, norm, 1)
        self._point: Any = layer / self._scale
        self._point.grad = self._scale * self._found.gradient
        self._seen = self._point.clone()

    @property
    def layer(self) -> Tensor:
        """The layer at the present point, ``(R + 1, K)``."""
        return self._scale * self._point

    def run(self, least: float, max_iter: int) -> Evaluation:
        """Descend until the norm of the gradient is small enough, no step lowers the loss, or all steps are done."""
        # max_eval: newer torch counts the evaluations of a line search, up to 25, against it.
        optimizer = torch.optim.LBFGS([self._point], max_iter=1, max_eval=26, tolerance_grad=0, tolerance_change=0,
                                      history_size=10, line_search_fn='strong_wolfe')
        for _ in range(max_iter):
            before = self._point.clone()
            if self._evaluate().gradient.norm() <= least:
                break
            optimizer.step(lambda: self._evaluate().loss)
            if torch.equal(before, self._point):
                break
        return self._evaluate()

    def _evaluate(self) -> Evaluation:
        """Evaluate the present point; the one that a step ends with was mostly the last to be evaluated."""
        if not torch.equal(self._point, self._seen):
            self._seen, self.evaluations = self._point.clone(), self.evaluations + 1
            self._found = self._problem.evaluate(self.layer, self._strength)
            self._point.grad = self._scale * self._found.gradient
        return self._found
