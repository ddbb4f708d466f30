"""Teachers weighted by what can be learned of them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from xlearner_mm.registry import MODELS

from ..weighting.uncertainty_terms import uncertainty_terms


@MODELS.register_module()
class UncertaintyTeacherWeights(nn.Module):
    """Weigh the hint loss L of each teacher by a learned uncertainty s: ``exp(-s) L / 2 + s / 2`` (arXiv 1705.07115).

    With Adam, s moves by about the learning rate a step: give ``squeeze.weights`` a ``lr_mult`` above 1 and
    ``decay_mult=0`` in ``paramwise_cfg.custom_keys`` where a run is short.

    Args:
        teachers (Sequence[str]): Names of the teachers.
    """

    changing = True

    def __init__(self, teachers: Sequence[str]) -> None:
        super().__init__()
        self.teachers = list(teachers)
        self.log_variances = nn.ParameterDict({teacher: nn.Parameter(torch.zeros(())) for teacher in teachers})

    @property
    def active(self) -> list[str]:
        """All teachers."""
        return self.teachers

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weigh.

        Args:
            losses (Mapping[str, Tensor]): Scalar hint loss by teacher.

        Returns:
            dict[str, Tensor]: What is back-propagated, by teacher; it may be negative.
        """
        terms = {teacher: uncertainty_terms(self.log_variances[teacher]) for teacher in losses}
        return {teacher: terms[teacher][0] * loss + terms[teacher][1] for teacher, loss in losses.items()}
