"""The expansion stage: sub-backbones by task and the links between them."""

from .auxiliary_norms import AuxiliaryNorms
from .build import build_backbone
from .dilation import at_output_stride
from .expanded_backbone import ExpandedBackbone
from .reconciliation import Reconciliation
from .reconciliation_layer import ReconciliationLayer
from .staged_backbone import StagedBackbone, StageShape, build_staged_backbone, plain_pass
from .staged_beit_vit import StagedBEiTViT
from .staged_conv_next import StagedConvNeXt
from .staged_csp_darknet import StagedCSPDarknet
from .staged_csp_net import StagedCSPNet
from .staged_darknet import StagedDarknet
from .staged_deit3 import StagedDeiT3
from .staged_distilled_vision_transformer import StagedDistilledVisionTransformer
from .staged_eva02 import StagedEVA02
from .staged_hr_net import StagedHRNet
from .staged_mix_vision_transformer import StagedMixVisionTransformer
from .staged_mobile_net_v2 import StagedMobileNetV2
from .staged_pvt import StagedPVT
from .staged_reg_net import StagedRegNet
from .staged_resnet import StagedResNet
from .staged_seg_beit import StagedSegBEiT
from .staged_seg_vision_transformer import StagedSegVisionTransformer
from .staged_swin import StagedSwin
from .staged_swin_v2 import StagedSwinV2
from .staged_vision_transformer import StagedVisionTransformer
from .token_state import TokenState

__all__ = [
    'AuxiliaryNorms', 'ExpandedBackbone', 'Reconciliation', 'ReconciliationLayer', 'StageShape', 'StagedBEiTViT',
    'StagedBackbone', 'StagedCSPDarknet', 'StagedCSPNet', 'StagedConvNeXt', 'StagedDarknet', 'StagedDeiT3',
    'StagedDistilledVisionTransformer', 'StagedEVA02', 'StagedHRNet', 'StagedMixVisionTransformer',
    'StagedMobileNetV2', 'StagedPVT', 'StagedRegNet', 'StagedResNet', 'StagedSegBEiT', 'StagedSegVisionTransformer',
    'StagedSwin', 'StagedSwinV2', 'StagedVisionTransformer', 'TokenState', 'at_output_stride', 'build_backbone',
    'build_staged_backbone', 'plain_pass'
]
