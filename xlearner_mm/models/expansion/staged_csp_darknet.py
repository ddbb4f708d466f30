"""CSPDarknet (YOLOX) and CSPNeXt (RTMDet) of mmdet."""

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_named_layers import StagedNamedLayers


@STAGED_BACKBONES.register_module(name=['mmdet:CSPDarknet', 'mmdet:CSPNeXt'])
class StagedCSPDarknet(StagedNamedLayers):
    """Stages of a stock CSPDarknet or CSPNeXt (ours), counted as its own ``out_indices`` count them.

    Stage 0 is what the backbone calls its stem, of stride 2; the stages 1 to 4 (5 of arch P6) have the strides 4 to 32
    (64).
    """

    @property
    def levels(self) -> tuple[int, ...]:
        """All but the stem."""
        return tuple(range(1, self.num_stages))

    @property
    def image_channels(self) -> int:
        """Three: the first convolution of a CSPDarknet reads four pixels at a time as twelve channels."""
        return 3
