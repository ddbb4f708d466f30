"""The expansion stage: sub-backbones by task and the links between them."""

from .expanded_backbone import ExpandedBackbone
from .reconciliation import Reconciliation
from .reconciliation_layer import ReconciliationLayer
from .staged_backbone import StagedBackbone, StageShape, build_staged_backbone, plain_pass
from .staged_resnet import StagedResNet

__all__ = [
    'ExpandedBackbone', 'Reconciliation', 'ReconciliationLayer', 'StagedBackbone', 'StagedResNet', 'StageShape',
    'build_staged_backbone', 'plain_pass'
]
