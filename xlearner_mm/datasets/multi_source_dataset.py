"""Several stock data sets as one."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from xlearner_mm.registry import DATASETS
from xlearner_mm.utils import as_dict_by_source, seed_cpu

from .dropped import tell_dropped
from .image_integrity import paths_in
from .in_flight import InFlight
from .sample import SampleError, SampleKey
from .stock import build_stock, load_stock


@DATASETS.register_module()
class MultiSourceDataset(Dataset):
    """Give samples of stock data sets, each marked with its source and task (ours).

    A sample depends on its :class:`SampleKey` alone: it seeds the global generators for the pipeline, so augmentations
    are the same with any number of workers and after a resume.

    A sample that a pipeline drops (by giving ``None``, as some crops do) is replaced by the next one, where the stock
    data sets take a random one and do not tell; so is one that cannot be loaded if the source has ``on_error='skip'``.
    The indices that were passed over stand in the metainfo ``dropped`` and ``skipped`` of the sample that is given
    instead.

    Args:
        sources (dict): By source ``dict(task=..., dataset=..., on_error='raise', max_skip_share=0.01)``: the task of
            :class:`XLearner`'s branch; a stock data set or its config; what to do with a sample that cannot be loaded,
            ``raise`` or ``skip``; and the share of samples from which on skipping stops the run.

    Attributes:
        sources (dict[str, Dataset]): Stock data set by source.
        tasks (dict[str, str]): Task by source.
        sizes (dict[str, int]): Number of samples by source.
        max_skip_shares (dict[str, float]): Largest share of samples that may be skipped, by source.
        in_flight (InFlight, optional): Where workers note what they load.

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
        self.max_skip_shares: dict[str, float] = {}
        self.in_flight: Optional[InFlight] = None
        self._on_error: dict[str, str] = {}
        for source, cfg in as_dict_by_source(sources, 'train_dataloader.dataset.sources').items():
            _check_source_cfg(source, cfg)
            self.tasks[source] = cfg['task']
            self._on_error[source] = cfg.get('on_error', 'raise')
            self.max_skip_shares[source] = cfg.get('max_skip_share', 0.01)
            self.sources[source] = build_stock(
                source, cfg['dataset'], f'train_dataloader.dataset.sources.{source}.dataset')
            tell_dropped(self.sources[source])
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
                ``task`` in its metainfo, and ``skipped`` and ``dropped`` (tuples of indices) where samples were passed
                over.

        Raises:
            SampleError: If the sample cannot be loaded, or too many in a row with ``on_error='skip'``.
            TypeError: If the pipeline does not end in the packing that X-Learner reads.
        """
        passed: dict[str, list[int]] = dict(skipped=[], dropped=[])
        first, failure = key.index, ''
        tries = min(self.sizes[key.source], self.MAX_TRIES)
        for _ in range(tries):
            reason = 'dropped'
            try:
                sample = self._load(key)
            except SampleError as error:
                if self._on_error[key.source] == 'raise':
                    raise
                if len(passed['skipped']) == self.MAX_FAILURES:
                    raise SampleError(f'{self.MAX_FAILURES + 1} samples in a row failed. The last, not skipped: '
                                      f'{error}') from error
                print_log(f'Skipped. {error}', logger='current', level=logging.WARNING)
                sample, reason, failure = None, 'skipped', f' The last failure: {error}'
            if sample is not None:
                return self._mark(sample, key.source, passed)
            passed[reason].append(key.index)
            key = replace(key, index=(key.index + 1) % self.sizes[key.source])
        raise SampleError(f'Source {key.source!r}: none of {tries} samples in a row could be used, from index {first} '
                          f'on; {len(passed["skipped"])} of them failed, the pipeline gave None for the others. Mend '
                          f'the data or the transforms that drop samples.{failure}')

    def image_paths(self, source: str, index: int) -> list[str]:
        """Give the image files that a sample is made of, as far as its stock data set tells.

        Args:
            source (str): Source of the sample.
            index (int): Its index there.

        Returns:
            list[str]: Paths of the image and of its map of classes.
        """
        dataset = self.sources[source]
        return paths_in(dataset.get_data_info(index)) if hasattr(dataset, 'get_data_info') else []

    def _load(self, key: SampleKey) -> Optional[Any]:
        """Give a stock sample, or None where the pipeline drops it."""
        if self.in_flight is not None:
            self.in_flight.note(key)
        mend = '' if self._on_error[key.source] == 'skip' else (
            f", or set on_error='skip' in train_dataloader.dataset.sources.{key.source}")
        # They are not put back: the model's randomness is seeded before each source's forward.
        seed_cpu(key.seed, key.source, key.epoch, key.index)
        return load_stock(key.source, self.sources[key.source], key.index, mend)

    def _mark(self, sample: Any, source: str, passed: Mapping[str, list[int]]) -> dict[str, Any]:
        """Write into a sample where it comes from."""
        if (not isinstance(sample, dict) or 'inputs' not in sample
                or not isinstance(sample.get('data_samples'), BaseDataElement)):
            got = f'a dict of {sorted(sample)}' if isinstance(sample, dict) else type(sample).__name__
            raise TypeError(f'Source {source!r}: a sample must be a dict of inputs and a data element as data_samples, '
                            f"got {got}. End its pipeline with the library's packing, e.g. mmdet.PackDetInputs, "
                            'mmseg.PackSegInputs or mmpretrain.PackInputs.')
        told = {reason: tuple(indices) for reason, indices in passed.items() if indices}
        for name, value in dict(told, source=source, task=self.tasks[source]).items():
            sample['data_samples'].set_field(value, name, field_type='metainfo')
        return sample


def _check_source_cfg(source: str, cfg: Any) -> None:
    """Refuse a source's config with missing, unknown or wrong settings."""
    what = f'train_dataloader.dataset.sources.{source}'
    needed, optional = {'task', 'dataset'}, {'on_error', 'max_skip_share'}
    if not isinstance(cfg, Mapping) or not needed <= set(cfg) <= needed | optional:
        got = sorted(cfg) if isinstance(cfg, Mapping) else repr(cfg)
        raise TypeError(f'{what} must be dict(task=..., dataset=...), optionally with on_error and max_skip_share, got '
                        f'{got}.')
    if not isinstance(cfg['task'], str):
        raise TypeError(f"{what}.task must be the name of a task such as 'det', got {cfg['task']!r}.")
    if cfg.get('on_error', 'raise') not in MultiSourceDataset.ON_ERROR:
        raise ValueError(f"{what}.on_error={cfg['on_error']!r} must be 'raise' or 'skip'.")
    share = cfg.get('max_skip_share', 0.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise ValueError(f"{what}.max_skip_share={share!r} must be a share of the samples, from 0 to 1.")

