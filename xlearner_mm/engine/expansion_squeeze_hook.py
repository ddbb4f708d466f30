"""From expansion to squeeze inside one run."""

import copy
from typing import Any, Optional

from mmengine.hooks import EMAHook, Hook
from mmengine.runner import BaseLoop, Runner

from xlearner_mm.models import Phase
from xlearner_mm.registry import HOOKS

from .atomic_checkpoint_hook import AtomicCheckpointHook, save_resumable
from .data_check import check_data
from .model_of import model_of
from .multi_source_train_loop import MultiSourceTrainLoop


@HOOKS.register_module()
class ExpansionSqueezeHook(Hook):
    """Switch a model from the expansion to the squeeze, and replay the switch when a run is resumed (ours).

    At the switch the expansion's checkpoint is saved as ``expansion.pth``; then the squeeze gets an optimizer and
    schedules of its own, whose iterations count from the switch. Where an ``EMAHook`` is on, the averaged weights
    become the teacher.

    Args:
        expansion_iters (int): Iterations of the expansion.
        squeeze (dict, optional): ``optim_wrapper``, ``param_scheduler`` and ``train_dataloader`` of the squeeze; what
            is missing is as in the expansion.

    Raises:
        TypeError: If ``squeeze`` has other keys.
        ValueError: If ``expansion_iters`` is negative.
    """

    # After hooks of mmengine that read the old optimizer, before the one that saves checkpoints.
    priority = 'LOW'

    KEYS = ('optim_wrapper', 'param_scheduler', 'train_dataloader')

    def __init__(self, expansion_iters: int, squeeze: Optional[dict[str, Any]] = None) -> None:
        if not isinstance(expansion_iters, int) or expansion_iters < 0:
            raise ValueError(f'ExpansionSqueezeHook.expansion_iters={expansion_iters!r} must be an integer from 0 on.')
        unknown = set(squeeze or ()) - set(self.KEYS)
        if unknown:
            raise TypeError(f'ExpansionSqueezeHook.squeeze has unknown keys {sorted(unknown)}; it takes '
                            f'{", ".join(self.KEYS)}.')
        self.expansion_iters = expansion_iters
        self.squeeze = dict(squeeze or {})
        self._teacher_loaded = False
        self._squeeze_images: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Check that the run can be switched, and that what the squeeze needs can be built.

        Args:
            runner (Runner): The runner of the training process.

        Raises:
            TypeError: If the train loop is not made for several sources.
            ValueError: If the model has no squeeze phase, no iterations are left for it, it has no trained teacher, the
                switch falls between two steps of an optimizer, or a setting of the squeeze is wrong.
        """
        if not isinstance(runner.train_loop, MultiSourceTrainLoop):
            raise TypeError(f'{type(runner.train_loop).__name__} never switches to the squeeze. Set '
                            "train_cfg=dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=...).")
        model = model_of(runner)
        if model.squeeze is None:
            raise ValueError('ExpansionSqueezeHook needs a model with a squeeze phase: set '
                             'model.squeeze=dict(student=...), or take the hook out.')
        if self.expansion_iters >= runner.max_iters:
            raise ValueError(f'expansion_iters={self.expansion_iters} leaves no iterations for the squeeze: '
                             f'train_cfg.max_iters={runner.max_iters}.')
        self._check_accumulation(runner)
        if model.phase is Phase.EXPANSION:
            if self.expansion_iters == 0 and not self._teacher_loaded:
                raise ValueError('expansion_iters=0 begins with the squeeze, but no trained expansion is loaded: its '
                                 f'teacher would be random. load_from={runner._load_from!r} must name a checkpoint '
                                 'with every parameter of model.backbone.')
            self._check_schedules(runner)
            self._try_settings(runner)

    def planned_images(self, runner: Runner) -> dict[str, float]:
        """Give the images of each source that the whole run draws, those drawn already included.

        Args:
            runner (Runner): The runner of the training process.

        Returns:
            dict[str, float]: Images by source, on all ranks together.
        """
        loop = runner.train_loop
        if model_of(runner).phase is Phase.SQUEEZE:
            return loop.images_until(loop.max_iters)
        images = loop.images_until(self.expansion_iters)
        in_squeeze = self._squeeze_images or loop.dataloader.batch_sampler.images_between(
            0, loop.max_iters - self.expansion_iters)
        return {source: number + in_squeeze[source] for source, number in images.items()}

    def before_fetch(self, runner: Runner) -> None:
        """Switch when the expansion is over; the train loop calls this before it fetches a batch.

        Args:
            runner (Runner): The runner of the training process.
        """
        if runner.iter < self.expansion_iters or model_of(runner).phase is Phase.SQUEEZE:
            return
        runner.logger.info(f'The expansion ends after {runner.iter} iterations; the squeeze begins.')
        save_resumable(runner, runner.work_dir, 'expansion.pth', dict(epoch=runner.epoch, iter=runner.iter))
        averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
        for hook in averages:
            hook._swap_ema_parameters()
        model_of(runner).squeeze.start_student()
        model_of(runner).weighting.start_phase()
        self._enter_squeeze(runner)
        for hook in averages:
            hook.before_run(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replay the switch before weights and optimizer of a squeeze enter the run.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): What was loaded.

        Raises:
            ValueError: If a run that begins with an expansion would start from a squeeze.
        """
        if not isinstance(runner._train_loop, BaseLoop):
            return
        state = checkpoint.get('state_dict', checkpoint)
        self._teacher_loaded = {f'backbone.{key}' for key in model_of(runner).backbone.state_dict()} <= set(state)
        if int(state.get('squeeze.phase', Phase.EXPANSION)) == Phase.SQUEEZE:
            if not runner._resume and self.expansion_iters > 0:
                raise ValueError(f'load_from={runner._load_from!r} was saved in the squeeze, which would go on at '
                                 f'once: the {self.expansion_iters} iterations of the expansion would be left out. '
                                 'Load an expansion, set expansion_iters=0, or resume the run of the checkpoint.')
            self._enter_squeeze(runner)
        elif not runner._resume and self.expansion_iters == 0:
            runner.train_loop.go_on_with_data(checkpoint)  # a second run does as the switch within one run

    def _check_accumulation(self, runner: Runner) -> None:
        """Refuse to switch, or to save a checkpoint of the squeeze, between two steps of an optimizer."""
        phases = dict(expansion=runner.cfg.optim_wrapper, squeeze=self._setting(runner, 'optim_wrapper'))
        for phase, cfg in phases.items():
            counts = cfg.get('accumulative_counts', 1)
            if self.expansion_iters % counts:
                raise ValueError(f'expansion_iters={self.expansion_iters} is no multiple of accumulative_counts='
                                 f'{counts} of the {phase}: gradients would be lost at the switch. Use a multiple.')
            for hook in runner.hooks:
                if isinstance(hook, AtomicCheckpointHook):
                    hook.check_boundaries(runner, counts)

    def _check_schedules(self, runner: Runner) -> None:
        """Tell of schedules that are not over when the expansion is."""
        for scheduler in runner.param_schedulers or ():
            if self.expansion_iters < scheduler.end <= runner.max_iters:
                runner.logger.warning(f'{type(scheduler).__name__} of the expansion ends at iteration {scheduler.end}, '
                                      f'after the switch at {self.expansion_iters}; set its end in param_scheduler.')

    def _try_settings(self, runner: Runner) -> None:
        """Build what the squeeze needs and drop it: a mistake shows now and not after the expansion."""
        kept = runner.optim_wrapper, runner.param_schedulers
        try:
            if 'train_dataloader' in self.squeeze:
                loader = runner.build_dataloader(self.squeeze['train_dataloader'], seed=runner.seed)
                loader.batch_sampler.set_state(loader.batch_sampler.next_phase(runner.train_loop.state))
                self._squeeze_images = loader.batch_sampler.images_between(0, runner.max_iters - self.expansion_iters)
                check_data(model_of(runner), loader, runner.val_loop, self.planned_images(runner), 0,
                           runner.train_loop.preflight_allow)
            self._build_training(runner)
            runner.train_loop.check_schedules()
        except Exception as error:
            raise ValueError(f'A setting of ExpansionSqueezeHook.squeeze is wrong: {type(error).__name__}: {error}'
                             ) from error
        finally:
            runner.optim_wrapper, runner.param_schedulers = kept

    def _enter_squeeze(self, runner: Runner) -> None:
        """Give model, loader, optimizer and schedules their form of the squeeze phase."""
        model_of(runner).set_phase(Phase.SQUEEZE)
        if 'train_dataloader' in self.squeeze:
            runner.train_loop.replace_dataloader(self.squeeze['train_dataloader'])
        self._build_training(runner)

    def _build_training(self, runner: Runner) -> None:
        """Give the runner optimizer and schedules of the squeeze; a schedule without an end lasts as long as it."""
        runner.optim_wrapper = runner.build_optim_wrapper(self._setting(runner, 'optim_wrapper'))
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        schedulers = copy.deepcopy(self._setting(runner, 'param_scheduler'))
        for cfg in schedulers if isinstance(schedulers, (list, tuple)) else filter(None, [schedulers]):
            cfg.setdefault('end', runner.max_iters - self.expansion_iters)
        runner.param_schedulers = None if schedulers is None else runner.build_param_scheduler(schedulers)

    def _setting(self, runner: Runner, key: str) -> Any:
        """A setting of the squeeze; as in the expansion where it has none."""
        return self.squeeze.get(key, runner.cfg.get(key))
