"""All links between the sub-backbones of an expansion."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from mmengine.model import BaseModule
from torch import Tensor

from ..keyed_module_dict import KeyedModuleDict
from .reconciliation_layer import ReconciliationLayer
from .staged_backbone import StageShape


class Reconciliation(BaseModule):
    """Link every ordered pair of tasks: stage ``i`` of a receiver reads the stages ``j <= i`` of the others.

    Cross-task links join equal stages, cross-layer links go from shallow to deep only; the sum lands on the output
    of the receiving stage, before its next stage (paper, Figure 2a; the last stage takes no part as in the sibling).

    Args:
        shapes (Mapping[str, Sequence[StageShape]]): Shapes of the stages of each task's sub-backbone.
        stages (Sequence[int]): Stages that take part, as readers and as read ones, counted from 0.
        detach (bool): Let no gradient flow from a link into the sub-backbone that it reads (sibling).
        final_relu (bool): See :class:`ReconciliationLayer`.
        zero_init (bool): See :class:`ReconciliationLayer`.
        norm_cfg (dict, optional): Normalisation in the links; BN by default.

    Raises:
        ValueError: If a stage does not exist, or two stages have strides that stride-2 blocks cannot join.
    """

    def __init__(self,
                 shapes: Mapping[str, Sequence[StageShape]],
                 stages: Sequence[int] = (0, 1, 2),
                 detach: bool = True,
                 final_relu: bool = False,
                 zero_init: bool = True,
                 norm_cfg: Optional[dict[str, Any]] = None) -> None:
        super().__init__()
        self.stages = tuple(sorted(set(stages)))
        self.detach = detach
        for task, own in shapes.items():
            if any(not 0 <= s < len(own) for s in self.stages):
                raise ValueError(f'reconciliation.stages={tuple(stages)} names a stage that the sub-backbone of task '
                                 f'{task!r} does not have: it has the stages 0 to {len(own) - 1}.')
        options = dict(final_relu=final_relu, zero_init=zero_init, norm_cfg=norm_cfg)
        self.links = KeyedModuleDict({
            receiver: KeyedModuleDict({
                other: KeyedModuleDict({
                    f'{j}_to_{i}': _build_link(other, j, shapes[other][j], receiver, i, shapes[receiver][i], options)
                    for i in self.stages for j in self.stages if j <= i
                }) for other in shapes if other != receiver
            }) for receiver in shapes
        })

    @property
    def last_read(self) -> int:
        """The deepest stage that any link reads, -1 without links."""
        return self.stages[-1] if self.stages else -1

    def sources_of(self, task: str) -> list[str]:
        """Name the tasks whose sub-backbones a task's links read.

        Args:
            task (str): The receiving task.

        Returns:
            list[str]: The other tasks, none if there are no links.
        """
        return list(self.links[task]) if self.stages else []

    def forward(self, task: str, auxiliary: Mapping[str, Sequence[Tensor]], stage: int, x: Tensor) -> Tensor:
        """Add to a stage's output what its links bring from the other sub-backbones.

        Args:
            task (str): The receiving task.
            auxiliary (Mapping[str, Sequence[Tensor]]): Plain features of the other tasks' sub-backbones by stage, each
                ``(N, C_j, H_j, W_j)``.
            stage (int): The receiving stage ``i``.
            x (Tensor): Its output, ``(N, C_i, H_i, W_i)``.

        Returns:
            Tensor: ``(N, C_i, H_i, W_i)``.
        """
        if stage not in self.stages:
            return x
        for other, features in auxiliary.items():
            links = self.links[task][other]
            for j in self.stages:
                if j <= stage:
                    x = x + links[f'{j}_to_{stage}'](features[j])
        return x


def _build_link(other: str, j: int, source: StageShape, receiver: str, i: int, target: StageShape,
                options: dict[str, Any]) -> ReconciliationLayer:
    """Build the link from stage ``j`` of ``other`` into stage ``i`` of ``receiver``."""
    num_downsamples = math.log2(target.stride / source.stride)
    if num_downsamples < 0 or num_downsamples != int(num_downsamples):
        raise ValueError(f'Stage {j} of {other!r} (stride {source.stride}) cannot be linked into stage {i} of '
                         f'{receiver!r} (stride {target.stride}) by blocks of stride 2. Use sub-backbones whose '
                         'strides agree, or leave the stage out of reconciliation.stages.')
    return ReconciliationLayer(source.channels, target.channels, int(num_downsamples), **options)
