"""Swin transformers of mmdet, mmseg and mmpretrain, and every subclass that keeps their ``forward``."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .output_norm import normed_stages, output_norm
from .staged_backbone import StagedBackbone, StageShape
from .tokens import to_map, to_tokens


@STAGED_BACKBONES.register_module(
    name=['mmdet:SwinTransformer', 'mmseg:SwinTransformer', 'mmpretrain:SwinTransformer'])
class StagedSwin(StagedBackbone):
    """Stages of a stock Swin transformer (ours).

    Between the stages run maps: ``(N, C, H, W)`` views of the tokens ``(N, H * W, C)``. Stock merges patches at the
    end of a stage; here the next stage begins with it, so that links add before the merging. Only where mmpretrain's
    ``out_after_downsample`` asks for merged outputs does a stage end with it, as in stock.
    """

    @property
    def num_stages(self) -> int:
        """Number of stages."""
        return len(self.backbone.stages)

    def emits(self) -> tuple[int, ...]:
        """Give the stages that the stock backbone can return: it has output norms for its own ``out_indices`` only.

        Returns:
            tuple[int]: The stages, counted from 0.
        """
        return normed_stages(self.backbone, self.num_stages)

    def stem(self, x: Tensor) -> Tensor:
        """Embed the patches and add absolute positions where the backbone has them.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: ``(N, C, H/4, W/4)``.

        Raises:
            ValueError: If positions are for images of another size and the stock backbone does not resize them.
        """
        net = self.backbone
        tokens, hw_shape = net.patch_embed(x)
        if net.use_abs_pos_embed:
            tokens = tokens + self._positions(tokens, hw_shape)
        return to_map(net.drop_after_pos(tokens), hw_shape)

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Merge patches, then run the blocks of one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``.

        Returns:
            Tensor: Output of the stage.
        """
        stages, (tokens, hw_shape) = self.backbone.stages, to_tokens(x)
        merged = getattr(self.backbone, 'out_after_downsample', False)  # mmpretrain only
        if index > 0 and not merged:
            tokens, hw_shape = stages[index - 1].downsample(tokens, hw_shape)
        for block in stages[index].blocks:
            tokens = block(tokens, hw_shape)
        if merged and stages[index].downsample is not None:
            tokens, hw_shape = stages[index].downsample(tokens, hw_shape)
        return to_map(tokens, hw_shape)

    def output(self, index: int, x: Tensor) -> Tensor:
        """Normalise a stage's output by the stock output norm.

        Args:
            index (int): The stage.
            x (Tensor): Its output, ``(N, C, H, W)``.

        Returns:
            Tensor: ``(N, C, H, W)``, contiguous as in stock.

        Raises:
            ValueError: If the backbone has no output norm for the stage.
        """
        tokens, hw_shape = to_tokens(x)
        return to_map(output_norm(self.backbone, index)(tokens), hw_shape).contiguous()

    def shapes(self) -> list[StageShape]:
        """Read channels and strides from the modules.

        A probe image would not do: windows and absolute positions may ask for a size of their own.

        Returns:
            list[StageShape]: One for each stage.
        """
        strides = [self.backbone.patch_embed.projection.stride[0]]
        for stage in self.backbone.stages:
            if stage.downsample is not None:
                strides.append(strides[-1] * stage.downsample.sampler.stride[0])
        if getattr(self.backbone, 'out_after_downsample', False):
            strides = [*strides[1:], strides[-1]]
        return [StageShape(c, s) for c, s in zip(self._channels(), strides, strict=True)]

    def _channels(self) -> list[int]:
        return list(self.backbone.num_features)

    def _positions(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        net = self.backbone
        if hasattr(net, 'interpolate_mode'):
            from mmpretrain.models.utils import resize_pos_embed  # there where such a backbone is
            return resize_pos_embed(net.absolute_pos_embed, net.patch_resolution, hw_shape, net.interpolate_mode,
                                    net.num_extra_tokens)
        known, found = net.absolute_pos_embed.shape[1], tokens.shape[1]
        if known != found:
            raise ValueError(f'{type(net).__name__} has use_abs_pos_embed=True with positions for {known} patches, but '
                             f'an image gave {hw_shape[0]}x{hw_shape[1]} = {found}. Resize images to its '
                             'pretrain_img_size, or use use_abs_pos_embed=False.')
        return net.absolute_pos_embed
