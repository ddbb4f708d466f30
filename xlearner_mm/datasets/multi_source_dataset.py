"""Several stock data sets as one."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from xlearner_mm.registry import DATASETS
from xlearner_mm.utils import as_dict_by_source, keyed_rng, with_scope

from .image_integrity import check_complete
from .sample import SampleError, SampleKey


@DATASETS.register_module()
class MultiSourceDataset(Dataset):
    """Give samples of stock data sets, each marked with its source and task (ours).

    A sample depends on its :class:`SampleKey` alone: the pipeline runs with the global generators seeded from it, so
    augmentations are the same with any number of workers and after a resume.

    A sample that a pipeline drops (by giving ``None``, as some crops do) is replaced by the next one, where the stock
    data sets take a random one (inside of wrappers such as ``ConcatDataset`` they still do); so is one that cannot be
    loaded if the source has ``on_error='skip'``. The indices that were passed over stand in the metainfo ``skipped`` of
    the sample that is given instead.

    Args:
        sources (dict): ``dict(task=..., dataset=..., on_error='raise')`` by source: the task of :class:`XLearner`'s
            branch, a stock data set or its config, and what to do with a sample that cannot be loaded, ``raise`` or
            ``skip``.

    Attributes:
        sources (dict[str, Dataset]): Stock data set by source.
        tasks (dict[str, str]): Task by source.
        sizes (dict[str, int]): Number of samples by source.

    Raises:
        TypeError: If a source's config is not as above.
        ValueError: If a data set cannot be built or has no samples.
    """

    ON_ERROR = ('raise', 'skip')
    MAX_FAILURES = 10
    """So many samples may fail before one is found; then something is wrong with more than single files."""
    MAX_TRIES = 1000
    """So many samples may fail or be dropped by the pipeline before one is found; as in mmengine."""

    def __init__(self, sources: Mapping[str, Any]) -> None:
        self.sources: dict[str, Any] = {}
        self.tasks: dict[str, str] = {}
        self._on_error: dict[str, str] = {}
        for source, cfg in as_dict_by_source(sources, 'train_dataloader.dataset.sources').items():
            _check_source_cfg(source, cfg)
            self.tasks[source] = cfg['task']
            self._on_error[source] = cfg.get('on_error', 'raise')
            self.sources[source] = _build(source, cfg['dataset'])
        self.sizes: dict[str, int] = {source: len(dataset) for source, dataset in self.sources.items()}
        for source, size in self.sizes.items():
            if size == 0:
                raise ValueError(f'Source {source!r} has no samples. Mend the paths and filters in '
                                 f'train_dataloader.dataset.sources.{source}.dataset, or take the source out.')

    @property
    def metainfo(self) -> dict[str, dict[str, Any]]:
        """The stock data sets' metainfo by source."""
        return {source: getattr(dataset, 'metainfo', {}) for source, dataset in self.sources.items()}

    def __len__(self) -> int:
        """Number of samples of all sources."""
        return sum(self.sizes.values())

    def __getitem__(self, key: SampleKey) -> dict[str, Any]:
        """Load and augment a sample.

        Args:
            key (SampleKey): What :class:`MultiSourceBatchSampler` gives.

        Returns:
            dict: The stock sample: ``inputs``, e.g. a Tensor ``(C, H, W)``, and ``data_samples``, with ``source`` and
                ``task`` in its metainfo, and ``skipped`` (tuple of indices) where samples were passed over.

        Raises:
            SampleError: If the sample cannot be loaded, or too many in a row with ``on_error='skip'``.
            TypeError: If the pipeline does not end in the packing that X-Learner reads.
        """
        skipped: list[int] = []
        failures = 0
        while len(skipped) < min(self.sizes[key.source], self.MAX_TRIES):
            try:
                sample = self._load(key)
            except SampleError as error:
                if self._on_error[key.source] == 'raise':
                    raise
                failures += 1
                if failures > self.MAX_FAILURES:
                    raise SampleError(f'{failures} samples in a row failed. The last, not skipped: {error}') from error
                print_log(f'Skipped. {error}', logger='current', level=logging.WARNING)
                sample = None
            if sample is not None:
                return self._mark(sample, key.source, skipped)
            skipped.append(key.index)
            key = replace(key, index=(key.index + 1) % self.sizes[key.source])
        raise SampleError(f'Source {key.source!r}: none of {len(skipped)} samples in a row could be used, from index '
                          f'{skipped[0]} on; {failures} of them failed, the pipeline gave None for the others. Mend '
                          'the data or the transforms that drop samples.')

    def _load(self, key: SampleKey) -> Optional[Any]:
        """Give a stock sample, or None where the pipeline drops it."""
        dataset = self.sources[key.source]
        paths: list[str] = []
        try:
            paths = _image_paths(dataset, key.index)
            for path in paths:
                check_complete(path)
            with keyed_rng(key.seed, key.source, key.epoch, key.index):
                # Around __getitem__ of mmengine, which replaces a dropped sample by a random one and does not tell.
                if type(dataset).__getitem__ is BaseDataset.__getitem__:
                    return dataset.prepare_data(key.index)
                return dataset[key.index]
        except Exception as error:
            where = f' ({", ".join(paths)})' if paths else ''
            mend = '' if self._on_error[key.source] == 'skip' else (
                f", or set on_error='skip' in train_dataloader.dataset.sources.{key.source}")
            raise SampleError(f'Source {key.source!r}: sample {key.index}{where} cannot be loaded or augmented: '
                              f'{_text(error)}. Mend or remove it, mend the pipeline{mend}.') from error

    def _mark(self, sample: Any, source: str, skipped: list[int]) -> dict[str, Any]:
        """Write into a sample where it comes from."""
        if (not isinstance(sample, dict) or 'inputs' not in sample
                or not isinstance(sample.get('data_samples'), BaseDataElement)):
            got = f'a dict of {sorted(sample)}' if isinstance(sample, dict) else type(sample).__name__
            raise TypeError(f'Source {source!r}: a sample must be a dict of inputs and a data element as data_samples, '
                            f"got {got}. End its pipeline with the library's packing, e.g. mmdet.PackDetInputs, "
                            'mmseg.PackSegInputs or mmpretrain.PackInputs.')
        sample['data_samples'].set_metainfo(dict(source=source, task=self.tasks[source]))
        if skipped:
            sample['data_samples'].set_metainfo(dict(skipped=tuple(skipped)))
        return sample


def _check_source_cfg(source: str, cfg: Any) -> None:
    """Refuse a source's config with missing, unknown or wrong settings."""
    what = f'train_dataloader.dataset.sources.{source}'
    if not isinstance(cfg, Mapping) or not {'task', 'dataset'} <= set(cfg) <= {'task', 'dataset', 'on_error'}:
        got = sorted(cfg) if isinstance(cfg, Mapping) else repr(cfg)
        raise TypeError(f'{what} must be dict(task=..., dataset=...), optionally with on_error, got {got}.')
    if not isinstance(cfg['task'], str):
        raise TypeError(f"{what}.task must be the name of a task such as 'det', got {cfg['task']!r}.")
    if cfg.get('on_error', 'raise') not in MultiSourceDataset.ON_ERROR:
        raise ValueError(f"{what}.on_error={cfg['on_error']!r} must be 'raise' or 'skip'.")


def _build(source: str, dataset: Any) -> Any:
    """Build a source's stock data set, or take one that is built, and let it read its annotations."""
    what = f'train_dataloader.dataset.sources.{source}.dataset'
    if not isinstance(dataset, Mapping) and not (hasattr(dataset, '__getitem__') and hasattr(dataset, '__len__')):
        raise TypeError(f'{what} must be a data set or the config of one, got {dataset!r}.')
    try:
        if isinstance(dataset, Mapping):
            dataset = MMENGINE_DATASETS.build(with_scope(dataset))
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    except Exception as error:
        # numpy's "need at least one array to concatenate" is how mmengine's data sets fail without samples.
        raise ValueError(f'The data set of source {source!r} cannot be built: {_text(error)}. '
                         f'Mend {what}: its type, its paths, and filters that leave no samples.') from error
    return dataset


def _text(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'.rstrip('. \n')


def _image_paths(dataset: Any, index: int) -> list[str]:
    """Give the image files that a sample is made of, as far as its data set tells."""
    if not hasattr(dataset, 'get_data_info'):
        return []
    info = dataset.get_data_info(index)
    return [info[key] for key in ('img_path', 'seg_map_path') if isinstance(info.get(key), str)]
