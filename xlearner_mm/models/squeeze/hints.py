"""Which features of student and teachers are compared, and by what."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

import torch
from mmengine.model import ModuleDict
from torch import nn

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng

from ..expansion import StageShape

NATIVE = 'native'


class HintPair(NamedTuple):
    """A level of the student and the level of a teacher that it is compared with."""

    student: int
    teacher: int

    @property
    def key(self) -> str:
        """Name of what belongs to it in the state dict."""
        return str(self.teacher) if self.student == self.teacher else f'{self.student}_to_{self.teacher}'


class HintsCfg(NamedTuple):
    """What ``squeeze.hints`` says.

    Args:
        stages (Sequence, optional): Levels that are compared, each a number for both or ``(student, teacher)``; the
            last one by default.
        connector (dict, optional): Config of the connectors; :class:`LinearConnector` by default.
        criterion (dict, optional): Config of the loss; :class:`HintLoss` by default.
        sizes (Sequence): Sizes of the images on which student and teachers are compared; one is drawn a pass.
            ``'native'`` is the size as it comes; a number the length of the shorter side.
    """

    stages: Optional[Sequence[Union[int, Sequence[int]]]] = None
    connector: Optional[dict[str, Any]] = None
    criterion: Optional[dict[str, Any]] = None
    sizes: Sequence[Union[str, int]] = (NATIVE, )

    @classmethod
    def parse(cls, cfg: Optional[Mapping[str, Any]]) -> 'HintsCfg':
        """Read and check ``squeeze.hints``.

        Args:
            cfg (Mapping, optional): Its entry in the config.

        Returns:
            HintsCfg: The checked entry.

        Raises:
            TypeError: If it has other keys.
            ValueError: If a size is not valid.
        """
        try:
            hints = cls(**(cfg or {}))
        except TypeError as error:
            raise TypeError(f'squeeze.hints takes the keys {", ".join(cls._fields)}, got {sorted(cfg or ())}: {error}.'
                            ) from error
        wrong = [s for s in hints.sizes if s != NATIVE and not (isinstance(s, int) and s > 0)]
        if wrong or not hints.sizes or isinstance(hints.sizes, str):
            raise ValueError(f"squeeze.hints.sizes={hints.sizes!r} must be a list of 'native' and numbers of pixels.")
        return hints

    def pairs(self, student: int, teachers: Mapping[str, int]) -> list[HintPair]:
        """Give the levels that are compared.

        Args:
            student (int): Number of the student's levels.
            teachers (Mapping[str, int]): Numbers of the teachers' levels.

        Returns:
            list[HintPair]: The pairs, deepest last.

        Raises:
            ValueError: If a level does not exist.
        """
        depth = min(teachers.values())
        if self.stages is None:
            return [HintPair(student - 1, depth - 1)]
        pairs = sorted({HintPair(s, s) if isinstance(s, int) else HintPair(*s) for s in self.stages})
        if not pairs or any(not (0 <= p.student < student and 0 <= p.teacher < depth) for p in pairs):
            raise ValueError(f'squeeze.hints.stages={self.stages!r} must name levels, or pairs of them (student, '
                             f'teacher): the student has 0 to {student - 1}, every teacher 0 to {depth - 1}.')
        return pairs


def build_connectors(cfg: Optional[dict[str, Any]], pairs: Sequence[HintPair], student: Sequence[StageShape],
                     teachers: Mapping[str, Sequence[StageShape]]) -> ModuleDict:
    """Build a connector for each teacher and pair, initialised under a key of its own.

    Args:
        cfg (dict, optional): Config of a connector; :class:`LinearConnector` by default.
        pairs (Sequence[HintPair]): The levels that are compared.
        student (Sequence[StageShape]): Shapes of the student's levels.
        teachers (Mapping[str, Sequence[StageShape]]): Shapes of the levels by teacher.

    Returns:
        ModuleDict: Connector by teacher and :attr:`HintPair.key`.
    """

    def _build(name: str, pair: HintPair) -> nn.Module:
        channels = [shape.channels for shape in student[:pair.student + 1]]
        with keyed_rng(torch.initial_seed(), 'connectors', name, pair.key if pair.student != pair.teacher
                       else pair.teacher):
            return MODELS.build(dict(cfg or dict(type='xlearner_mm.LinearConnector'), in_channels=channels,
                                     out_channels=teachers[name][pair.teacher].channels))

    return ModuleDict({name: ModuleDict({pair.key: _build(name, pair) for pair in pairs}) for name in teachers})


def build_standardizers(cfg: Optional[dict[str, Any]], pairs: Sequence[HintPair],
                        teachers: Mapping[str, Sequence[StageShape]]) -> ModuleDict:
    """Build a standardizer for each teacher and level of it.

    Args:
        cfg (dict, optional): Config of a standardizer; None for nothing.
        pairs (Sequence[HintPair]): The levels that are compared.
        teachers (Mapping[str, Sequence[StageShape]]): Shapes of the levels by teacher.

    Returns:
        ModuleDict: Standardizer by teacher and level.
    """
    levels = sorted({pair.teacher for pair in pairs})
    return ModuleDict({
        name: ModuleDict({
            str(level): nn.Identity() if cfg is None else MODELS.build(dict(cfg, num_features=shapes[level].channels))
            for level in levels
        }) for name, shapes in teachers.items()
    })
