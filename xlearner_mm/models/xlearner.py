"""The model of X-Learner."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import Key, keyed_rng

from .branch import build_branches, parse_branches, ports_of
from .expansion import ExpandedBackbone, StagedBackbone, at_output_stride, build_backbone, build_staged_backbone
from .gradient_reducer import GradientReducer
from .multi_source_data_preprocessor import MultiSourceDataPreprocessor
from .non_finite_guard import NonFiniteGuard
from .phase import Phase
from .port_check import check_ports
from .shared_parts import SharedParts
from .source_gradients import SourceGradients
from .squeeze import Squeezer, build_squeezer
from .squeeze_losses import squeeze_losses
from .stock_checkpoint import load_stock_checkpoint
from .train_step import train_step
from .weighting import LossWeighting, build_weighting, weigh_losses


@MODELS.register_module()
class XLearner(BaseModel):
    """Learn one backbone across sources and tasks (paper: expansion, then squeeze).

    A branch is a whole stock model of mmdet, mmseg or mmpretrain whose backbone is a :class:`BackbonePort`. With a
    plain backbone instead of an :class:`ExpandedBackbone` all sources share it (hard sharing, a baseline).

    Args:
        backbone (dict): Config of an :class:`ExpandedBackbone`, or of a stock backbone.
        branches (dict): ``dict(task=..., model=..., loss_weight=1.0, checkpoint=None)`` by source, see
            :class:`BranchCfg`.
        squeeze (dict, optional): Arguments of :class:`Squeezer`; None for a model without a squeeze phase.
        output_stride (Mapping[str, int], optional): Output stride by task, for tasks whose images run through a ResNet
            dilated, with the same weights: sub-backbone, shared backbone and student alike.
        shared (Mapping[str, Sequence[str]], optional): By task, what its sources share of their stock models, see
            :class:`SharedParts`.
        weighting (dict, optional): Config of a :class:`LossWeighting` on top of the ``loss_weight`` of the branches.

    Attributes:
        guard (NonFiniteGuard): Skips steps that are not finite.
        keep_gradients (bool): Whether train steps keep the gradients of the sources apart; some weightings always do.
        source_gradients (SourceGradients, optional): Where they are after such a step.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a source's name, task, weight or model is not valid.
    """

    def __init__(self,
                 backbone: dict[str, Any],
                 branches: Mapping[str, Any],
                 squeeze: Optional[dict[str, Any]] = None,
                 output_stride: Optional[Mapping[str, int]] = None,
                 shared: Optional[Mapping[str, Sequence[str]]] = None,
                 weighting: Optional[dict[str, Any]] = None) -> None:
        super().__init__()
        with keyed_rng(torch.initial_seed(), 'backbone'):
            self.backbone = build_backbone(backbone, output_stride or {})
        expanded = isinstance(self.backbone, ExpandedBackbone)
        self._cfgs = parse_branches(branches, self.backbone.tasks if expanded else None)
        self._staged = self.backbone.staged if expanded else at_output_stride(
            dict.fromkeys(self.tasks.values(), build_staged_backbone(self.backbone)), output_stride or {})
        self.shared = SharedParts(shared, self.tasks)
        self.branches = build_branches(self._cfgs)
        self.shared.share(self.branches, 'model.branches')
        self.data_preprocessor = MultiSourceDataPreprocessor(
            {source: branch.data_preprocessor for source, branch in self.branches.items()})
        self.squeeze: Optional[Squeezer] = None
        if squeeze is not None:
            models = {source: cfg.model for source, cfg in self._cfgs.items()}
            self.squeeze = build_squeezer(squeeze, self.backbone, models, self.shared)
        self.weighting: LossWeighting = build_weighting(weighting, list(self._cfgs))
        self.guard = NonFiniteGuard(list(self._cfgs))
        self.keep_gradients = False
        self.source_gradients: Optional[SourceGradients] = None
        self._phase = Phase.EXPANSION
        self._frozen = {name for name, p in self.named_parameters() if not p.requires_grad}  # by their own configs
        self._bind_ports()
        self.set_phase(Phase.EXPANSION)
        self.register_load_state_dict_post_hook(_follow_loaded_phase)

    def _bind_ports(self) -> None:
        for source, cfg in self._cfgs.items():
            readers = {self.branches[source]: [self._staged[cfg.task]]}
            if self.squeeze is not None:
                in_squeeze = self.squeeze.branches[source] if source in self.squeeze.branches else self.branches[source]
                readers.setdefault(in_squeeze, []).append(self.squeeze.by_task[cfg.task])
            for model, backbones in readers.items():
                check_ports(source, ports_of(model), backbones)
                for port in ports_of(model):
                    port.bind(self, source)

    def init_weights(self) -> None:
        """Initialise every part under a key of its own: (seed, name of the part)."""
        with self.shared.copied(self.branches, {} if self.squeeze is None else self.squeeze.branches):
            for name in ('backbone', 'branches', 'squeeze'):
                module = getattr(self, name)
                if module is not None:
                    with keyed_rng(torch.initial_seed(), name):
                        module.init_weights()
        for source, cfg in self._cfgs.items():
            if cfg.checkpoint is not None:
                with self.shared.whole(source, self.branches[source]) as branch:
                    load_stock_checkpoint(source, cfg.checkpoint, branch, self._staged[cfg.task].backbone)

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self._phase

    @property
    def tasks(self) -> dict[str, str]:
        """Task by source, in the order of the config."""
        return {source: cfg.task for source, cfg in self._cfgs.items()}

    def set_phase(self, phase: Phase) -> None:
        """Enter a phase: freeze what it does not train.

        Args:
            phase (Phase): The phase.

        Raises:
            ValueError: If the model has no squeeze phase.
        """
        if self.squeeze is None:
            if phase is not Phase.EXPANSION:
                raise ValueError('This model has no squeeze phase: set model.squeeze=dict(student=...).')
            return
        self._phase = phase
        self.squeeze.phase.fill_(int(phase))
        trained = dict(backbone=phase is Phase.EXPANSION, squeeze=phase is Phase.SQUEEZE)
        for name, parameter in self.named_parameters():
            part = name.split('.', 1)[0]
            if part in trained:
                parameter.requires_grad_(trained[part] and name not in self._frozen)
        for source in self._cfgs:
            self.data_preprocessor.preprocessors[source] = self.branch(source).data_preprocessor
        self.train(self.training)

    def train(self, mode: bool = True) -> 'XLearner':
        """Set the training mode; the teacher of the squeeze stays in eval mode.

        Args:
            mode (bool): Training or evaluation.

        Returns:
            XLearner: The model itself.
        """
        super().train(mode)
        if self.phase is Phase.SQUEEZE:
            self.backbone.eval()
        return self

    @property
    def loss_weights(self) -> dict[str, float]:
        """Weight of the losses by source, in the order of the config."""
        return {source: cfg.loss_weight for source, cfg in self._cfgs.items()}

    @property
    def micro_batches(self) -> dict[str, int]:
        """Number of parts by source that a batch of it runs in."""
        return {source: cfg.micro_batches for source, cfg in self._cfgs.items()}

    def branch(self, source: str) -> BaseModel:
        """Give the stock model of a source in the present phase.

        Args:
            source (str): The source.

        Returns:
            BaseModel: Its model.
        """
        if self.squeeze is not None and self.phase is Phase.SQUEEZE and source in self.squeeze.branches:
            return self.squeeze.branches[source]
        return self.branches[source]

    def extract_features(self, x: Tensor, source: str, last: int) -> tuple[StagedBackbone, list[Any]]:
        """Run the backbone of the present phase on images of a source; ports call this.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            source (str): The source.
            last (int): Last stage that is needed.

        Returns:
            tuple: The adapter of the backbone, and the outputs of its stages, each ``(N, C_i, H_i, W_i)``.
        """
        task = self._cfgs[source].task
        if self.squeeze is not None and self.phase is Phase.SQUEEZE:
            return self.squeeze.by_task[task], self.squeeze(x, task, last)
        staged = self._staged[task]
        shared = staged.backbone is self.backbone
        return staged, staged.features(x, last) if shared else self.backbone(x, task, last)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """Run the model.

        Args:
            inputs (dict[str, Tensor] or Tensor): Images ``(N, C, H, W)``; by source in mode ``loss``.
            data_samples (dict[str, list] or list, optional): Stock data samples; by source in mode ``loss``.
            mode (str): ``loss``; ``predict`` or ``tensor`` for one source's stock arguments.

        Returns:
            dict or list or Tensor: Losses as ``<source>.<stock key>``, or what the stock model returns.

        Raises:
            ValueError: If the mode is unknown, or the samples do not say of which source they are.
        """
        if mode == 'loss':
            losses: dict[str, Any] = {}
            for source in inputs:
                losses.update(self._source_losses(source, inputs[source], data_samples[source]))
            return losses
        if mode not in ('predict', 'tensor'):
            raise ValueError(f"mode={mode!r} must be 'loss', 'predict' or 'tensor'.")
        return self.branch(self._source_of(data_samples))(inputs, data_samples, mode=mode)

    def _source_losses(self, source: str, inputs: Tensor, data_samples: Any) -> dict[str, Any]:
        """Weighted losses of a source's branch and, in the squeeze phase, of its hints."""
        branch, cfg = self.branch(source), self._cfgs[source]
        if self.squeeze is not None and self.phase is Phase.SQUEEZE:
            losses = squeeze_losses(self.squeeze, branch, cfg.task, inputs, data_samples)
        else:
            losses = dict(branch(inputs, data_samples, mode='loss'))
        return {f'{source}.{key}': value for key, value in weigh_losses(losses, cfg.loss_weight).items()}

    def _source_of(self, data_samples: Any) -> str:
        source = getattr(data_samples[0], 'source', None) if data_samples else None
        if source not in self._cfgs:
            raise ValueError(f'The data samples name the source {source!r}; the model has {", ".join(self._cfgs)}. Set '
                             "it with sample.set_metainfo(dict(source=...)), or read them by xlearner_mm's loops.")
        return source

    def val_step(self, data: Mapping[str, Any]) -> list[Any]:
        """Predict a batch of one source.

        Args:
            data (dict): ``{source: stock batch}`` or a stock batch whose samples name their source.

        Returns:
            list: Stock data samples with predictions.
        """
        if 'data_samples' in data:
            data = {self._source_of(data['data_samples']): data}
        processed = self.data_preprocessor(data, False)
        (source, ) = data
        return self(processed['inputs'][source], processed['data_samples'][source], mode='predict')

    def test_step(self, data: Mapping[str, Any]) -> list[Any]:
        """Predict as :meth:`val_step` does.

        Args:
            data (dict): As there.

        Returns:
            list: Stock data samples with predictions.
        """
        return self.val_step(data)

    def train_step(self,
                   data: Mapping[str, Any],
                   optim_wrapper: OptimWrapper,
                   random_key: Sequence[Key] = (),
                   step: int = 0,
                   reducer: Optional[GradientReducer] = None) -> dict[str, Tensor]:
        """Do a forward and a backward a source, then one step of the optimizer.

        Peak memory is the largest source's and not the sum (ours). See :func:`train_step`.

        Args:
            data (Mapping[str, dict]): ``{source: {'inputs': [Tensor (C, H, W), ...], 'data_samples': [...]}}``.
            optim_wrapper (OptimWrapper): Wrapper of the optimizer.
            random_key (Sequence): Key of the model's own randomness in this step; the source is added to it. Empty:
                the generators are left alone.
            step (int): Steps done in this phase, for weights that change.
            reducer (GradientReducer, optional): What averages gradients over ranks.

        Returns:
            dict[str, Tensor]: Scalars to log; ``loss`` is the total.

        Raises:
            FloatingPointError: If losses or gradients are not finite in more steps than :attr:`guard` allows.
        """
        return train_step(self, data, optim_wrapper, random_key, step, reducer or GradientReducer())


def _follow_loaded_phase(model: XLearner, _: Any) -> None:
    """Enter the phase that a loaded state dict was saved in."""
    if model.squeeze is not None:
        model.set_phase(Phase(int(model.squeeze.phase)))
