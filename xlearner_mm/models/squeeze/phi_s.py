"""PHI-S: teacher features with the same variance in every channel, and one scale for all."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, broadcast
from torch import Tensor

from xlearner_mm.registry import MODELS

from .feature_statistics import FeatureStatistics, check_channels
from .hadamard import equalising_rotation


@MODELS.register_module()
class PhiS(FeatureStatistics):
    """PCA, a Hadamard rotation and isotropic scaling (arXiv 2410.01680).

    With the covariance ``U diag(l) U^T`` of the channels, ``y = R U^T (x - mean) / sqrt(mean of l)``, where R spreads
    the variance evenly: every channel has variance 1, and directions keep their lengths relative to each other, which a
    scale of its own for each channel would not respect. A factor or a shift of the features does not matter.

    Mean and covariance are exact over all positions of the first training steps, on all ranks together (in the paper
    over a set of images before the training), then they are frozen. The rotation is computed anew at the steps 1, 2, 4,
    8, … and at the last of them.

    Args:
        num_features (int): Number of channels, any.
        estimate_steps (int): Training steps whose features count.
        eps (float): Added to the mean variance.

    Raises:
        ValueError: If ``estimate_steps`` is not positive.
    """

    moments: Tensor
    steps: Tensor
    mean: Tensor
    matrix: Tensor

    def __init__(self, num_features: int, estimate_steps: int = 500, eps: float = 1e-5) -> None:
        super().__init__(num_features)
        if estimate_steps < 1:
            raise ValueError(f'squeeze.standardizer.estimate_steps={estimate_steps!r} must be at least 1.')
        self.estimate_steps, self.eps = estimate_steps, eps
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))
        # Of the channels with a 1 before them: their number, their sums and their products in one matrix.
        self.register_buffer('moments', torch.zeros(num_features + 1, num_features + 1, dtype=torch.double))
        self.register_buffer('mean', torch.zeros(num_features))
        self.register_buffer('matrix', torch.eye(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a feature map; in training, after its statistics were added as long as they count.

        Args:
            x (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: The same shape.

        Raises:
            FloatingPointError: If features that its rotation is computed from are not finite.
            RuntimeError: If it is not in training and has seen nothing.
            ValueError: If x has another number of channels.
        """
        check_channels(x, self.num_features)
        steps = int(self.steps)
        if self.training and steps < self.estimate_steps:
            self._add(x)
            steps += 1
            self.steps += 1
            if steps & (steps - 1) == 0 or steps == self.estimate_steps:
                self._solve()
        self._check_seen(steps > 0)
        with torch.autocast(x.device.type, enabled=False):
            centred = x.float() - self.mean.view(1, -1, 1, 1)
            # Not a convolution: on a GPU it would be computed in TF32.
            return (self.matrix @ centred.flatten(2)).view_as(x).to(x.dtype)

    @torch.no_grad()
    def _add(self, x: Tensor) -> None:
        rows = F.pad(x.movedim(1, -1).flatten(0, -2), (1, 0), value=1.).to(self.moments.dtype)
        with torch.autocast(x.device.type, enabled=False):
            moments = rows.T @ rows
        all_reduce(moments)
        self.moments += moments

    def _solve(self) -> None:
        # A device without double precision gives it to the CPU: a covariance is a difference of large numbers.
        moments = self.moments if self.moments.dtype == torch.double else self.moments.cpu().double()
        if not moments.isfinite().all():  # of all ranks: they stop together
            raise FloatingPointError('PhiS got teacher features that are not finite: look for broken images or broken '
                                     'weights of the teachers, and resume from the last checkpoint.')
        mean = moments[0, 1:] / moments[0, 0]
        covariance = moments[1:, 1:] / moments[0, 0] - mean[:, None] * mean[None]
        variances, axes = torch.linalg.eigh(covariance)
        variances = variances.clamp(min=0)
        # An axis has no sign of its own: fix it, so that no library's choice is seen in the features.
        largest = axes.abs().argmax(0, keepdim=True)
        axes = axes * axes.gather(0, largest).sign()
        scale = (variances.mean() + self.eps).rsqrt()
        self.mean.copy_(mean)
        self.matrix.copy_(scale * equalising_rotation(variances.cpu()).to(axes) @ axes.T)
        broadcast(self.matrix)  # axes of equal variance are any rotation: unlike machines would choose unlike ones
