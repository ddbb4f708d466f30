"""BEiT and MAE of mmseg."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_seg_vision_transformer import StagedSegVisionTransformer
from .token_state import TokenState
from .tokens import check_patches


@STAGED_BACKBONES.register_module(name=['mmseg:BEiT', 'mmseg:MAE'])
class StagedSegBEiT(StagedSegVisionTransformer):
    """Stages of a stock BEiT or MAE of mmseg, which take images of one size only (ours)."""

    @property
    def extra_tokens(self) -> int:
        """The class token."""
        return 1

    def stem(self, x: Tensor) -> TokenState:
        """Embed the patches.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            TokenState: Tokens ``(N, 1 + h * w, C)``, and ``(h, w)``.

        Raises:
            ValueError: If an image has another size than the positions.
        """
        net = self.backbone
        tokens, size = net.patch_embed(x)
        check_patches(net, net.patch_shape, size)
        tokens = self.with_class_tokens(tokens)
        return TokenState(tokens + net.pos_embed if hasattr(net, 'pos_embed') else tokens, size)
