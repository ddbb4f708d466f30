"""Pyramid vision transformers (PVT and PVTv2) of mmdet, and every subclass that keeps their ``forward``."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_mix_vision_transformer import StagedMixVisionTransformer
from .tokens import to_map


@STAGED_BACKBONES.register_module(name='mmdet:PyramidVisionTransformer')
class StagedPVT(StagedMixVisionTransformer):
    """Stages of a stock pyramid vision transformer (ours).

    Built as MiT; position embeddings of PVT stand among a stage's blocks and resize themselves.
    """

    def _to_map(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        return to_map(tokens, hw_shape).contiguous()
