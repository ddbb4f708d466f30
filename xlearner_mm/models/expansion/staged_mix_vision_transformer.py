"""Mix vision transformers (MiT, backbone of SegFormer) of mmseg, and every subclass that keeps their ``forward``."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_backbone import StagedBackbone
from .tokens import to_map


@STAGED_BACKBONES.register_module(name='mmseg:MixVisionTransformer')
class StagedMixVisionTransformer(StagedBackbone):
    """Stages of a stock mix vision transformer (ours).

    A stage is patch embedding, blocks and norm. Stock hands its normalised output on to the next stage, so a link adds
    behind the norm and every stage can be returned.
    """

    @property
    def num_stages(self) -> int:
        """Number of stages."""
        return len(self.backbone.layers)

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run patch embedding, blocks and norm of one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``.

        Returns:
            Tensor: Output of the stage.
        """
        patch_embed, blocks, norm = self.backbone.layers[index]
        tokens, hw_shape = patch_embed(x)
        for block in blocks:
            tokens = block(tokens, hw_shape)
        return self._to_map(norm(tokens), hw_shape)

    def _to_map(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Turn tokens into a map of the memory layout that stock has: the next convolution rounds by it."""
        return to_map(tokens, hw_shape)
