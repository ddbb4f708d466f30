"""Backbones that keep the names of their stages in a list, in the order in which they run them."""

from torch import Tensor

from .staged_backbone import StagedBackbone


class StagedNamedLayers(StagedBackbone):
    """Stages that a stock backbone holds as attributes, their names in one more (ours); base of several families.

    Attributes:
        names (str): Name of the attribute with the names of the stages.
    """

    names = 'layers'

    @property
    def num_stages(self) -> int:
        """Number of names."""
        return len(getattr(self.backbone, self.names))

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``, or of the stem.

        Returns:
            Tensor: Output of the stage, ``(N, C_index, H_index, W_index)``.
        """
        return getattr(self.backbone, getattr(self.backbone, self.names)[index])(x)
