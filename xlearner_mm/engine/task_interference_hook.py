"""Measuring how sources get in each other's way."""

from typing import Any, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from xlearner_mm.models import Phase, SourceGradients, XLearner
from xlearner_mm.registry import HOOKS

from .gradient_parts import gradient_parts
from .interference import PREFIX, interference
from .model_of import model_of
from .multi_source_train_loop import MultiSourceTrainLoop


@HOOKS.register_module()
class TaskInterferenceHook(Hook):
    """Measure every few steps how the sources' gradients on shared parameters agree (ours).

    For every stage of the backbone it writes the cosine between the gradients of each two sources, negative where they
    pull the weights apart, and the share of each source in the sum of the norms, to all backends of the visualizer; see
    :func:`interference` for the keys, :func:`gradient_parts` for the stages, and
    ``mim run xlearner_mm plot_interference`` for pictures. The key ``interference/phase`` is 1 in the squeeze.

    It does not change the training: one process that runs each batch in one pass, without accumulation, ends with the
    same bits; otherwise the gradients of measured steps are added up in another order. A measured step keeps a copy of
    the gradients a source, and reduces them source by source over several ranks.

    Args:
        interval (int): Every so many steps of the optimizer one is measured, the first included. If a schedule gives
            steps different sources, an interval without a common factor with its period measures all of them.

    Raises:
        ValueError: If ``interval`` is no positive integer.
    """

    def __init__(self, interval: int = 50) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise ValueError(f'TaskInterferenceHook.interval={interval!r} must be a positive integer.')
        self.interval = interval
        self._parts: dict[str, tuple[str, ...]] = {}
        self._measures = self._kept_before = False
        self._skipped: dict[str, int] = {}
        self._told: set[Phase] = set()

    def before_train(self, runner: Runner) -> None:
        """Find the stages of the model's parameters.

        Args:
            runner (Runner): The runner of the training process.

        Raises:
            TypeError: If the train loop is not made for several sources.
        """
        if not isinstance(runner.train_loop, MultiSourceTrainLoop):
            raise TypeError(f'TaskInterferenceHook: {type(runner.train_loop).__name__} has no gradients by source. Set '
                            "train_cfg=dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=...), or take the hook "
                            'out.')
        self._parts = gradient_parts(model_of(runner))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Let gradients be kept apart from the first iteration on that leads to a measured step.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (dict, optional): The batch.
        """
        wrapper = runner.optim_wrapper
        step, within = divmod(wrapper.inner_count, wrapper._accumulative_counts)
        if within == 0 and step % self.interval == 0:
            model = model_of(runner)
            self._measures, self._kept_before = True, model.keep_gradients
            self._skipped = dict(model.guard.counts)
            model.keep_gradients = True

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None) -> None:
        """Compare the gradients of a measured step, and let them go.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (dict, optional): The batch.
            outputs (dict, optional): What the step logs.
        """
        if not self._measures or not runner.optim_wrapper.should_update():
            return
        model = model_of(runner)
        gradients, self._measures = model.source_gradients, False
        if not self._kept_before:
            model.keep_gradients, model.source_gradients = False, None
        # A step that was skipped has no averages over the ranks.
        if gradients is not None and is_main_process() and self._skipped == model.guard.counts:
            self._write(runner, model, gradients)

    def _write(self, runner: Any, model: XLearner, gradients: SourceGradients) -> None:
        scalars = interference(gradients, self._parts)
        if scalars:
            scalars[f'{PREFIX}/phase'] = int(model.phase)
            runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        elif not gradients.shared() and model.phase not in self._told:
            self._told.add(model.phase)
            runner.logger.warning(f'TaskInterferenceHook: nothing to compare at iteration {runner.iter + 1}, '
                                  f'{_reason(model, gradients.sources)} Such steps are passed over, without further '
                                  'warnings in this phase.')


def _reason(model: XLearner, sources: list[str]) -> str:
    """Say why a step has no parameters that several sources reach."""
    if len(sources) == 1:
        return (f'whose step has one source, {sources[0]!r}. If all have, accumulate several iterations '
                '(optim_wrapper.accumulative_counts) or change the schedule; if not, choose an interval that meets '
                'steps with several.')
    told = ', '.join(f'{source} ({model.tasks[source]})' for source in sources)
    return (f'the sources {told} share no trained parameter: each task has a sub-backbone of its own, and with '
            'reconciliation.detach=True nothing flows back through links. This is what the expansion is for; sources '
            'of one task, hard sharing and the squeeze have something to compare.')
