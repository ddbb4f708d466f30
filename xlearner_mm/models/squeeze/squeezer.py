"""The squeeze stage: student, connectors and hint losses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng, with_scope

from ..branch import build_branch
from ..expansion import ExpandedBackbone, StageShape, at_output_stride, build_staged_backbone
from ..keyed_module_dict import KeyedModuleDict
from ..phase import Phase


@MODELS.register_module()
class Squeezer(BaseModule):
    """Condense an expanded backbone into one student by feature hints (paper: the squeeze; the losses are ours).

    The frozen expanded backbone is the teacher: for every task whose features are asked for, the student's features
    pass a 1×1 connector, which is dropped at export, and are compared with the teacher's.

    Args:
        expanded (ExpandedBackbone): The teacher; it is not registered here.
        student (dict): Config of the stock backbone that all tasks will share.
        hints (dict, optional): ``stages``: stages that are compared, the last one by default; ``criterion``: config
            of the loss, :class:`HintLoss` by default.
        standardizer (dict, optional): Config of what is applied to teacher features, None for nothing.
        teachers (str): ``all``: every task's features teach on every image; ``own``: a source is taught by its task's.
        branches (dict, optional): Model config by source for the squeeze phase, where a branch cannot go on with the
            student, e.g. because it has another width. The other branches are carried over.

    Raises:
        ValueError: If ``teachers``, a stage of the hints or an overridden branch is not valid.
    """

    phase: Tensor

    def __init__(self,
                 expanded: ExpandedBackbone,
                 student: dict[str, Any],
                 hints: Optional[dict[str, Any]] = None,
                 standardizer: Optional[dict[str, Any]] = None,
                 teachers: str = 'all',
                 branches: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__()
        if teachers not in ('all', 'own'):
            raise ValueError(f"squeeze.teachers={teachers!r} must be 'all' or 'own'.")
        self.teachers = teachers
        self.register_buffer('phase', torch.tensor(int(Phase.EXPANSION)))
        # Past nn.Module's bookkeeping: the teacher's weights stand in the state dict once, as `backbone`.
        object.__setattr__(self, 'expanded', expanded)
        with keyed_rng(torch.initial_seed(), 'student'):
            self.student = MODELS.build(with_scope(student))
        self.staged = build_staged_backbone(self.student)
        self.by_task = at_output_stride(dict.fromkeys(expanded.tasks, self.staged), expanded.output_stride)
        self._build_hints(**(hints or {}))
        self.standardizer = nn.Identity() if standardizer is None else MODELS.build(standardizer)
        self.branches = KeyedModuleDict()
        for source, model in (branches or {}).items():
            with keyed_rng(torch.initial_seed(), source):
                self.branches[source] = build_branch(source, model)
        self._recorded: Optional[list[tuple[Tensor, list[Tensor]]]] = None

    def _build_hints(self, stages: Optional[Sequence[int]] = None, criterion: Optional[dict[str, Any]] = None) -> None:
        own, teachers = self.staged.level_shapes(), self.expanded.level_shapes()
        depth = min(len(own), *(len(shapes) for shapes in teachers.values()))
        self.stages = (depth - 1, ) if stages is None else tuple(sorted(set(stages)))
        if not self.stages or any(not 0 <= s < depth for s in self.stages):
            raise ValueError(f'squeeze.hints.stages={stages!r} must name levels that student and teachers have: '
                             f'0 to {depth - 1}.')
        self.criterion = MODELS.build(criterion or dict(type='xlearner_mm.HintLoss'))
        self.connectors = ModuleDict({
            task: ModuleDict({str(s): _connector(own[s], shapes[s], task, s) for s in self.stages})
            for task, shapes in teachers.items()
        })

    def init_weights(self) -> None:
        """Initialise student and branches, each under its own key; connectors are so from their construction."""
        for name in ('student', 'branches'):
            with keyed_rng(torch.initial_seed(), name):
                getattr(self, name).init_weights()

    def forward(self, x: Tensor, task: str, last: int) -> list[Any]:
        """Run the student.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            task (str): Task of the images' source.
            last (int): Last stage that the caller needs.

        Returns:
            list[Tensor]: Outputs of the stages, each ``(N, C_i, H_i, W_i)``.
        """
        staged = self.by_task[task]
        if self._recorded is None:
            return staged.features(x, last)
        features = staged.features(x, max(last, staged.levels[self.stages[-1]]))
        self._recorded.append((x, staged.level_maps(features)))
        return features

    @contextmanager
    def recording(self) -> Iterator[list[tuple[Tensor, list[Tensor]]]]:
        """Keep what the student is given and gives, so that the hints need no second pass.

        Yields:
            list: Pairs of images ``(N, 3, H, W)`` and maps by level, one a pass.
        """
        self._recorded = []
        try:
            yield self._recorded
        finally:
            self._recorded = None

    def hint_losses(self, x: Tensor, features: Sequence[Tensor], task: str) -> dict[str, Tensor]:
        """Compare the student's features with those of the teachers on the same images.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            features (Sequence[Tensor]): The student's maps by level, each ``(N, C_i, H_i, W_i)``.
            task (str): Task of the images' source.

        Returns:
            dict[str, Tensor]: Scalar loss by teacher, ``loss_hint.<teacher>``, the mean over the stages.
        """
        tasks = self.expanded.tasks if self.teachers == 'all' else [task]
        with torch.no_grad():
            targets = self.expanded.forward_tasks(x, tasks, self.stages[-1])
        losses = {}
        for teacher, target in targets.items():
            terms = [
                self.criterion(self.connectors[teacher][str(s)](features[s]), self.standardizer(target[s]))
                for s in self.stages
            ]
            losses[f'loss_hint.{teacher}'] = torch.stack(terms).mean()
        return losses


def _connector(student: StageShape, teacher: StageShape, task: str, stage: int) -> nn.Conv2d:
    """A 1×1 convolution from the student's channels to the teacher's, initialised under a key of its own."""
    with keyed_rng(torch.initial_seed(), 'connectors', task, stage):
        return nn.Conv2d(student.channels, teacher.channels, 1)
