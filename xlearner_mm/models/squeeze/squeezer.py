"""The squeeze stage: student, teachers, connectors and hint losses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng, with_scope

from ..branch import build_branch
from ..expansion import ExpandedBackbone, at_output_stride, build_staged_backbone
from ..keyed_module_dict import KeyedModuleDict
from ..normalisation import Normalisation
from ..phase import Phase
from .hints import NATIVE, HintsCfg, build_connectors, build_standardizers
from .student_start import check_start, start_state
from .teachers import Teachers
from .weight_schedule import WeightSchedule


@MODELS.register_module()
class Squeezer(BaseModule):
    """Condense an expanded backbone into one student by feature hints (paper: the squeeze; the losses are ours).

    The frozen expanded backbone is the teacher: for every task whose features are asked for, the student's features
    pass a connector, which is dropped at export, and are compared with the teacher's.

    Args:
        expanded (ExpandedBackbone): The expansion; it is not registered here.
        student (dict): Config of the stock backbone that all tasks will share.
        start (str): What the student begins with at the switch: ``scratch`` (its own initialisation, ``init_cfg``
            included), a task, for the weights of its sub-backbone, or ``mean`` of all.
        hints (dict, optional): See :class:`HintsCfg`.
        standardizer (dict, optional): Config of what is applied to teacher features, None for nothing.
        teachers (str): ``all`` or ``own``, see :class:`Teachers`.
        external (Mapping[str, dict], optional): Further teachers, see :class:`ExternalTeacher`.
        teacher_dtype (str, optional): See :class:`Teachers`.
        weights (dict, optional): Config of the teachers' weights; :class:`StaticTeacherWeights` by default.
        supervised (float or Sequence): Weight of the supervised losses, see :class:`WeightSchedule`; where it is 0, the
            branches do not run.
        branches (dict, optional): Model config by source for the squeeze phase, where a branch cannot go on with the
            student, e.g. because it has another width. The other branches are carried over.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is not valid.
    """

    phase: Tensor

    def __init__(self,
                 expanded: ExpandedBackbone,
                 student: dict[str, Any],
                 start: str = 'scratch',
                 hints: Optional[dict[str, Any]] = None,
                 standardizer: Optional[dict[str, Any]] = None,
                 teachers: str = 'all',
                 external: Optional[Mapping[str, Any]] = None,
                 teacher_dtype: Optional[str] = None,
                 weights: Optional[dict[str, Any]] = None,
                 supervised: Union[float, Sequence[Sequence[float]]] = 1.0,
                 branches: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__()
        self.register_buffer('phase', torch.tensor(int(Phase.EXPANSION)))
        with keyed_rng(torch.initial_seed(), 'student'):
            self.student = MODELS.build(with_scope(student))
        check_start(start, self.student, expanded.sub_backbones)
        self.start = start
        self.staged = build_staged_backbone(self.student)
        self.by_task = at_output_stride(dict.fromkeys(expanded.tasks, self.staged), expanded.output_stride)
        self.teachers = Teachers(expanded, external, teachers, teacher_dtype)
        self._build_hints(HintsCfg.parse(hints), standardizer)
        self.weights = MODELS.build(dict(weights or dict(type='xlearner_mm.StaticTeacherWeights'),
                                         teachers=self.teachers.names))
        self.supervised = WeightSchedule('squeeze.supervised', supervised)
        self._check_losses()
        self.branches = KeyedModuleDict()
        for source, model in (branches or {}).items():
            with keyed_rng(torch.initial_seed(), source):
                self.branches[source] = build_branch(source, model)
        self.step = 0  # steps done in this phase; the train step says so
        self._recorded: Optional[list[tuple[Tensor, list[Tensor]]]] = None

    def _build_hints(self, cfg: HintsCfg, standardizer: Optional[dict[str, Any]]) -> None:
        own, teachers = self.staged.level_shapes(), self.teachers.level_shapes()
        self.pairs = cfg.pairs(len(own), {name: len(shapes) for name, shapes in teachers.items()})
        self.sizes = tuple(cfg.sizes)
        self.connectors = build_connectors(cfg.connector, self.pairs, own, teachers)
        self.standardizers = build_standardizers(standardizer, self.pairs, teachers)
        self.criterion = MODELS.build(cfg.criterion or dict(type='xlearner_mm.HintLoss'))

    def _check_losses(self) -> None:
        """Refuse a task without any loss: no teacher has a weight, and the supervised losses are off."""
        for task in self.teachers.expanded.tasks:
            taught = set(self.teachers.of_task(task)) & set(self.weights.active)
            if not taught and min(self.supervised.weights) == 0:
                raise ValueError(f'Sources of task {task!r} would have no loss in the squeeze: squeeze.supervised is 0 '
                                 'and no teacher of theirs has a weight. Mend squeeze.supervised or squeeze.weights.')

    def init_weights(self) -> None:
        """Initialise student, branches and external teachers, each under its own key; connectors are so when built."""
        for name in ('student', 'branches', 'teachers'):
            with keyed_rng(torch.initial_seed(), name):
                getattr(self, name).init_weights()

    @property
    def last_level(self) -> int:
        """The student's deepest level that is compared."""
        return max(pair.student for pair in self.pairs)

    def start_student(self) -> None:
        """Give the student the weights that it begins with; for the moment of the switch."""
        if self.start != 'scratch':
            self.student.load_state_dict(start_state(self.start, self.teachers.expanded.sub_backbones))

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
        features = staged.features(x, max(last, staged.levels[self.last_level]))
        self._recorded.append((x, staged.level_maps(features)))
        return features

    def level_maps(self, x: Tensor, task: str) -> list[Tensor]:
        """Run the student up to the deepest level that is compared.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            task (str): Task of the images' source.

        Returns:
            list[Tensor]: Maps of the levels, each ``(N, C, H, W)``.
        """
        staged = self.by_task[task]
        return staged.level_maps(staged.features(x, staged.levels[self.last_level]))

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

    def hint_losses(self, x: Tensor, features: Sequence[Tensor], task: str,
                    normalisation: Normalisation) -> dict[str, Tensor]:
        """Compare the student's features with those of the teachers on the same images.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            features (Sequence[Tensor]): The student's maps by level, each ``(N, C_i, H_i, W_i)``.
            task (str): Task of the images' source.
            normalisation (Normalisation): How the images were normalised.

        Returns:
            dict[str, Tensor]: Scalar loss by teacher, ``loss_hint.<teacher>``, the mean over what is compared; with
                weights that change, ``hint.<teacher>``, the loss before them.
        """
        names = [name for name in self.teachers.of_task(task) if name in self.weights.active]
        if not names:
            return {}
        size = self.sizes[int(torch.randint(len(self.sizes), ())) if len(self.sizes) > 1 else 0]
        if size != NATIVE:
            x = resize_shorter_side(x, int(size))
            features = self.level_maps(x, task)
        distances = self.distances(x, features, names, normalisation)
        losses = {f'loss_hint.{name}': loss for name, loss in self.weights(distances).items()}
        if self.weights.changing:
            losses.update({f'hint.{name}': distance.detach() for name, distance in distances.items()})
        return losses

    def distances(self, x: Tensor, features: Sequence[Tensor], names: Sequence[str],
                  normalisation: Normalisation) -> dict[str, Tensor]:
        """Give the distance of the student's features from those of some teachers, unweighted.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            features (Sequence[Tensor]): The student's maps by level, each ``(N, C_i, H_i, W_i)``.
            names (Sequence[str]): The teachers.
            normalisation (Normalisation): How the images were normalised.

        Returns:
            dict[str, Tensor]: Scalar by teacher, the mean over what is compared.
        """
        return {name: torch.stack([self.criterion(*pair) for pair in pairs]).mean()
                for name, pairs in self.compared(x, features, names, normalisation).items()}

    def compared(self, x: Tensor, features: Sequence[Tensor], names: Sequence[str],
                 normalisation: Normalisation) -> dict[str, list[tuple[Tensor, Tensor]]]:
        """Give what is compared: connected maps of the student, and standardised ones of some teachers.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            features (Sequence[Tensor]): The student's maps by level, each ``(N, C_i, H_i, W_i)``.
            names (Sequence[str]): The teachers.
            normalisation (Normalisation): How the images were normalised.

        Returns:
            dict[str, list[tuple[Tensor, Tensor]]]: By teacher, for each of :attr:`pairs` two maps ``(N, C, H, W)`` of
                the teacher's width; their sizes may differ.
        """
        last = max(pair.teacher for pair in self.pairs)
        targets = self.teachers(x, names, normalisation, last)
        both = {}
        for name in names:
            with torch.no_grad():
                wanted = {pair.teacher: self.standardizers[name][str(pair.teacher)](targets[name][pair.teacher].float())
                          for pair in self.pairs}
            both[name] = [(self.connectors[name][pair.key](features[:pair.student + 1]), wanted[pair.teacher])
                          for pair in self.pairs]
        return both


def resize_shorter_side(x: Tensor, size: int, multiple: int = 32) -> Tensor:
    """Bring the shorter side of images to a size, both sides rounded to a multiple.

    Args:
        x (Tensor): Images of shape ``(N, 3, H, W)``.
        size (int): Length in pixels.
        multiple (int): What the sides are multiples of.

    Returns:
        Tensor: ``(N, 3, H', W')``.
    """
    scale = size / min(x.shape[-2:])
    sides = [max(multiple, round(side * scale / multiple) * multiple) for side in x.shape[-2:]]
    return F.interpolate(x, sides, mode='bilinear', align_corners=False, antialias=scale < 1)
