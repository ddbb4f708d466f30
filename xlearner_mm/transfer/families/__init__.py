"""Families of backbones, and how each library names their weights."""

from .conv_next import CONV_NEXT
from .family import Family, same_class
from .resnet import RESNETS
from .swin import SWIN
from .vision_transformer import VISION_TRANSFORMER

# By the name of the class, which the three OpenMMLab libraries share.
FAMILIES: dict[str, Family] = {
    **RESNETS, 'ConvNeXt': CONV_NEXT, 'SwinTransformer': SWIN, 'VisionTransformer': VISION_TRANSFORMER
}

__all__ = ['FAMILIES', 'Family', 'same_class']
