"""What the validation and the test of several sources have in common."""

from collections.abc import Mapping
from typing import Any, Optional

import torch
from mmengine.hooks import EMAHook
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.amp import autocast

from xlearner_mm.datasets import CheckedDataset
from xlearner_mm.models import check_labels
from xlearner_mm.utils import as_dict_by_source, with_scope

from .delta_mtl_score import DeltaMTLScore
from .eval_settings import build_eval_loader, numbers_by_source
from .first_samples import FirstSamples, measure_only
from .model_of import model_of
from .source_evaluation import SourceEvaluation
from .source_loaders import SourceLoaders
from .source_metrics import SourceMetrics


class MultiSourceEvalLoop(BaseLoop):
    """Evaluate each source in turn; its metrics are reported as ``<source>/<stock key>`` (ours).

    Hooks see one evaluation, whatever the number of sources. Where it is broken off by an error, the model is left as
    it was before, without the averaged weights of an ``EMAHook``.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Stock data loader config by source; they are evaluated in this order.
        evaluator (dict): Stock evaluator config by source.
        fp16 (bool): Predict under autocast.
        max_samples (Mapping[str, int], optional): By source how many samples to evaluate, the first ones; all of a
            source that it does not name.
        delta_mtl (Mapping, optional): Arguments of :class:`DeltaMTLScore`, whose figure is then reported as
            ``delta_mtl``.

    Raises:
        TypeError: If a setting is of another type.
        ValueError: If loaders, evaluators and the model's sources do not agree, a source has no samples, or its metric
            cannot count the first ones only.
    """

    mode: str
    """``val`` or ``test``, as it stands in the names of settings, of hooks and of the model's step."""

    def __init__(self,
                 runner: Runner,
                 dataloader: Mapping[str, Any],
                 evaluator: Mapping[str, Any],
                 fp16: bool = False,
                 max_samples: Optional[Mapping[str, int]] = None,
                 delta_mtl: Optional[Mapping[str, Any]] = None) -> None:
        loaders = as_dict_by_source(dataloader, f'{self.mode}_dataloader')
        evaluators = as_dict_by_source(evaluator, f'{self.mode}_evaluator')
        self.tasks: dict[str, str] = model_of(runner).tasks
        if set(loaders) != set(evaluators) or not set(loaders) <= set(self.tasks):
            raise ValueError(f'{self.mode}_dataloader has the sources {sorted(loaders)}, {self.mode}_evaluator '
                             f'{sorted(evaluators)}, the model {sorted(self.tasks)}. The first two must agree and be '
                             'sources of the model.')
        limits = numbers_by_source(f'{self.mode}_cfg.max_samples', max_samples, loaders)
        self.loaders: dict[str, Any] = {
            source: build_eval_loader(runner, self.mode, source, cfg, limits.get(source))
            for source, cfg in loaders.items()}
        super().__init__(runner, SourceLoaders(self.loaders, self.mode))
        self.evaluations: dict[str, SourceEvaluation] = {}
        for source, loader in self.loaders.items():
            built = runner.build_evaluator(with_scope(evaluators[source]))
            if source in limits:
                measure_only(source, built, loader.dataset)
            self.evaluations[source] = SourceEvaluation(source, loader, built, self.mode)
        self.score = None if delta_mtl is None else DeltaMTLScore(loaders, **delta_mtl)
        self.fp16 = fp16

    @property
    def datasets(self) -> dict[str, Any]:
        """Stock data set by source."""
        sets = {source: loader.dataset for source, loader in self.loaders.items()}
        for source in sets:
            while isinstance(sets[source], (CheckedDataset, FirstSamples)):
                sets[source] = sets[source].dataset
        return sets

    def run(self) -> dict[str, Any]:
        """Evaluate the sources that are due.

        Returns:
            dict: Metrics as ``<source>/<stock key>``, and ``delta_mtl``.
        """
        self.dataloader = SourceLoaders({source: self.loaders[source] for source in self.due()}, self.mode)
        self._call('before_{}')
        self._call('before_{}_epoch')
        was_training = self.runner.model.training
        self.runner.model.eval()
        try:
            metrics = self._evaluate()
        except BaseException:
            self._break_off(was_training)
            raise
        self._call('after_{}_epoch', metrics=metrics)
        self._call('after_{}')
        return metrics

    def due(self) -> list[str]:
        """Name the sources that are due, in the order of the config.

        Returns:
            list[str]: All.
        """
        return list(self.loaders)

    @torch.no_grad()
    def run_iter(self, index: int, source: str, batch: dict[str, Any]) -> None:
        """Predict a batch and give it to its source's evaluator.

        Args:
            index (int): Number of the batch among those of all sources.
            source (str): Its source.
            batch (dict): Stock batch.
        """
        for sample in batch['data_samples']:
            sample.set_metainfo(dict(source=source, task=self.tasks[source]))
        check_labels(source, batch['data_samples'], model_of(self.runner).branch(source))
        self.runner.visualizer.dataset_meta = self.evaluations[source].evaluator.dataset_meta
        self._call('before_{}_iter', batch_idx=index, data_batch=batch)
        with autocast(enabled=self.fp16):
            outputs = getattr(self.runner.model, f'{self.mode}_step')({source: batch})
        self.evaluations[source].process(batch, outputs)
        self._call('after_{}_iter', batch_idx=index, data_batch=batch, outputs=outputs)

    def _evaluate(self) -> SourceMetrics:
        """Predict all that is due and compute its metrics."""
        due = {source: self.evaluations[source] for source in self.dataloader.loaders}
        for evaluation in due.values():
            evaluation.start()
        for index, (source, batch) in enumerate(self.dataloader):
            self.run_iter(index, source, batch)
        found = {source: evaluation.finish() for source, evaluation in due.items()}
        metrics = SourceMetrics(
            {f'{source}/{key}': value for source, results in found.items() for key, value in results.items()},
            left_out={source for source in self.loaders if not found.get(source)})
        if self.score is not None:
            self.score.add_to(metrics)
        return metrics

    def _break_off(self, was_training: bool) -> None:
        """Leave the model as it was; all other hooks are not told of an end that there was not."""
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook):
                getattr(hook, f'after_{self.mode}_epoch')(self.runner)
        self.runner.model.train(was_training)

    def _call(self, hook: str, **kwargs: Any) -> None:
        self.runner.call_hook(hook.format(self.mode), **kwargs)
