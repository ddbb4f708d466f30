"""ResNets of mmdet, mmseg and mmpretrain, and every subclass that keeps their ``forward``."""

from torch import Tensor, nn

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_named_layers import StagedNamedLayers


@STAGED_BACKBONES.register_module(name=['mmdet:ResNet', 'mmseg:ResNet', 'mmpretrain:ResNet'])
class StagedResNet(StagedNamedLayers):
    """Stages of a stock ResNet (V1b/c/d, ResNeXt, SE and other variants that only change blocks or stem)."""

    names = 'res_layers'
    # They keep ResNet.forward, but return more images than they are given in training, or masked ones.
    UNSUITABLE = ('TridentResNet', 'SparseResNet')

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        name = type(backbone).__name__
        if name in self.UNSUITABLE:
            raise ValueError(f'{name} is no backbone for several tasks: what it returns is made for its own detector '
                             'or pre-training. Use a ResNet.')

    def stem(self, x: Tensor) -> Tensor:
        """Run the stem and the max pooling.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: ``(N, C, H/4, W/4)``.
        """
        net = self.backbone
        x = net.stem(x) if net.deep_stem else net.relu(net.norm1(net.conv1(x)))
        return net.maxpool(x)
