"""Weightings of the sources' losses in training."""

from .build_weighting import build_weighting
from .ca_grad import CAGrad
from .dynamic_weight_average import DynamicWeightAverage
from .gradient_weighting import GradientWeighting
from .loss_weighting import LossWeighting
from .pc_grad import PCGrad
from .static_weighting import StaticWeighting
from .uncertainty_terms import uncertainty_terms
from .uncertainty_weighting import UncertaintyWeighting
from .up_grad import UPGrad
from .weigh_losses import weigh_losses

__all__ = [
    'CAGrad', 'DynamicWeightAverage', 'GradientWeighting', 'LossWeighting', 'PCGrad', 'StaticWeighting', 'UPGrad',
    'UncertaintyWeighting', 'build_weighting', 'uncertainty_terms', 'weigh_losses'
]
