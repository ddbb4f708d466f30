"""DeiT III (mmpretrain)."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_vision_transformer import StagedVisionTransformer
from .token_state import TokenState


@STAGED_BACKBONES.register_module(name='mmpretrain:DeiT3')
class StagedDeiT3(StagedVisionTransformer):
    """Stages of a stock DeiT III, whose class token has no position (ours)."""

    def stem(self, x: Tensor) -> TokenState:
        """Embed the patches.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            TokenState: Tokens ``(N, E + h * w, C)``, and ``(h, w)``.
        """
        tokens, size = self.backbone.patch_embed(x)
        return TokenState(self.with_class_tokens(self.with_positions(tokens, size)), size)
