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

    The stages of the paper's figure are the *levels* of a staged backbone: those of a ResNet, and what fits them in
    families that count finer (ours).

    Cross-task links join equal stages, cross-layer links go from shallow to deep only; the sum lands on the output
    of the receiving stage, before its next stage (paper, Figure 2a; the last stage takes no part as in the sibling).

    Args:
        shapes (Mapping[str, Sequence[StageShape]]): Shapes of the levels of each task's sub-backbone.
        stages (Sequence[int], optional): Stages that take part, as readers and as read ones, counted from 0; by default
            all but the last one of the sub-backbone with the fewest.
        detach (bool): Let no gradient flow from a link into the sub-backbone that it reads (sibling).
        wiring (str): ``paper``; ``same_level``: cross-task links only; ``none``.
        final_relu (bool): See :class:`ReconciliationLayer`.
        zero_init (bool): See :class:`ReconciliationLayer`.
        norm_cfg (dict, optional): Normalisation in the links; BN by default.

    Raises:
        ValueError: If a stage or the wiring does not exist.
    """

    WIRINGS = ('paper', 'same_level', 'none')

    def __init__(self,
                 shapes: Mapping[str, Sequence[StageShape]],
                 stages: Optional[Sequence[int]] = None,
                 detach: bool = True,
                 wiring: str = 'paper',
                 final_relu: bool = False,
                 zero_init: bool = True,
                 norm_cfg: Optional[dict[str, Any]] = None) -> None:
        super().__init__()
        if wiring not in self.WIRINGS:
            raise ValueError(f'reconciliation.wiring={wiring!r} must be one of {", ".join(self.WIRINGS)}.')
        if stages is None:
            stages = range(min(map(len, shapes.values())) - 1)
        self.stages = () if wiring == 'none' else tuple(sorted(set(stages)))
        self.wiring = wiring
        self.detach = detach
        for task, own in shapes.items():
            if any(not 0 <= s < len(own) for s in stages):
                raise ValueError(f'reconciliation.stages={tuple(stages)} names a stage that the sub-backbone of task '
                                 f'{task!r} does not have: its levels are 0 to {len(own) - 1}.')
        options = dict(final_relu=final_relu, zero_init=zero_init, norm_cfg=norm_cfg)
        self.links = KeyedModuleDict({
            receiver: KeyedModuleDict({
                other: KeyedModuleDict({
                    f'{j}_to_{i}': _build_link(shapes[other][j], shapes[receiver][i], options)
                    for i in self.stages for j in self._read_by(i)
                }) for other in shapes if other != receiver
            }) for receiver in shapes
        })

    def _read_by(self, stage: int) -> list[int]:
        """Give the stages of another sub-backbone that a stage reads."""
        return [j for j in self.stages if j == stage or (j < stage and self.wiring == 'paper')]

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
            for j in self._read_by(stage):
                x = x + links[f'{j}_to_{stage}'](features[j], x.shape[-2:])
        return x


def _build_link(source: StageShape, target: StageShape, options: dict[str, Any]) -> ReconciliationLayer:
    """Build a link, with as many blocks of stride 2 as bring it nearest to the receiver: i - j for ordinary nets."""
    num_downsamples = max(0, round(math.log2(target.stride / source.stride)))
    return ReconciliationLayer(source.channels, target.channels, num_downsamples, **options)
