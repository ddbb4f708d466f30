"""DeiT with a distillation token (mmpretrain)."""

import torch
from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_vision_transformer import StagedVisionTransformer
from .token_state import TokenState


@STAGED_BACKBONES.register_module(name='mmpretrain:DistilledVisionTransformer')
class StagedDistilledVisionTransformer(StagedVisionTransformer):
    """Stages of a stock distilled vision transformer, whose second token is for distillation (ours)."""

    def stem(self, x: Tensor) -> TokenState:
        """Embed the patches.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            TokenState: Tokens ``(N, 2 + h * w, C)``, and ``(h, w)``.
        """
        tokens, size = self.backbone.patch_embed(x)
        own = (self.backbone.cls_token, self.backbone.dist_token)
        tokens = torch.cat([*(token.expand(len(tokens), -1, -1) for token in own), tokens], dim=1)
        return TokenState(self.with_positions(tokens, size), size)
