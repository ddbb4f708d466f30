"""How far a student's hint is from a teacher's feature."""

import torch.nn.functional as F
from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class HintLoss(nn.Module):
    """Distance between a connected student feature and a teacher feature (ours; the paper's text names none).

    Args:
        kind (str): ``smooth_l1``, ``mse`` or ``cosine`` (1 − cosine over the channels of each position).
        weight (float): Weight of the loss.

    Raises:
        ValueError: If the kind is unknown or the weight negative.
    """

    KINDS = ('smooth_l1', 'mse', 'cosine')

    def __init__(self, kind: str = 'smooth_l1', weight: float = 1.0) -> None:
        super().__init__()
        if kind not in self.KINDS:
            raise ValueError(f'squeeze.hints.criterion.kind={kind!r} must be one of {", ".join(self.KINDS)}.')
        if not weight >= 0:
            raise ValueError(f'squeeze.hints.criterion.weight={weight!r} must not be negative.')
        self.kind = kind
        self.weight = weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compare two feature maps.

        Args:
            student (Tensor): ``(N, C, H, W)``; brought to the teacher's size bilinearly if it differs.
            teacher (Tensor): ``(N, C, H', W')``, without gradient.

        Returns:
            Tensor: Scalar loss.
        """
        if student.shape[-2:] != teacher.shape[-2:]:
            student = F.interpolate(student, teacher.shape[-2:], mode='bilinear', align_corners=False)
        if self.kind == 'cosine':
            return self.weight * (1 - F.cosine_similarity(student, teacher, dim=1)).mean()
        distance = F.smooth_l1_loss if self.kind == 'smooth_l1' else F.mse_loss
        return self.weight * distance(student, teacher)
