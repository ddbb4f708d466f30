"""From expansion to squeeze inside one run."""

from typing import Any, Optional

from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from xlearner_mm.models import Phase, XLearner
from xlearner_mm.registry import HOOKS

from .atomic_local_backend import ATOMIC_LOCAL


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

    def before_train(self, runner: Runner) -> None:
        """Check that the run can be switched.

        Args:
            runner (Runner): The runner of the training process.

        Raises:
            ValueError: If the model has no squeeze phase, no iterations are left for it, or the switch falls between
                two steps of the optimizer.
        """
        if _model_of(runner).squeeze is None:
            raise ValueError('ExpansionSqueezeHook needs a model with a squeeze phase: set '
                             'model.squeeze=dict(student=...), or take the hook out.')
        if self.expansion_iters >= runner.max_iters:
            raise ValueError(f'expansion_iters={self.expansion_iters} leaves no iterations for the squeeze: '
                             f'train_cfg.max_iters={runner.max_iters}.')
        counts = runner.optim_wrapper._accumulative_counts
        if self.expansion_iters % counts:
            raise ValueError(f'expansion_iters={self.expansion_iters} is no multiple of accumulative_counts={counts}: '
                             'the last gradients of the expansion would be lost.')

    def before_fetch(self, runner: Runner) -> None:
        """Switch when the expansion is over; the train loop calls this before it fetches a batch.

        Args:
            runner (Runner): The runner of the training process.
        """
        if runner.iter < self.expansion_iters or _model_of(runner).phase is Phase.SQUEEZE:
            return
        runner.logger.info(f'The expansion ends after {runner.iter} iterations; the squeeze begins.')
        # by_epoch=True: the iteration has not begun, so the checkpoint's is runner.iter and not runner.iter + 1.
        runner.save_checkpoint(
            runner.work_dir, 'expansion.pth', by_epoch=True, backend_args=dict(backend=ATOMIC_LOCAL))
        averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
        for hook in averages:
            hook._swap_ema_parameters()
        self._enter_squeeze(runner)
        for hook in averages:
            hook.before_run(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replay the switch before weights and optimizer of a squeeze enter the run.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): What was loaded.
        """
        phase = checkpoint['state_dict'].get('squeeze.phase')
        training = isinstance(runner._train_loop, BaseLoop)
        if training and phase is not None and int(phase) == Phase.SQUEEZE:
            self._enter_squeeze(runner)

    def _enter_squeeze(self, runner: Runner) -> None:
        """Give model, loader, optimizer and schedules their form of the squeeze phase."""
        _model_of(runner).set_phase(Phase.SQUEEZE)
        if 'train_dataloader' in self.squeeze:
            runner.train_loop.replace_dataloader(self.squeeze['train_dataloader'])
        runner.optim_wrapper = runner.build_optim_wrapper(
            self.squeeze.get('optim_wrapper', runner.cfg.optim_wrapper))
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        schedulers = self.squeeze.get('param_scheduler', runner.cfg.get('param_scheduler'))
        runner.param_schedulers = None if schedulers is None else runner.build_param_scheduler(schedulers)


def _model_of(runner: Runner) -> XLearner:
    """Give the model behind its wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
