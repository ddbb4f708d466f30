"""EVA-02 (mmpretrain)."""

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_vision_transformer import StagedVisionTransformer
from .token_state import TokenState


@STAGED_BACKBONES.register_module(name='mmpretrain:ViTEVA02')
class StagedEVA02(StagedVisionTransformer):
    """Stages of a stock EVA-02, whose layers rotate queries and keys by their positions (ours)."""

    def stage(self, index: int, x: TokenState) -> TokenState:
        """Run one layer.

        Args:
            index (int): Layer to run.
            x (TokenState): Output of the layer before, or of the stem.

        Returns:
            TokenState: Output of the layer.
        """
        return TokenState(self.backbone.layers[index](x.tokens, x.size), x.size)
