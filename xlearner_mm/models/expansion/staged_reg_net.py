"""ResNets without max pooling: RegNets of mmdet and mmpretrain, and mmpretrain's ResNet for CIFAR."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_resnet import StagedResNet


@STAGED_BACKBONES.register_module(name=['mmdet:RegNet', 'mmpretrain:RegNet', 'mmpretrain:ResNet_CIFAR'])
class StagedRegNet(StagedResNet):
    """Stages of a stock RegNet, or of another ResNet whose ``forward`` has no max pooling (ours)."""

    def stem(self, x: Tensor) -> Tensor:
        """Run the first convolution.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: ``(N, C, H/2, W/2)``; ``(N, C, H, W)`` of a ResNet for CIFAR.
        """
        net = self.backbone
        return net.relu(net.norm1(net.conv1(x)))
