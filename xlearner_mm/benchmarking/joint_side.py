"""The X-Learner of a config, its optimizer and its data, as its run has them."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_rank, is_distributed, sync_random_seed
from mmengine.model import convert_sync_batchnorm, revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed

from xlearner_mm.datasets import MultiSourceBatchSampler
from xlearner_mm.engine import MultiSourceDistributed
from xlearner_mm.models import Phase, XLearner
from xlearner_mm.registry import MODEL_WRAPPERS, MODELS
from xlearner_mm.utils import with_scope

from .build_optim import build_optim
from .options import Options
from .phase_settings import phase_settings


class JointSide:
    """Joint train steps as :class:`MultiSourceTrainLoop` does them, without a runner: hooks are not measured (ours).

    Args:
        cfg (Config): Config of the run.
        options (Options): Phase and sources.

    Attributes:
        model (XLearner): The model, on its device, in training mode.
        optim (OptimWrapper): Its optimizer.
        sources (list[str]): Sources whose data is read.

    Raises:
        TypeError: If the model is no X-Learner, or the loader not one of several sources.
        ValueError: If a setting is wrong.
    """

    def __init__(self, cfg: Config, options: Options) -> None:
        if cfg.get('default_scope'):
            init_default_scope(cfg.default_scope)
        loader, optim = phase_settings(cfg, options.phase, options.sources)
        seed = (cfg.get('randomness') or {}).get('seed')
        self.seed = set_random_seed(sync_random_seed() if seed is None else seed)
        self.model = _build_model(cfg, options.phase)
        self.wrapped = self._wrap(cfg)
        self.optim = build_optim(self.model, optim)
        self.loader = _build_loader(loader, self.seed)
        self.sources = list(self.loader.dataset.sources)
        self._check_sources()
        self._iterator: Optional[Iterator[Any]] = None
        self._step = 0

    def _check_sources(self) -> None:
        unknown = [source for source in self.sources if source not in self.model.tasks]
        if unknown:
            raise ValueError(f'The data has the sources {", ".join(self.sources)}, and model.branches none for '
                             f'{", ".join(unknown)}. Give both the same sources.')

    def _wrap(self, cfg: Config) -> Any:
        self.model.to(get_device())
        if not is_distributed():
            self.model = revert_sync_batchnorm(self.model)
            return self.model
        if cfg.get('sync_bn') is not None:
            self.model = convert_sync_batchnorm(self.model, cfg.sync_bn)
        wrapper = cfg.get('model_wrapper_cfg') or dict(type='xlearner_mm.MultiSourceDistributed')
        wrapped = MODEL_WRAPPERS.build(dict(wrapper), default_args=dict(module=self.model))
        if not isinstance(wrapped, MultiSourceDistributed):
            raise TypeError(f'{type(wrapped).__name__} gives wrong gradients with one backward a source. Set '
                            "model_wrapper_cfg=dict(type='xlearner_mm.MultiSourceDistributed').")
        return wrapped

    @property
    def reduced_bytes(self) -> int:
        """Bytes of gradients that were averaged over the ranks in the last step."""
        return getattr(getattr(self.wrapped, 'reducer', None), 'reduced_bytes', 0)

    def next_batch(self) -> Any:
        """Wait for the next batch.

        Returns:
            dict: ``{source: {'inputs': [Tensor (C, H, W), ...], 'data_samples': [...]}}``.

        Raises:
            ValueError: If a source is used up.
        """
        if self._iterator is None:
            sampler = self.loader.batch_sampler
            sampler.set_state(sampler.initial_state())
            self._iterator = iter(self.loader)
        batch = next(self._iterator, None)
        if batch is None:
            raise ValueError('A source is used up and may not repeat (train_dataloader.batch_sampler.no_repeat). Give '
                             'fewer --steps.')
        return batch

    def step(self, batch: Mapping[str, Any]) -> None:
        """Do a train step.

        Args:
            batch (Mapping): Batch by source; what is in it may be changed.
        """
        self.wrapped.train_step(batch, optim_wrapper=self.optim, step=self._step,
                                random_key=(self.seed, int(self.model.phase), self._step, get_rank()))
        self._step += 1

    def close(self) -> None:
        """Let go of the loader's workers."""
        self._iterator = None


def _build_model(cfg: Config, phase: str) -> XLearner:
    settings = cfg.get('model')
    wanted = "Give the config of an X-Learner run, with model=dict(type='xlearner_mm.XLearner', branches=...)."
    if not isinstance(settings, Mapping):
        raise ValueError(f'{cfg.filename} has no model. {wanted}')
    model = MODELS.build(with_scope(copy.deepcopy(settings)))
    if not isinstance(model, XLearner):
        raise TypeError(f'The model of {cfg.filename} is a {type(model).__name__}. {wanted}')
    model.init_weights()
    if phase == 'squeeze':
        if model.squeeze is None:
            raise ValueError(f'--phase squeeze: the model of {cfg.filename} has no squeeze phase. Set '
                             'model.squeeze=dict(student=...), or leave --phase out.')
        model.squeeze.start_student()
        model.set_phase(Phase.SQUEEZE)
    return model.train()


def _build_loader(settings: Any, seed: int) -> Any:
    loader = Runner.build_dataloader(settings, seed=seed)
    if not isinstance(loader.batch_sampler, MultiSourceBatchSampler):
        raise TypeError('train_dataloader needs a batch sampler for several sources: set '
                        "batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler').")
    return loader
