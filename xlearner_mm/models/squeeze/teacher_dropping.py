"""Easy teachers are left out now and then."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class TeacherDropping(nn.Module):
    """Keep the teacher with the largest hint loss of a pass, drop each other one at random (idea: arXiv 2408.05088).

    So that no teacher that is learned easily decides the student. Each loss has the weight 1 or 0. The coins are
    torch's own on the CPU, which the train loop keys by step, source and rank.

    Args:
        teachers (Sequence[str]): Names of the teachers.
        probability (float): Chance of being dropped.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is no probability.
    """

    changing = True

    def __init__(self, teachers: Sequence[str], probability: float = 0.5) -> None:
        super().__init__()
        if not isinstance(probability, (int, float)):
            raise TypeError(f'squeeze.weights.probability={probability!r} must be a number from 0 to 1.')
        if not 0 <= probability <= 1:
            raise ValueError(f'squeeze.weights.probability={probability!r} must be from 0 to 1.')
        self.teachers = list(teachers)
        self.probability = probability

    @property
    def active(self) -> list[str]:
        """All teachers: which one is hard is known only after its loss."""
        return self.teachers

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Drop.

        Args:
            losses (Mapping[str, Tensor]): Scalar hint loss by teacher.

        Returns:
            dict[str, Tensor]: What is back-propagated, by teacher: the loss, or 0 times it, so that all ranks have the
                same graph.
        """
        hardest = int(torch.stack([loss.detach() for loss in losses.values()]).argmax())
        dropped = torch.rand(len(losses)) < self.probability
        return {teacher: loss * float(number == hardest or not drop)
                for number, ((teacher, loss), drop) in enumerate(zip(losses.items(), dropped.tolist(), strict=True))}
