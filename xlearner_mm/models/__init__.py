"""Models: the X-Learner, its expanded backbone, its squeeze and the ports for stock models."""

from .backbone_port import BackbonePort
from .expansion import ExpandedBackbone, Reconciliation, ReconciliationLayer, StagedBackbone
from .label_check import check_labels
from .multi_source_data_preprocessor import MultiSourceDataPreprocessor
from .normalisation import Normalisation
from .phase import Phase
from .pooled_network import PooledNetwork
from .squeeze import BatchStandardizer, HintLoss, Squeezer
from .xlearner import XLearner

__all__ = [
    'BackbonePort', 'BatchStandardizer', 'ExpandedBackbone', 'HintLoss', 'MultiSourceDataPreprocessor', 'Normalisation',
    'Phase', 'PooledNetwork', 'Reconciliation', 'ReconciliationLayer', 'Squeezer', 'StagedBackbone', 'XLearner',
    'check_labels'
]
