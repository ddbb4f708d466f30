"""The train loop for a model with several sources."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from mmengine.dist import get_rank
from mmengine.optim import OptimWrapperDict
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.utils import calc_dynamic_intervals
from torch.utils.data import DataLoader

from xlearner_mm.datasets import InFlight, MultiSourceBatchSampler
from xlearner_mm.models import Phase
from xlearner_mm.registry import LOOPS
from xlearner_mm.utils import derive_seed

from .data_check import check_data
from .multi_source_model import multi_source_model
from .skip_counter import SkipCounter


@LOOPS.register_module()
class MultiSourceTrainLoop(BaseLoop):
    """Train by iterations from a position in the data that stands in the checkpoint (ours).

    What is due is a function of (seed, phase, step within the phase, global position of each source), so a resumed
    run goes on at its position instead of replaying batches, and ends with the same weights. Before the first step the
    preflight looks for what would fail silently. Hooks may define ``before_fetch(runner)``: it is called before an
    iteration's batch is fetched, where a phase can be switched; and ``planned_images(runner)``, see there.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Loader of a :class:`MultiSourceDataset`.
        max_iters (int): Number of iterations.
        val_begin (int): Iteration from which to validate.
        val_interval (int): Iterations from one validation to the next.
        dynamic_intervals (list[tuple[int, int]], optional): Pairs of an iteration and the interval from there on.
        preflight_allow (Sequence[str]): Checks of the preflight whose findings are warnings and not errors.
        max_non_finite (int): Optimizer steps of a source that are skipped, for a loss or a gradient that is not finite,
            before the run stops; by default it stops at the first.

    Raises:
        TypeError: If model, wrapper or loader are not made for several sources.
        ValueError: If the sources of model and data do not agree, or ``auto_scale_lr`` is on.
    """

    STATE = 'multi_source_state'

    def __init__(self,
                 runner: Runner,
                 dataloader: Union[DataLoader, dict[str, Any]],
                 max_iters: int,
                 val_begin: int = 1,
                 val_interval: int = 1000,
                 dynamic_intervals: Optional[list[tuple[int, int]]] = None,
                 preflight_allow: Sequence[str] = (),
                 max_non_finite: int = 0) -> None:
        if max_iters != int(max_iters) or max_iters < 1:
            raise ValueError(f'train_cfg.max_iters={max_iters!r} must be a positive integer.')
        self.model = multi_source_model(runner)  # first: another kind of runner has not what is asked next
        if (runner.auto_scale_lr or {}).get('enable', False):
            raise ValueError('auto_scale_lr multiplies one batch size, but every source has its own. Turn it off and '
                             'set the learning rate in optim_wrapper.')
        super().__init__(runner, dataloader)
        self._check_data()
        self._max_iters = int(max_iters)
        if isinstance(max_non_finite, bool) or not isinstance(max_non_finite, int) or max_non_finite < 0:
            raise ValueError(f'train_cfg.max_non_finite={max_non_finite!r} must be a non-negative integer.')
        self.model.guard.limit = max_non_finite
        self._iter = self._epoch = 0
        self.max_epochs = 1  # what stock hooks ask of a loop by iterations
        self.val_begin = val_begin
        self.val_interval = val_interval
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(val_interval, dynamic_intervals)
        self.stop_training = False  # set by EarlyStoppingHook
        self._iterator: Optional[Iterator[Any]] = None
        self.preflight_allow = preflight_allow
        self.skips = SkipCounter(self.dataloader.dataset.max_skip_shares)
        self._parameters = derive_seed(*(name for name, _ in self.model.named_parameters()))  # names in their order
        runner.visualizer.dataset_meta = self.dataloader.dataset.metainfo
        self.state: dict[str, Any] = self.dataloader.batch_sampler.initial_state()

    def _check_data(self) -> None:
        if not isinstance(self.dataloader.batch_sampler, MultiSourceBatchSampler):
            raise TypeError('train_dataloader needs a batch sampler for several sources: set '
                            "batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler').")
        tasks = self.dataloader.dataset.tasks
        if tasks != self.model.tasks:
            raise ValueError(f'The data set has the sources and tasks {tasks}, the model {self.model.tasks}. Give '
                             'train_dataloader.dataset.sources and model.branches the same sources and tasks.')

    @property
    def max_iters(self) -> int:
        """Number of iterations."""
        return self._max_iters

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._iter

    @property
    def epoch(self) -> int:
        """Epochs done; training by iterations is one epoch."""
        return self._epoch

    def run(self) -> Any:
        """Train.

        Returns:
            nn.Module: The trained model.
        """
        if isinstance(self.runner.optim_wrapper, OptimWrapperDict):
            raise TypeError('MultiSourceTrainLoop needs one optimizer for all sources, got an OptimWrapperDict. Use '
                            'paramwise_cfg for settings by module.')
        self._restore()
        self.runner.call_hook('before_train')
        self.runner.logger.info(f'Sources of this run:\n{self.preflight()}')
        self.runner.call_hook('before_train_epoch')
        self.check_schedules()
        if self._iter > 0:
            self._validate_if_due()  # the checkpoint was saved before the validation of its iteration
        try:
            while self._iter < self._max_iters and not self.stop_training:
                self._switch_if_due()
                self.runner.model.train()
                self.run_iter(self._next_batch())
                self._validate_if_due()
        except (RuntimeError, OSError, EOFError) as error:  # the last two of a connection to a worker that has died
            self._explain(error)
            raise
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Mapping[str, Any]) -> None:
        """Do one iteration.

        Args:
            data_batch (Mapping[str, dict]): ``{source: {'inputs': [Tensor (C, H, W), ...], 'data_samples': [...]}}``.
        """
        self.runner.call_hook('before_train_iter', batch_idx=self._iter, data_batch=data_batch)
        key = (self.state['seed'], int(self.model.phase), self.state['step'], get_rank())
        outputs = self.runner.model.train_step(
            data_batch, optim_wrapper=self.runner.optim_wrapper, random_key=key, step=self.state['step'])
        # Before the hooks: a checkpoint saved by one of them must hold the position behind this batch.
        self.state = self.dataloader.batch_sampler.next_state(self.state)
        self.skips.count(data_batch, self.state['positions'])
        self._publish_state()
        self.runner.call_hook('after_train_iter', batch_idx=self._iter, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def check_schedules(self) -> None:
        """Refuse schedules that never step here, and tell of a squeeze that nothing switches to.

        Raises:
            ValueError: If a schedule counts epochs.
        """
        by_epoch = [s for s in self.runner.param_schedulers or () if s.by_epoch]
        if by_epoch:
            raise ValueError(f'{type(by_epoch[0]).__name__} counts epochs, and this training counts iterations: it '
                             'would stay where it begins. Set by_epoch=False in param_scheduler.')
        waits = self.model.squeeze is not None and self.model.phase is Phase.EXPANSION
        if waits and not any(hasattr(hook, 'before_fetch') for hook in self.runner.hooks):
            self.runner.logger.warning(
                'model.squeeze is set, but no hook switches to it: the student stays untrained. To train it in this '
                "run, add custom_hooks=[dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=...)].")

    def replace_dataloader(self, dataloader: dict[str, Any]) -> None:
        """Read from another loader from the next batch on; each source goes on at its position.

        Args:
            dataloader (dict): Config of the loader.
        """
        super().__init__(self.runner, dataloader)
        self._check_data()
        self._iterator = None

    def go_on_with_data(self, checkpoint: Mapping[str, Any]) -> None:
        """Draw on from where the run of a checkpoint stopped, as if it went on in this one.

        Args:
            checkpoint (Mapping): A checkpoint that is loaded, not resumed. Sources that it has not, or with another
                number of samples, begin at their first one.
        """
        info = checkpoint.get('message_hub', {}).get('runtime_info', {})
        saved = info.get(self.STATE, {}).get('data', {})
        sizes, positions = saved.get('sizes', {}), saved.get('positions', {})
        own = self.state['positions']
        self.state = dict(self.state, positions={
            source: positions[source] if sizes.get(source) == size else own[source]
            for source, size in self.state['sizes'].items()})

    def _switch_if_due(self) -> None:
        phase = self.model.phase
        self.runner.call_hook('before_fetch')
        if self.model.phase is not phase:
            self.state = self.dataloader.batch_sampler.next_phase(self.state)
            self._iterator = None
            self.check_schedules()

    def _explain(self, error: Exception) -> None:
        """Say at which sample a worker was that died; torch may report it at any moment of the training."""
        dataset = self.dataloader.dataset
        dead = [worker.pid for worker in getattr(self._iterator, '_workers', ()) if not worker.is_alive()]
        found = dataset.in_flight.explain(error, dead) if dataset.in_flight is not None else ()
        for pid, source, epoch, index in found:
            paths = ', '.join(dataset.image_paths(source, index)) or 'no path known'
            told = str(error).rstrip('. ') or type(error).__name__
            raise RuntimeError(
                f'{told}. Worker {pid} was at sample {index} of source {source!r} ({paths}), epoch {epoch}. '
                'If it was killed for want of memory, lower train_dataloader.num_workers or the batch size; if it dies '
                'there again, the file crashes its decoder: mend or remove it.') from error

    def preflight(self) -> str:
        """Look for what would fail silently.

        Returns:
            str: Table of the sources.

        Raises:
            ValueError: If there is such a thing, or the run would need more of a source than may be drawn.
        """
        plans = [hook.planned_images(self.runner) for hook in self.runner.hooks if hasattr(hook, 'planned_images')]
        planned = plans[0] if plans else self.images_until(self._max_iters)
        return check_data(self.model, self.dataloader, self.runner.val_loop, planned, self.state['step'],
                          self.preflight_allow)

    def images_until(self, iteration: int) -> dict[str, float]:
        """Give the images of each source that are drawn until an iteration, those drawn already included.

        Args:
            iteration (int): An iteration of the present phase from now on.

        Returns:
            dict[str, float]: Images by source, on all ranks together.
        """
        step = self.state['step']
        to_come = self.dataloader.batch_sampler.images_between(step, step + iteration - self._iter)
        return {source: position + to_come[source] for source, position in self.state['positions'].items()}

    def _next_batch(self) -> Any:
        dataset, sampler = self.dataloader.dataset, self.dataloader.batch_sampler
        if self._iterator is None:
            sampler.set_state(self.state)
            if dataset.in_flight is None:
                dataset.in_flight = InFlight(list(dataset.sources), self.dataloader.num_workers)
            self._iterator = iter(self.dataloader)
        batch = next(self._iterator, None)
        if batch is None:
            used_up = sampler.used_up(sampler.next_state(self.state))
            raise ValueError(f'Source {", ".join(map(repr, used_up))} is used up and may not repeat '
                             '(train_dataloader.batch_sampler.no_repeat). Lower train_cfg.max_iters, or let it repeat.')
        return batch

    def _restore(self) -> None:
        """Take over the position of the checkpoint that was resumed, if any."""
        if self._iter == 0:
            return
        saved = self.runner.message_hub.runtime_info.get(self.STATE)
        if saved is None or set(saved['data']) != set(self.state):
            self.runner.logger.warning(
                f'The checkpoint resumed at iteration {self._iter} holds no position in the data: it was not written '
                'by MultiSourceTrainLoop, or by another version of it. Every source begins anew, so samples of its '
                'unfinished epoch come again, and it is not checked that the optimizer belongs to the same parameters '
                'in the same order.')
            self.state = self.dataloader.batch_sampler.next_phase(self.state, step=self._iter)
            return
        if saved['parameters'] != self._parameters:
            raise ValueError(
                f'The checkpoint resumed at iteration {self._iter} has other parameters than this config, or the same '
                'in another order, and an optimizer keeps its state by order. Resume with the config that the run was '
                f'started with; its sources came in the order {", ".join(saved["data"]["sizes"])}. (What mmengine '
                'dumps into the work folder is sorted by name.)')
        self.state = saved['data']
        self.skips.counts = {source: dict(counts) for source, counts in saved['skipped'].items()}
        self.model.guard.counts = dict(saved.get('non_finite', {}))

    def _publish_state(self) -> None:
        """Put the position where mmengine saves it with every checkpoint."""
        skipped = {source: dict(counts) for source, counts in self.skips.counts.items()}
        self.runner.message_hub.update_info(
            self.STATE, dict(data=self.state, skipped=skipped, parameters=self._parameters,
                             non_finite=dict(self.model.guard.counts)))

    def _validate_if_due(self) -> None:
        passed = sum(milestone <= self._iter for milestone in self.dynamic_milestones)
        self.val_interval = self.dynamic_intervals[max(passed - 1, 0)]
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
            self.runner.val_loop.run()
