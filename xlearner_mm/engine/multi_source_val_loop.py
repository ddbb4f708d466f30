"""Validation of every source with its own library's metrics."""

from collections.abc import Mapping
from typing import Any, Optional

from mmengine.runner import BaseLoop, Runner

from xlearner_mm.registry import LOOPS

from .eval_settings import numbers_by_source
from .multi_source_eval_loop import MultiSourceEvalLoop


@LOOPS.register_module()
class MultiSourceValLoop(MultiSourceEvalLoop):
    """Validate each source in turn, some of them less often (ours).

    Args:
        runner (Runner): The runner.
        dataloader (dict): Stock data loader config by source.
        evaluator (dict): Stock evaluator config by source.
        intervals (Mapping[str, int], optional): By source ``n`` where only every n-th validation has it, and the last
            one of the training. A best metric of such a source, and ``delta_mtl`` where it counts, is looked at only
            then. A training that ``EarlyStoppingHook`` ends does not know its last validation.
        **kwargs: ``fp16``, ``max_samples`` and ``delta_mtl``, see :class:`MultiSourceEvalLoop`.

    Raises:
        TypeError: As there.
        ValueError: As there, or if no source is left for every validation.
    """

    mode = 'val'
    STATE = 'multi_source_validations'
    """Name of the number of validations in the checkpoint; what begins with ``val`` would be logged."""

    def __init__(self, runner: Runner, dataloader: Mapping[str, Any], evaluator: Mapping[str, Any],
                 intervals: Optional[Mapping[str, int]] = None, **kwargs: Any) -> None:
        super().__init__(runner, dataloader, evaluator, **kwargs)
        self.intervals = numbers_by_source('val_cfg.intervals', intervals, self.loaders)
        if all(self.intervals.get(source, 1) > 1 for source in self.loaders):
            raise ValueError(f'val_cfg.intervals={self.intervals} leaves no source for every validation. Raise '
                             'train_cfg.val_interval and divide the intervals by the same number.')

    def run(self) -> dict[str, Any]:
        """Validate the sources that are due.

        Returns:
            dict: Metrics as ``<source>/<stock key>``, and ``delta_mtl``.
        """
        metrics = super().run()
        # At the end: a checkpoint of this iteration does not count it, and a run resumed from it validates again.
        self.runner.message_hub.update_info(self.STATE, self._number())
        return metrics

    def due(self) -> list[str]:
        """Name the sources that are due, in the order of the config.

        Returns:
            list[str]: Those whose interval is over; all where no training goes on behind this validation.
        """
        training = self.runner._train_loop
        goes_on = isinstance(training, BaseLoop) and training.iter < training.max_iters and not training.stop_training
        return [source for source in self.loaders
                if not goes_on or self._number() % self.intervals.get(source, 1) == 0]

    def _number(self) -> int:
        """Number of this validation in the run, from 1 on."""
        return self.runner.message_hub.runtime_info.get(self.STATE, 0) + 1
