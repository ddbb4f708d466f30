"""Models: the X-Learner, its expanded backbone, its squeeze and the ports for stock models."""

from .backbone_port import BackbonePort
from .expansion import ExpandedBackbone, Reconciliation, ReconciliationLayer, StagedBackbone
from .gradient_reducer import GradientReducer
from .label_check import check_labels
from .multi_source_data_preprocessor import MultiSourceDataPreprocessor
from .non_finite_guard import NonFiniteGuard
from .normalisation import Normalisation
from .phase import Phase
from .pooled_network import PooledNetwork
from .source_gradients import SourceGradients
from .squeeze import BatchStandardizer, HintLoss, Squeezer
from .weighting import LossWeighting, StaticWeighting
from .xlearner import XLearner

__all__ = [
    'BackbonePort', 'BatchStandardizer', 'ExpandedBackbone', 'GradientReducer', 'HintLoss', 'LossWeighting',
    'MultiSourceDataPreprocessor', 'NonFiniteGuard', 'Normalisation', 'Phase', 'PooledNetwork', 'Reconciliation',
    'ReconciliationLayer', 'SourceGradients', 'Squeezer', 'StagedBackbone', 'StaticWeighting', 'XLearner',
    'check_labels'
]
