"""All teachers of a squeeze."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ..expansion import ExpandedBackbone, StageShape
from ..keyed_module_dict import KeyedModuleDict
from ..normalisation import Normalisation
from .external_teacher import ExternalTeacher


class Teachers(BaseModule):
    """The sub-backbones of the frozen expansion, links included, and teachers that were trained elsewhere.

    They run in eval mode and without a graph (paper: the expansion teaches; external teachers are ours).

    Args:
        expanded (ExpandedBackbone): The expansion; it is not registered here.
        external (Mapping[str, dict], optional): Arguments of :class:`ExternalTeacher` by name.
        which (str): ``all``: every task's sub-backbone teaches on every image; ``own``: that of the image's task.
            External ones teach on every image.
        dtype (str, optional): ``bfloat16``: teachers run under autocast to it.

    Raises:
        TypeError: If an external teacher has other arguments.
        ValueError: If a name is taken, or a setting unknown.
    """

    WHICH = ('all', 'own')
    DTYPES = (None, 'bfloat16')

    def __init__(self,
                 expanded: ExpandedBackbone,
                 external: Optional[Mapping[str, Any]] = None,
                 which: str = 'all',
                 dtype: Optional[str] = None) -> None:
        super().__init__()
        if which not in self.WHICH:
            raise ValueError(f"squeeze.teachers={which!r} must be 'all' or 'own'.")
        if dtype not in self.DTYPES:
            raise ValueError(f"squeeze.teacher_dtype={dtype!r} must be None or 'bfloat16'.")
        # Past nn.Module's bookkeeping: the expansion's weights stand in the state dict once, as `backbone`.
        object.__setattr__(self, 'expanded', expanded)
        self.which, self.dtype = which, dtype
        taken = set(external or ()) & set(expanded.tasks)
        if taken:
            raise ValueError(f'squeeze.external names {sorted(taken)}, which are tasks of the expansion. Rename them.')
        self.external = KeyedModuleDict()
        for name, cfg in (external or {}).items():
            try:
                self.external[name] = ExternalTeacher(name=name, **cfg)
            except TypeError as error:
                raise TypeError(f'squeeze.external.{name} must be dict(model=..., checkpoint=...), got {cfg!r}: {error}'
                                ) from error

    @property
    def names(self) -> list[str]:
        """Tasks of the expansion, then the external ones."""
        return [*self.expanded.tasks, *self.external]

    def level_shapes(self) -> dict[str, list[StageShape]]:
        """Give channels and strides of the levels of every teacher.

        Returns:
            dict[str, list[StageShape]]: By teacher.
        """
        return {**self.expanded.level_shapes(), **{n: t.staged.level_shapes() for n, t in self.external.items()}}

    def of_task(self, task: str) -> list[str]:
        """Name the teachers of a task's images.

        Args:
            task (str): The task.

        Returns:
            list[str]: Their names.
        """
        return self.names if self.which == 'all' else [task, *self.external]

    @torch.no_grad()
    def forward(self, x: Tensor, names: Sequence[str], normalisation: Normalisation,
                last_level: int) -> dict[str, list[Tensor]]:
        """Run some teachers.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            names (Sequence[str]): The teachers.
            normalisation (Normalisation): How the images were normalised.
            last_level (int): Last level that is needed.

        Returns:
            dict[str, list[Tensor]]: Maps of the levels by teacher, each ``(N, C, H, W)``.
        """
        tasks = [name for name in names if name not in self.external]
        with nullcontext() if self.dtype is None else torch.autocast(x.device.type, dtype=torch.bfloat16):
            targets = self.expanded.forward_tasks(x, tasks, last_level) if tasks else {}
            for name in names:
                if name in self.external:
                    targets[name] = self.external[name](x, normalisation, last_level)
        return {name: targets[name] for name in names}
