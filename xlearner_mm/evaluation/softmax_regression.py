"""The loss of a linear classifier over all samples at once."""

from typing import NamedTuple, Optional

import torch
from torch import Tensor

from .features import Features
from .principal_axes import CHUNK, PrincipalAxes


class Evaluation(NamedTuple):
    """Loss summed over the samples, penalty included; its gradient; and the variance of each class, summed likewise.

    The variance of class ``k`` in a sample is ``p_k * (1 - p_k)``: how much its logit bends the loss there.
    """

    loss: float
    gradient: Tensor  # (R + 1, K), that of the bias in the last row
    variance: Tensor  # (K, )


class SoftmaxRegression:
    """Cross entropy of a linear layer, summed over samples, plus ``strength / 2`` times the sum of its squared weights.

    This is the objective of scikit-learn's ``LogisticRegression`` with ``C = 1 / strength``: the bias is free, only
    classes that have samples take part, and the weights of two classes count twice (as much as their difference alone
    does). Products are computed in the precision of the features (float32 for narrower
    ones), the loss is summed in float64.

    Args:
        train (Features): Training samples, finite.
        standardize (bool): Divide each feature by its standard deviation first.
        device (torch.device, optional): Where to compute; by default where the features are.

    Attributes:
        classes (Tensor): The labels that have samples, ``(K, )``.
        axes (PrincipalAxes): The coordinates of the layer.
        prior (Tensor): The layer that only knows the frequencies of the classes, ``(R + 1, K)``.
        initial (Evaluation): Its evaluation; it has no weights, so that the strength does not matter.

    Raises:
        ValueError: If there are fewer than two classes.
    """

    def __init__(self, train: Features, standardize: bool = False, device: Optional[torch.device] = None) -> None:
        vectors, labels = train
        if vectors.dtype not in (torch.float32, torch.float64):
            vectors = vectors.float()
        device = device or vectors.device
        self.classes, targets = labels.unique(return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError(f'All {len(labels)} training samples have the label {self.classes.item()}: there is '
                             'nothing to tell apart. Mend the labels, or take more samples.')
        self.axes, self._targets = PrincipalAxes(vectors, standardize, device), targets.to(device)
        frequencies = targets.bincount().double() / len(targets)
        self.prior = self.axes.rows.new_zeros(self.axes.rows.shape[1] + 1, len(self.classes))
        self.prior[-1] = frequencies.log()
        self.initial = self.evaluate(self.prior, 0)

    def evaluate(self, layer: Tensor, strength: float) -> Evaluation:
        """Compute loss and gradient over all samples.

        Args:
            layer (Tensor): Weight along the principal axes and, in its last row, bias: ``(R + 1, K)``.
            strength (float): Weight of the penalty.

        Returns:
            Evaluation: All of them.
        """
        weight, bias = layer[:-1], layer[-1]
        penalty = self._penalty(strength)
        loss = penalty / 2 * weight.double().square().sum()
        gradient, variance = torch.zeros_like(layer), torch.zeros_like(bias)
        gradient[:-1] = penalty * weight
        for rows, targets in zip(self.axes.rows.split(CHUNK), self._targets.split(CHUNK), strict=True):
            own = torch.arange(len(rows), device=rows.device), targets
            logits = torch.addmm(bias, rows, weight).log_softmax(1)
            loss -= logits[own].sum(dtype=torch.double)
            p = logits.exp_()
            variance += (p - p * p).sum(0)
            p[own] -= 1
            gradient[:-1].addmm_(rows.T, p)
            gradient[-1] += p.sum(0)
        return Evaluation(loss.item(), gradient, variance)

    def curvature(self, variance: Tensor, strength: float) -> Tensor:
        """Estimate the second derivative of the loss by each entry of the layer.

        Args:
            variance (Tensor): Variance of each class, ``(K, )``.
            strength (float): Weight of the penalty.

        Returns:
            Tensor: ``(R + 1, K)``; exact where all samples are alike, as without weights.
        """
        variance = variance.clamp_min(1e-3)  # where all samples are sure, and right
        smallest = torch.finfo(variance.dtype).eps * self.axes.variance.max()
        along = self.axes.variance.clamp_min(smallest)[:, None] * variance + self._penalty(strength)
        return torch.vstack((along, variance))

    def _penalty(self, strength: float) -> float:
        """Weight of the penalty along the principal axes."""
        return strength / self.axes.unit**2 * (2 if len(self.classes) == 2 else 1)
