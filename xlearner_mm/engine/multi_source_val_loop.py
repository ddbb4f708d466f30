"""Validation of every source with its own library's metrics."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.amp import autocast

from xlearner_mm.datasets import CheckedDataset, build_stock
from xlearner_mm.models import check_labels
from xlearner_mm.registry import LOOPS
from xlearner_mm.utils import as_dict_by_source, with_scope

from .model_of import model_of
from .source_loaders import SourceLoaders


@LOOPS.register_module()
class MultiSourceValLoop(BaseLoop):
    """Validate each source in turn; its metrics are reported as ``<source>/<stock key>`` (ours).

    Hooks see one validation, whatever the number of sources.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Stock data loader config by source.
        evaluator (dict): Stock evaluator config by source.
        fp16 (bool): Predict under autocast.

    Raises:
        ValueError: If loaders, evaluators and the model's sources do not agree, or a source has no samples.
    """

    def __init__(self, runner: Runner, dataloader: Mapping[str, Any], evaluator: Mapping[str, Any],
                 fp16: bool = False) -> None:
        loaders = as_dict_by_source(dataloader, 'val_dataloader')
        evaluators = as_dict_by_source(evaluator, 'val_evaluator')
        self.tasks: dict[str, str] = model_of(runner).tasks
        if set(loaders) != set(evaluators) or not set(loaders) <= set(self.tasks):
            raise ValueError(f'val_dataloader has the sources {sorted(loaders)}, val_evaluator {sorted(evaluators)}, '
                             f'the model {sorted(self.tasks)}. The first two must agree and be sources of the model.')
        super().__init__(runner, SourceLoaders({s: _build_loader(runner, s, cfg) for s, cfg in loaders.items()}))
        self.evaluators: dict[str, Evaluator] = {}
        for source, loader in self.dataloader.loaders.items():
            self.evaluators[source] = runner.build_evaluator(with_scope(evaluators[source]))
            self.evaluators[source].dataset_meta = getattr(loader.dataset, 'metainfo', None)
        self.fp16 = fp16

    @property
    def datasets(self) -> dict[str, Any]:
        """Stock data set by source."""
        sets = {source: loader.dataset for source, loader in self.dataloader.loaders.items()}
        return {source: d.dataset if isinstance(d, CheckedDataset) else d for source, d in sets.items()}

    def run(self) -> dict[str, Any]:
        """Validate all sources.

        Returns:
            dict: Metrics as ``<source>/<stock key>``.
        """
        self.runner.call_hook('before_val')
        self.runner.call_hook('before_val_epoch')
        self.runner.model.eval()
        for index, (source, batch) in enumerate(self.dataloader):
            self.run_iter(index, source, batch)
        metrics = {}
        for source, loader in self.dataloader.loaders.items():
            results = self.evaluators[source].evaluate(len(loader.dataset))
            metrics.update({f'{source}/{key}': value for key, value in results.items()})
        self.runner.call_hook('after_val_epoch', metrics=metrics)
        self.runner.call_hook('after_val')
        return metrics

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
        self.runner.visualizer.dataset_meta = self.evaluators[source].dataset_meta
        self.runner.call_hook('before_val_iter', batch_idx=index, data_batch=batch)
        with autocast(enabled=self.fp16):
            outputs = self.runner.model.val_step({source: batch})
        self.evaluators[source].process(data_samples=outputs, data_batch=batch)
        self.runner.call_hook('after_val_iter', batch_idx=index, data_batch=batch, outputs=outputs)


def _build_loader(runner: Runner, source: str, cfg: Any) -> Any:
    """Build a source's stock loader."""
    if not isinstance(cfg, Mapping):
        return cfg
    dataset = build_stock(source, cfg['dataset'], f'val_dataloader.{source}.dataset')
    return runner.build_dataloader(dict(cfg, dataset=CheckedDataset(source, dataset)), seed=runner.seed)
