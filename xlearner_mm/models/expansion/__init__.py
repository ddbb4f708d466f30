"""The expansion stage: sub-backbones by task and the links between them."""

from .auxiliary_norms import AuxiliaryNorms
from .expanded_backbone import ExpandedBackbone
from .reconciliation import Reconciliation
from .reconciliation_layer import ReconciliationLayer
from .staged_backbone import StagedBackbone, StageShape, build_staged_backbone, plain_pass
from .staged_conv_next import StagedConvNeXt
from .staged_csp_darknet import StagedCSPDarknet
from .staged_csp_net import StagedCSPNet
from .staged_darknet import StagedDarknet
from .staged_hr_net import StagedHRNet
from .staged_mix_vision_transformer import StagedMixVisionTransformer
from .staged_mobile_net_v2 import StagedMobileNetV2
from .staged_pvt import StagedPVT
from .staged_reg_net import StagedRegNet
from .staged_resnet import StagedResNet
from .staged_swin import StagedSwin
from .staged_swin_v2 import StagedSwinV2

__all__ = [
    'AuxiliaryNorms', 'ExpandedBackbone', 'Reconciliation', 'ReconciliationLayer', 'StageShape', 'StagedBackbone',
    'StagedCSPDarknet', 'StagedCSPNet', 'StagedConvNeXt', 'StagedDarknet', 'StagedHRNet', 'StagedMixVisionTransformer',
    'StagedMobileNetV2', 'StagedPVT', 'StagedRegNet', 'StagedResNet', 'StagedSwin', 'StagedSwinV2',
    'build_staged_backbone', 'plain_pass'
]
