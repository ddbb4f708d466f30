"""Darknet (YOLOv3) of mmdet."""

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_named_layers import StagedNamedLayers


@STAGED_BACKBONES.register_module(name='mmdet:Darknet')
class StagedDarknet(StagedNamedLayers):
    """Stages of a stock Darknet (ours), counted as its own ``out_indices`` count them.

    Stage 0 is its first convolution, of stride 1; the stages 1 to 5 have the strides 2 to 32.
    """

    names = 'cr_blocks'

    @property
    def levels(self) -> tuple[int, ...]:
        """Those from stride 4 on."""
        return tuple(range(2, self.num_stages))
