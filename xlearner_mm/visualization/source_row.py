"""What stands in a source's row of a contact sheet."""

from pathlib import Path

import numpy as np

from xlearner_mm.datasets import MultiSourceBatchSampler, MultiSourceDataset, SampleKey, shuffled
from xlearner_mm.utils import kind_of

from .draw_labels import draw_labels
from .labelled_image import LabelledImage
from .sample_image import is_rgb, sample_image


def first_keys(sampler: MultiSourceBatchSampler, source: str, epoch: int, columns: int) -> list[SampleKey]:
    """Name the samples that a run draws of a source when a pass through it begins.

    Args:
        sampler (MultiSourceBatchSampler): The run's; whatever its schedule, a source's own order is this one.
        source (str): Source.
        epoch (int): Passes before.
        columns (int): Number of samples; more than a pass has go on into the next one.

    Returns:
        list[SampleKey]: Keys in order, fewer if the source may not repeat and has no more.

    Raises:
        ValueError: If the source may not repeat, and a later pass was asked for.
    """
    size, seed = sampler.sizes[source], sampler.initial_state()['seed']
    if source in sampler.no_repeat:
        if epoch:
            raise ValueError(f'Source {source!r} may not repeat (train_dataloader.batch_sampler.no_repeat), so that it '
                             f'has no epoch {epoch}. Look at epoch 0, or at other sources.')
        columns = min(columns, size)
    epochs, indices = shuffled(epoch * size + np.arange(columns), size, seed, source)
    return [SampleKey(source, *pair, seed) for pair in zip(epochs.tolist(), indices.tolist(), strict=True)]


def labelled_sample(dataset: MultiSourceDataset, key: SampleKey, height: int) -> LabelledImage:
    """Load, augment and draw a sample.

    Args:
        dataset (MultiSourceDataset): The run's.
        key (SampleKey): What its sampler gives.
        height (int): Height of the image in pixels, see :func:`fit_image`.

    Returns:
        LabelledImage: The image with its labels, and a caption: the labels in words, the file, epoch and index.

    Raises:
        SampleError: If the sample cannot be loaded.
        ValueError: If its image or labels cannot be drawn.
    """
    stock = dataset.sources[key.source]
    sample = dataset[key]
    labels = sample['data_samples']
    passed = {reason: labels.get(reason, ()) for reason in ('skipped', 'dropped')}
    index = (key.index + sum(map(len, passed.values()))) % dataset.sizes[key.source]
    path = str(labels.get('img_path') or next(iter(dataset.image_paths(key.source, index)), ''))
    try:
        image = sample_image(sample['inputs'], is_rgb(stock))
        drawn = draw_labels(image, labels, dataset.metainfo[key.source], height)
    except (TypeError, ValueError) as error:
        raise ValueError(f'Source {key.source!r}: sample {index}{f" ({path})" if path else ""} cannot be drawn: '
                         f'{str(error).rstrip(".")}.') from error
    drawn.caption += [Path(path).name or 'file not known', f'epoch {key.epoch} · index {index}']
    drawn.caption += [f'{reason} before: {", ".join(map(str, found))}' for reason, found in passed.items() if found]
    return drawn


def source_title(dataset: MultiSourceDataset, source: str) -> str:
    """Describe a source in a line.

    Args:
        dataset (MultiSourceDataset): The run's.
        source (str): Source.

    Returns:
        str: Such as ``coco · det · mmdet.CocoDataset · 118,287 samples``.
    """
    size = dataset.sizes[source]
    return (f'{source} · {dataset.tasks[source]} · {kind_of(dataset.sources[source])} · '
            f'{size:,} sample{"s" * (size != 1)}')
