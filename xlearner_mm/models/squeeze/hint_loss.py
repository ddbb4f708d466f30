"""How far a student's hint is from a teacher's feature."""

import math
from collections.abc import Mapping
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class HintLoss(nn.Module):
    """Distance between a connected student feature and a teacher feature (ours; the paper's text names none).

    Args:
        terms (Mapping[str, float], optional): Weight of each distance in the sum: ``smooth_l1``, ``mse``, ``cosine``
            (1 − cosine over the channels of each position); by default smooth L1 alone.

    Raises:
        TypeError: If it is no dict of numbers.
        ValueError: If a distance is unknown, a weight negative or not finite, or all are 0.
    """

    DISTANCES = ('smooth_l1', 'mse', 'cosine')

    def __init__(self, terms: Optional[Mapping[str, float]] = None) -> None:
        super().__init__()
        terms = dict(smooth_l1=1.0) if terms is None else terms
        if not isinstance(terms, Mapping) or not all(isinstance(w, (int, float)) for w in terms.values()):
            raise TypeError(f'squeeze.hints.criterion.terms={terms!r} must be a dict of weights, e.g. dict(cosine=0.9, '
                            'smooth_l1=0.1).')
        unknown = sorted(map(str, set(terms) - set(self.DISTANCES)))
        if unknown:
            raise ValueError(f'squeeze.hints.criterion.terms={terms!r} names {", ".join(unknown)}; there are '
                             f'{", ".join(self.DISTANCES)}.')
        if not all(0 <= weight < math.inf for weight in terms.values()) or not any(terms.values()):
            raise ValueError(f'squeeze.hints.criterion.terms={terms!r} must hold weights that are not negative, and '
                             'one above 0; all of them finite.')
        self.terms = {name: float(weight) for name, weight in terms.items() if weight > 0}

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compare two feature maps, in single precision also under autocast.

        Args:
            student (Tensor): ``(N, C, H, W)``; brought to the teacher's size bilinearly if it differs.
            teacher (Tensor): ``(N, C, H', W')``, without gradient.

        Returns:
            Tensor: Scalar loss.

        Raises:
            ValueError: If N or C differ: torch would repeat the smaller one.
        """
        if student.shape[:2] != teacher.shape[:2]:
            raise ValueError(f'HintLoss compares maps of the same images and channels, got {tuple(student.shape)} of '
                             f'the student and {tuple(teacher.shape)} of the teacher. The connector must give as many '
                             "channels as the teacher's level has.")
        with torch.autocast(student.device.type, enabled=False):
            student, teacher = _at_least_single(student), _at_least_single(teacher)
            if student.shape[-2:] != teacher.shape[-2:]:
                student = F.interpolate(student, teacher.shape[-2:], mode='bilinear', align_corners=False)
            return torch.stack([weight * _distance(name, student, teacher) for name, weight in self.terms.items()]
                               ).sum()


def _at_least_single(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _distance(name: str, student: Tensor, teacher: Tensor) -> Tensor:
    if name == 'cosine':
        return (1 - F.cosine_similarity(student, teacher, dim=1)).mean()
    return (F.smooth_l1_loss if name == 'smooth_l1' else F.mse_loss)(student, teacher)
