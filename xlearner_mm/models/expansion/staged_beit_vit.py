"""BEiT and BEiT v2 (mmpretrain)."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_vision_transformer import StagedVisionTransformer
from .token_state import TokenState
from .tokens import check_patches


@STAGED_BACKBONES.register_module(name='mmpretrain:BEiTViT')
class StagedBEiTViT(StagedVisionTransformer):
    """Stages of a stock BEiT of mmpretrain; its layers share a bias for relative positions or have their own (ours)."""

    def stem(self, x: Tensor) -> TokenState:
        """Embed the patches.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            TokenState: Tokens ``(N, E + h * w, C)``, and ``(h, w)``.

        Raises:
            ValueError: If relative positions are for images of another size.
        """
        net = self.backbone
        tokens, size = net.patch_embed(x)
        if net.use_rel_pos_bias or net.rel_pos_bias is not None:
            check_patches(net, net.patch_resolution, size)
        tokens = self.with_class_tokens(tokens)
        return TokenState(net.drop_after_pos(tokens) if net.pos_embed is None else self.with_positions(tokens, size),
                          size)

    def stage(self, index: int, x: TokenState) -> TokenState:
        """Run one layer.

        Args:
            index (int): Layer to run.
            x (TokenState): Output of the layer before, or of the stem.

        Returns:
            TokenState: Output of the layer.
        """
        shared = self.backbone.rel_pos_bias
        return TokenState(self.backbone.layers[index](x.tokens, None if shared is None else shared()), x.size)
