"""HRNet of mmdet, mmseg and mmpretrain."""

from collections.abc import Callable, Sequence
from typing import Optional

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_backbone import StagedBackbone


@STAGED_BACKBONES.register_module(name=['mmdet:HRNet', 'mmseg:HRNet', 'mmpretrain:HRNet'])
class StagedHRNet(StagedBackbone):
    """Branches of the last stage of a stock HRNet, fused, as stages (ours): four of the strides 4, 8, 16 and 32.

    An HRNet runs its resolutions side by side: no branch that it returns is computed from another one that it returns.
    All come from one pass of the stock ``forward``, so links that read only the first ones save nothing. A link into
    a branch is added to what heads, and the hints of the squeeze, read of that branch; it reaches neither the other
    branches nor the inside of the HRNet.
    """

    @property
    def num_stages(self) -> int:
        """Number of branches that the last stage returns: one with ``multiscale_output=False``."""
        last = self.backbone.stage4[-1]
        return 1 if last.num_branches == 1 else len(last.fuse_layers)

    def features(self,
                 x: Tensor,
                 last: Optional[int] = None,
                 reconcile: Optional[Callable[[int, Tensor], Tensor]] = None,
                 plain: Sequence[Tensor] = ()) -> list[Tensor]:
        """Run the HRNet.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            last (int, optional): Not used, but for -1: one pass gives all branches.
            reconcile (Callable, optional): Called with a branch's index and output; gives what is read of the branch.
            plain (Sequence[Tensor]): The branches, where they are known already.

        Returns:
            list[Tensor]: All branches, each ``(N, C_i, H_i, W_i)``; none for ``last=-1``.
        """
        if last == -1:
            return []
        branches = list(plain or self.backbone(x))
        if reconcile is None:
            return branches
        return [reconcile(index, branch) for index, branch in enumerate(branches)]
