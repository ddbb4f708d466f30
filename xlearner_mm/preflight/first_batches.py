"""Loading a batch of each source in this process, without workers."""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader

from xlearner_mm.datasets import SampleKey, error_text
from xlearner_mm.models import XLearner
from xlearner_mm.models.label_check import check_annotations
from xlearner_mm.utils import keyed_rng

from .same_sample import same_sample

MAX_STEPS = 1000
"""So many steps are looked through for the first batch of each source."""


def try_training_batches(model: XLearner, loader: DataLoader) -> list[str]:
    """Load and preprocess the first training batch of each source (ours).

    Args:
        model (XLearner): The model.
        loader (DataLoader): Loader of a ``MultiSourceDataset``.

    Returns:
        list[str]: What is odd, but no error: samples that differ when they are loaded again, and sources that are not
            due for a long time.

    Raises:
        SampleError: If a sample cannot be loaded.
        ValueError: If a label is missing or outside of its head's classes, or a batch cannot be preprocessed.
    """
    warnings = []
    due = _first_keys(loader.batch_sampler, model.tasks)
    for source in model.tasks:
        if source not in due:
            warnings.append(f'Source {source!r} is not due in the first {MAX_STEPS:,} steps, so no batch of it was '
                            'loaded. If that is not meant, mend its ratio in train_dataloader.batch_sampler.')
            continue
        samples = [_load(loader.dataset, key, 0) for key in due[source]]
        if not same_sample(samples[0], _load(loader.dataset, due[source][0], 1)):
            warnings.append(
                f'Source {source!r}: sample {due[source][0].index} is another one when it is loaded again under the '
                'same key. A transform keeps a state, or a random generator of its own (as mmdet.CachedMosaic and '
                'albumentations do), so images depend on the number of workers and a resumed run gets others. Mend '
                f'the pipeline in train_dataloader.dataset.sources.{source}.dataset, if runs must be repeatable.')
        batch = loader.collate_fn(samples)
        _preprocess(model, source, batch[source], f'train_dataloader.dataset.sources.{source}.dataset', True)
        check_annotations(source, batch[source]['data_samples'], model.branch(source))
    return warnings


def try_val_batches(model: XLearner, loaders: Mapping[str, DataLoader]) -> None:
    """Load and preprocess the first validation batch of each source (ours).

    Args:
        model (XLearner): The model.
        loaders (Mapping[str, DataLoader]): Stock loader by source.

    Raises:
        SampleError: If a sample cannot be loaded, where the loader says so itself.
        ValueError: If a sample cannot be loaded or a batch cannot be preprocessed.
    """
    for source, loader in loaders.items():
        where = f'val_dataloader.{source}.dataset'
        batch_sampler: Any = loader.batch_sampler
        indices = next(iter(batch_sampler))
        try:
            batch = loader.collate_fn([loader.dataset[index] for index in indices])
        except Exception as error:
            if _names(source, error):
                raise
            raise ValueError(f'Source {source!r}: the first validation batch (samples {_list(indices)}) cannot be '
                             f'loaded: {error_text(error)}. Mend {where}: its files or its pipeline.') from error
        _preprocess(model, source, batch, where, False)


def _first_keys(batch_sampler: Any, sources: Collection[str]) -> dict[str, list[SampleKey]]:
    """Give the keys of the first batch of each source, of those that are due soon."""
    found: dict[str, list[SampleKey]] = {}
    for keys in islice(batch_sampler, MAX_STEPS):
        new: dict[str, list[SampleKey]] = {}
        for key in keys:
            if key.source not in found:
                new.setdefault(key.source, []).append(key)
        found.update(new)
        if len(found) == len(sources):
            break
    return found


def _load(dataset: Any, key: SampleKey, state: int) -> Any:
    """Load a sample while the global generators are in one of several states, on which it must not depend."""
    with keyed_rng('preflight', state):
        return dataset[key]


def _preprocess(model: XLearner, source: str, batch: Any, where: str, training: bool) -> None:
    try:
        with torch.no_grad():
            model.data_preprocessor({source: batch}, training)
    except Exception as error:
        if _names(source, error):
            raise
        raise ValueError(f'Source {source!r}: its data preprocessor refuses the first batch of {where}: '
                         f'{error_text(error)}. Mend the pipeline, or model.branches.{source}.model.data_preprocessor.'
                         ) from error


def _names(source: str, error: Exception) -> bool:
    """Whether an error is one of ours, which says what is to be mended by itself."""
    return f'Source {source!r}' in str(error)



def _list(indices: Any) -> str:
    return ', '.join(map(str, indices[:3])) + (', ...' if len(indices) > 3 else '')
