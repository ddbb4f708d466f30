"""Vision transformers of mmseg, and every subclass that keeps their ``forward``."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_backbone import StageShape
from .staged_vision_transformer import StagedVisionTransformer
from .token_state import TokenState


@STAGED_BACKBONES.register_module(name='mmseg:VisionTransformer')
class StagedSegVisionTransformer(StagedVisionTransformer):
    """Stages of a stock vision transformer of mmseg, as of mmpretrain's (ours)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        if getattr(backbone, 'out_origin', False):
            raise ValueError('A VisionTransformer with out_origin=True returns one output more than out_indices names. '
                             'Set out_origin=False.')

    @property
    def extra_tokens(self) -> int:
        """One with a class token."""
        return int(self.backbone.with_cls_token)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Maps, all tokens, and the class token as a vector."""
        return ('maps', 'vector', 'tokens') if self.extra_tokens else ('maps', 'tokens')

    @property
    def stock_output(self) -> str:
        """Maps; with ``output_cls_token`` each with its class token."""
        return 'maps'

    def stem(self, x: Tensor) -> TokenState:
        """Embed the patches.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            TokenState: Tokens ``(N, E + h * w, C)``, and ``(h, w)``.
        """
        net = self.backbone
        tokens, size = net.patch_embed(x)
        tokens = torch.cat((net.cls_token.expand(len(tokens), -1, -1), tokens), dim=1)
        tokens = net._pos_embeding(tokens, size, net.pos_embed)
        tokens = tokens[:, 1 - self.extra_tokens:]  # stock takes out a class token that is not wanted only here
        return TokenState(net.pre_ln(tokens) if net.pre_norm else tokens, size)

    def emit(self, features: Sequence[TokenState], out_indices: Sequence[int], output: str) -> tuple[Any, ...]:
        """Give outputs of layers as the stock backbone would return them.

        Args:
            features (Sequence[TokenState]): Outputs of the layers.
            out_indices (Sequence[int]): Layers to return.
            output (str): ``maps``, ``vector`` (the class token) or ``tokens``.

        Returns:
            tuple: Maps ``(N, C, H, W)``, each in a list with its class token where stock has ``output_cls_token``;
                vectors ``(N, C)``; or tokens ``(N, E + H * W, C)``.
        """
        return tuple(self._emit(self.normed(i, features[i]), features[i].size, output) for i in out_indices)

    def _emit(self, tokens: Tensor, size: tuple[int, int], output: str) -> Any:
        if output != 'maps':
            return tokens[:, 0] if output == 'vector' else tokens
        maps = self.map_of(TokenState(tokens, size)).contiguous()
        return [maps, tokens[:, 0]] if getattr(self.backbone, 'output_cls_token', False) else maps

    def shapes(self) -> list[StageShape]:
        """Read channels and stride from the modules: an image of some size would not suit every backbone.

        Returns:
            list[StageShape]: One for each layer.
        """
        projection = self.backbone.patch_embed.projection
        return [StageShape(projection.out_channels, projection.stride[0])] * self.num_stages
