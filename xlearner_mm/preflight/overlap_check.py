"""No image may be trained on and measured on."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.logging import print_log
from torch.utils.data import ConcatDataset, Subset

from xlearner_mm.datasets import permute

MAX_SAMPLES = 2_000_000
"""Of more, so many are looked at: an image costs about 20 microseconds."""


def overlap_findings(datasets: Mapping[str, Any], val_datasets: Mapping[str, Any]) -> list[str]:
    """Find image files that are both in training and in validation data, of whichever sources (ours).

    Files are compared by name and real folder, so that a linked folder is no other one.

    Args:
        datasets (Mapping[str, Dataset]): Stock training data set by source.
        val_datasets (Mapping[str, Dataset]): Stock validation data set by source.

    Returns:
        list[str]: One for each pair of sources with a common image.
    """
    folders: dict[str, str] = {}
    owners: dict[str, tuple[str, ...]] = {}
    for source, path in _image_paths(val_datasets, folders, 'validation'):
        if source not in owners.setdefault(path, ()):
            owners[path] += (source, )
    if not owners:
        return []
    common: dict[tuple[str, str], dict[str, None]] = {}  # dicts as ordered sets
    for source, path in _image_paths(datasets, folders, 'training'):
        for other in owners.get(path, ()):
            common.setdefault((source, other), {})[path] = None
    return [_finding(source, other, list(paths)) for (source, other), paths in common.items()]


def _finding(source: str, other: str, paths: Sequence[str]) -> str:
    whose = 'its own validation' if source == other else f'the validation of source {other!r}'
    return (f'Source {source!r} is trained on images of {whose}: {len(paths):,} file{"s" if len(paths) > 1 else ""}, '
            f'e.g. {" and ".join(paths[:2])}. The metrics would be too good. Take them out of '
            f'train_dataloader.dataset.sources.{source}.dataset or val_dataloader.{other}.dataset.')


def _image_paths(datasets: Mapping[str, Any], folders: dict[str, str], what: str) -> Iterator[tuple[str, str]]:
    """Give source and image file of every sample, or of a keyed choice where there are too many."""
    parts = [(source, part) for source, dataset in datasets.items() for part in _parts(dataset)
             if len(part) and _path_of(part, 0) is not None]
    ends = np.cumsum([len(part) for _, part in parts], dtype=np.int64)
    total = int(ends[-1]) if parts else 0
    chosen = np.arange(total)
    if total > MAX_SAMPLES:
        print_log(f'Preflight: of {total:,} samples of the {what} data, {MAX_SAMPLES:,} are looked up in the search '
                  'for images in both training and validation.', logger='current')
        chosen = np.sort(permute(np.arange(MAX_SAMPLES), total, 'preflight', what))
    for (source, part), end in zip(parts, ends.tolist(), strict=True):
        start = end - len(part)
        for index in chosen[slice(*np.searchsorted(chosen, (start, end)))].tolist():
            path = _path_of(part, index - start)
            if path is not None:
                yield source, _real(path, folders)


def _parts(dataset: Any) -> Iterator[Any]:
    """Give the data sets inside of wrappers that take every sample of what they wrap."""
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _parts(part)
    elif isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        yield from _parts(dataset.dataset)
    else:
        yield dataset


def _path_of(dataset: Any, index: int) -> Any:
    """Give the image file of a sample, None if its data set does not tell."""
    if isinstance(dataset, Subset):
        return _path_of(dataset.dataset, dataset.indices[index])
    info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else None
    path = info.get('img_path') if isinstance(info, Mapping) else None
    return path if isinstance(path, str) else None


def _real(path: str, folders: dict[str, str]) -> str:
    """Give a path with its folder resolved; each folder once, for a lookup of links asks the disk."""
    folder, name = os.path.split(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)
