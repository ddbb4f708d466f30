"""The backbone of the expansion stage."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import as_dict_by_source, keyed_rng, with_scope

from ..keyed_module_dict import KeyedModuleDict
from .auxiliary_norms import AuxiliaryNorms
from .dilation import at_output_stride
from .reconciliation import Reconciliation
from .staged_backbone import StageShape, build_staged_backbone, plain_pass


@MODELS.register_module()
class ExpandedBackbone(BaseModule):
    """One sub-backbone a task, joined by reconciliation layers (paper, Section "Expansion" and Figure 2a).

    The other sub-backbones run first, plain, on the same image (sibling): nothing flows into them, they stop after the
    last stage that a link reads and, with ``detach``, keep no graph.

    Args:
        sub_backbones (dict): Stock backbone config by task.
        reconciliation (dict, optional): Arguments of :class:`Reconciliation`.
        auxiliary_norm (str): Statistics of BN in those passes. ``shared``: the running ones of the sub-backbone,
            without updating them (sibling); ``per_task``: a set for each task that reads it, see
            :class:`AuxiliaryNorms`.
        output_stride (Mapping[str, int], optional): Output stride of the tasks whose sub-backbone runs dilated, as
            :class:`XLearner` passes it on.
        frozen (Sequence[str]): Tasks whose sub-backbones are not trained and stay in eval mode.
        init_cfg (dict, optional): Initialisation config.

    Raises:
        ValueError: If a backbone's family is not supported, the links cannot be built or trained, or a setting names
            what does not exist.
    """

    AUXILIARY_NORMS = ('shared', 'per_task')

    def __init__(self,
                 sub_backbones: Mapping[str, Any],
                 reconciliation: Optional[dict[str, Any]] = None,
                 auxiliary_norm: str = 'shared',
                 output_stride: Optional[Mapping[str, int]] = None,
                 frozen: Sequence[str] = (),
                 init_cfg: Optional[dict[str, Any]] = None) -> None:
        super().__init__(init_cfg)
        self.sub_backbones = KeyedModuleDict()
        for task, cfg in as_dict_by_source(sub_backbones, 'backbone.sub_backbones', 'Task').items():
            with keyed_rng(torch.initial_seed(), task):
                self.sub_backbones[task] = MODELS.build(with_scope(cfg))
        self.output_stride = dict(output_stride or {})
        self.staged = at_output_stride({task: build_staged_backbone(b) for task, b in self.sub_backbones.items()},
                                       self.output_stride)
        self.reconciliation = Reconciliation(self.level_shapes(), **(reconciliation or {}))
        if auxiliary_norm not in self.AUXILIARY_NORMS:
            raise ValueError(f'backbone.auxiliary_norm={auxiliary_norm!r} must be one of '
                             f'{", ".join(self.AUXILIARY_NORMS)}.')
        self.auxiliary_norms: Optional[KeyedModuleDict] = None
        if auxiliary_norm == 'per_task':
            self.auxiliary_norms = KeyedModuleDict({
                task: AuxiliaryNorms(backbone, [t for t in self.tasks if task in self.reconciliation.sources_of(t)])
                for task, backbone in self.sub_backbones.items()})
        self._freeze(frozen)
        for task, backbone in self.sub_backbones.items():
            if not self.reconciliation.detach and any(getattr(m, 'with_cp', False) for m in backbone.modules()):
                raise ValueError(f'The sub-backbone of task {task!r} has with_cp=True, which does not go with '
                                 'reconciliation.detach=False: its checkpointed blocks would be run again in training '
                                 'mode for gradients of a pass in eval mode. Turn one of them off.')

    def _freeze(self, frozen: Sequence[str]) -> None:
        unknown = [frozen] if isinstance(frozen, str) else [task for task in frozen if task not in self.tasks]
        if unknown:
            raise ValueError(f'backbone.frozen={frozen!r} must be a list of tasks out of {", ".join(self.tasks)}.')
        self._frozen = tuple(frozen)
        for task in frozen:
            self.sub_backbones[task].requires_grad_(False)

    def train(self, mode: bool = True) -> 'ExpandedBackbone':
        """Set the training mode; frozen sub-backbones stay in eval mode.

        Args:
            mode (bool): Training or evaluation.

        Returns:
            ExpandedBackbone: The backbone itself.
        """
        super().train(mode)
        for task in self._frozen:
            self.sub_backbones[task].eval()
        return self

    @property
    def tasks(self) -> list[str]:
        """Tasks that have a sub-backbone, in the order of the config."""
        return list(self.staged)

    def level_shapes(self) -> dict[str, list[StageShape]]:
        """Give channels and strides of the levels of every sub-backbone.

        Returns:
            dict[str, list[StageShape]]: By task.
        """
        return {task: staged.level_shapes() for task, staged in self.staged.items()}

    def forward(self, x: Tensor, task: str, last: Optional[int] = None) -> list[Any]:
        """Run a task's sub-backbone with its links.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            task (str): The task.
            last (int, optional): Last stage to run; all of them by default.

        Returns:
            list[Tensor]: Outputs of the stages, each ``(N, C_i, H_i, W_i)``.
        """
        reached = None if last is None else sum(stage <= last for stage in self.staged[task].levels) - 1
        auxiliary = self._auxiliary(x, self.reconciliation.sources_of(task), reached, task)
        return self._expand(task, auxiliary, x, last)

    def forward_tasks(self, x: Tensor, tasks: Sequence[str], last_level: Optional[int] = None
                      ) -> dict[str, list[Tensor]]:
        """Run the sub-backbones of several tasks on the same images; plain features are computed once for all.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            tasks (Sequence[str]): The tasks.
            last_level (int, optional): Last level to run to; all of them by default.

        Returns:
            dict[str, list[Tensor]]: Maps of the levels by task, each ``(N, C, H, W)``.
        """
        sources = self.reconciliation.sources_of
        auxiliary = {}
        if self.auxiliary_norms is None:
            read = dict.fromkeys(source for task in tasks for source in sources(task))
            auxiliary = self._auxiliary(x, read, last_level)
        maps = {}
        for task in tasks:
            staged = self.staged[task]
            own = auxiliary if self.auxiliary_norms is None else self._auxiliary(x, sources(task), last_level, task)
            last = None if last_level is None else staged.levels[last_level]
            maps[task] = staged.level_maps(self._expand(task, own, x, last))
        return maps

    def _expand(self, task: str, auxiliary: dict[str, list[Any]], x: Tensor, last: Optional[int]) -> list[Any]:
        others = {source: self.staged[source].level_maps(auxiliary[source])
                  for source in self.reconciliation.sources_of(task)}
        # A teacher's own plain features, where they were needed anyhow, are what its pass with links begins with.
        same = task in auxiliary and not torch.is_grad_enabled() and not self.sub_backbones[task].training
        return self.staged[task].features(x, last, lambda level, y: self.reconciliation(task, others, level, y),
                                          plain=auxiliary[task] if same else ())

    def _auxiliary(self, x: Tensor, tasks: Iterable[str], last_level: Optional[int],
                   reader: str = '') -> dict[str, list[Any]]:
        """Plain features of some sub-backbones, up to the last level that a link reads."""
        deepest = self.reconciliation.last_read
        if last_level is not None:
            deepest = min(last_level, deepest)
        features: dict[str, list[Any]] = {}
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.reconciliation.detach):
            for task in tasks:
                backbone, staged = self.sub_backbones[task], self.staged[task]
                with plain_pass(backbone) if self.auxiliary_norms is None else (
                        self.auxiliary_norms[task].reading_for(reader, backbone)):
                    features[task] = staged.features(x, staged.levels[deepest] if deepest >= 0 else -1)
            if torch.is_autocast_cache_enabled():
                # torch 2.1 would give the copies without gradient to a later pass that trains these weights.
                torch.clear_autocast_cache()
        return features
