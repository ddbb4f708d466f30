"""The evaluation of one source."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.evaluator import DumpResults, Evaluator
from mmengine.logging import print_log
from torch.utils.data import DataLoader


class SourceEvaluation:
    """Count what a source's evaluator is given, and refuse to end without a figure (ours).

    Stock metrics say so in the log, at most, and give nothing.

    Args:
        source (str): Name of the source.
        loader (DataLoader): Its stock data loader.
        evaluator (Evaluator): Its stock evaluator.
        mode (str): What it is for, ``val`` or ``test``.
    """

    def __init__(self, source: str, loader: DataLoader, evaluator: Evaluator, mode: str) -> None:
        dataset: Any = loader.dataset
        self.source = source
        self.size = len(dataset)
        self.evaluator = evaluator
        self.mode = mode
        evaluator.dataset_meta = getattr(dataset, 'metainfo', None)
        self.start()

    def start(self) -> None:
        """Begin anew, also where the last evaluation was broken off."""
        self._seen = torch.zeros(3, dtype=torch.long)  # samples, those whose objects were looked for, objects
        for metric in self.evaluator.metrics:
            metric.results.clear()

    def process(self, batch: dict[str, Any], outputs: Sequence[Any]) -> None:
        """Give the predictions of a batch to the evaluator.

        Args:
            batch (dict): Stock batch.
            outputs (Sequence): Stock data samples with predictions.
        """
        objects = [len(output.pred_instances) for output in outputs if 'pred_instances' in output]
        self._seen += torch.tensor([len(outputs), len(objects), sum(objects)])
        self.evaluator.process(data_samples=outputs, data_batch=batch)

    def finish(self) -> dict[str, Any]:
        """Give the metrics. All ranks must call it.

        Returns:
            dict: The stock metrics; empty where they only write files, and in a validation where a detector found
                nothing at all, which is told in the log: one that has just begun may.

        Raises:
            ValueError: If nothing was predicted, or the metrics give nothing.
        """
        all_reduce(self._seen)
        samples, searched, objects = self._seen.tolist()
        where = f'Source {self.source!r}: '
        if samples == 0:
            raise ValueError(f'{where}{self.mode}_dataloader.{self.source} gave no batch, though its data set has '
                             f'{self.size} samples. Mend its sampler or batch sampler.')
        if samples < self.size:
            _warn(f'{where}{self.mode}_dataloader.{self.source} gave {samples} of the {self.size} samples of its data '
                  'set; its metrics are of these. Mend drop_last or the sampler.')
        results = self.evaluator.evaluate(self.size)
        if results or all(_only_writes(metric) for metric in self.evaluator.metrics):
            return results
        names = ', '.join(type(metric).__name__ for metric in self.evaluator.metrics)
        if objects or not searched:
            raise ValueError(f'{where}{names} gave no metric for {samples} samples. Mend {self.mode}_evaluator.'
                             f'{self.source}.')
        text = f'{where}nothing was found on any of {samples} samples, and {names} gives no metric then.'
        if self.mode != 'val':
            raise ValueError(f'{text} Train longer, or lower score_thr in test_cfg of its branch.')
        _warn(f'{text} It is left out of this validation.')
        return {}


def _only_writes(metric: Any) -> bool:
    """Whether a metric writes predictions to files and computes nothing."""
    return isinstance(metric, DumpResults) or bool(getattr(metric, 'format_only', False))


def _warn(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
