"""Vision transformers of mmpretrain, and every subclass that keeps their ``forward``."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .changed import changed
from .staged_backbone import StagedBackbone, StageShape
from .token_state import TokenState
from .tokens import to_map


@STAGED_BACKBONES.register_module(name='mmpretrain:VisionTransformer')
class StagedVisionTransformer(StagedBackbone):
    """Stages of a stock vision transformer: its layers, counted as its own ``out_indices`` count them (ours).

    Links join the ends of its four quarters, for instance the layers 2, 5, 8 and 11 of twelve. They read and change the
    patch tokens as a map ``(N, C, H, W)``; a class token meets them in the next layer's attention. The final norm is
    part of the output, not of the last layer.
    """

    @property
    def num_stages(self) -> int:
        """Number of layers."""
        return len(self.backbone.layers)

    @property
    def levels(self) -> tuple[int, ...]:
        """The last layers of the four quarters."""
        return tuple(sorted({max(0, self.num_stages * quarter // 4 - 1) for quarter in (1, 2, 3, 4)}))

    @property
    def extra_tokens(self) -> int:
        """Number of tokens before those of the patches."""
        return self.backbone.num_extra_tokens

    @property
    def outputs(self) -> tuple[str, ...]:
        """Maps, all tokens, and as a vector the class token, or the mean with ``out_type='avg_featmap'``."""
        vector = self.extra_tokens > 0 or self.backbone.out_type == 'avg_featmap'
        return ('maps', 'vector', 'tokens') if vector else ('maps', 'tokens')

    @property
    def stock_output(self) -> str:
        """What ``out_type`` of the stock backbone asks for."""
        return dict(featmap='maps', raw='tokens').get(self.backbone.out_type, 'vector')

    def stem(self, x: Tensor) -> TokenState:
        """Embed the patches.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            TokenState: Tokens ``(N, E + h * w, C)``, and ``(h, w)``.
        """
        tokens, size = self.backbone.patch_embed(x)
        tokens = self.with_class_tokens(tokens)
        return TokenState(self.backbone.pre_norm(self.with_positions(tokens, size)), size)

    def with_class_tokens(self, tokens: Tensor) -> Tensor:
        """Put the class token, if the backbone has one, before those of the patches.

        Args:
            tokens (Tensor): ``(N, H * W, C)``.

        Returns:
            Tensor: ``(N, E + H * W, C)``.
        """
        if self.extra_tokens == 0:
            return tokens
        return torch.cat((self.backbone.cls_token.expand(len(tokens), -1, -1), tokens), dim=1)

    def with_positions(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Add position embeddings, resized to the image as stock does it, and drop out.

        Args:
            tokens (Tensor): ``(N, L, C)``.
            size (tuple): ``(H, W)`` of the patches.

        Returns:
            Tensor: ``(N, L, C)``.
        """
        net = self.backbone
        extra = tokens.shape[1] - size[0] * size[1]
        positions = net.resize_pos_embed(net.pos_embed, net.patch_resolution, size, mode=net.interpolate_mode,
                                         num_extra_tokens=extra)
        return net.drop_after_pos(tokens + positions)

    def stage(self, index: int, x: TokenState) -> TokenState:
        """Run one layer.

        Args:
            index (int): Layer to run.
            x (TokenState): Output of the layer before, or of the stem.

        Returns:
            TokenState: Output of the layer.
        """
        return TokenState(self.backbone.layers[index](x.tokens), x.size)

    def map_of(self, x: TokenState) -> Tensor:
        """Give the patch tokens as a map.

        Args:
            x (TokenState): Output of a layer.

        Returns:
            Tensor: A view of shape ``(N, C, H, W)``.
        """
        return to_map(x.tokens[:, self.extra_tokens:], x.size)

    def with_map(self, x: TokenState, new: Tensor) -> TokenState:
        """Put other patch tokens beside the extra ones.

        Args:
            x (TokenState): Output of a layer.
            new (Tensor): ``(N, C, H, W)``.

        Returns:
            TokenState: The output with these patch tokens.
        """
        patches = new.flatten(2).transpose(1, 2)
        return TokenState(torch.cat((x.tokens[:, :self.extra_tokens], patches), dim=1), x.size)

    def normed(self, index: int, x: TokenState) -> Tensor:
        """Apply the final norm where the layer is the last one.

        Args:
            index (int): The layer.
            x (TokenState): Its output.

        Returns:
            Tensor: Tokens ``(N, E + H * W, C)``.
        """
        final = index == self.num_stages - 1 and self.backbone.final_norm
        return self.backbone.norm1(x.tokens) if final else x.tokens

    def emit(self, features: Sequence[TokenState], out_indices: Sequence[int], output: str) -> tuple[Any, ...]:
        """Give outputs of layers as the stock backbone would return them.

        Args:
            features (Sequence[TokenState]): Outputs of the layers.
            out_indices (Sequence[int]): Layers to return.
            output (str): ``maps``, ``vector`` or ``tokens``.

        Returns:
            tuple: Maps ``(N, C, H, W)``, vectors ``(N, C)`` (pairs of them where there are two extra tokens) or tokens
                ``(N, E + H * W, C)``.
        """
        own = self.backbone.out_type
        vector = own if own in ('cls_token', 'avg_featmap') else 'cls_token'
        kind = dict(maps='featmap', tokens='raw', vector=vector)[output]
        with changed([(self.backbone, dict(out_type=kind))]):
            return tuple(self.backbone._format_output(self.normed(i, features[i]), features[i].size)
                         for i in out_indices)

    def shapes(self) -> list[StageShape]:
        """Read channels and stride from the modules: an image of some size would not suit every backbone.

        Returns:
            list[StageShape]: One for each layer.
        """
        net = self.backbone
        return [StageShape(net.embed_dims, net.patch_embed.projection.stride[0])] * self.num_stages
