"""ResNets of mmdet, mmseg and mmpretrain, and every subclass that keeps their ``forward``."""

import copy

from torch import Tensor, nn

from xlearner_mm.registry import STAGED_BACKBONES

from .changed import Change, changed
from .dilation import dilate_layers
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
        self._changes: dict[int, list[Change]] = {}

    def dilated(self, output_stride: int) -> 'StagedResNet':
        """Run the same weights with dilation instead of stride, see :func:`dilate_layers`.

        Args:
            output_stride (int): Stride that no stage exceeds.

        Returns:
            StagedResNet: An adapter of the same backbone that runs it so.

        Raises:
            ValueError: If the stride is none of the stages', or the backbone has blocks of another kind.
        """
        other = copy.copy(self)
        layers = [getattr(self.backbone, name) for name in self.backbone.res_layers]
        try:
            other._changes = dilate_layers(layers, self.shapes(), output_stride)
        except (AttributeError, ValueError) as error:
            raise ValueError(f'{type(self.backbone).__name__} cannot be run with output_stride: {error}.'
                             ) from error
        return other

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``, or of the stem.

        Returns:
            Tensor: Output of the stage, ``(N, C_index, H_index, W_index)``.
        """
        with changed(self._changes.get(index, ())):
            return super().stage(index, x)

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
