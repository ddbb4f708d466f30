"""Photographs in stock formats, the stock pipelines that read them, and how long loaders take to serve them."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from PIL import Image
from torch.utils.data import DataLoader

from xlearner_mm.utils import with_scope

BATCH = dict(photos=8, boxes=2, maps=4)
TASKS = dict(photos='cls', boxes='det', maps='seg')
HEIGHT, WIDTH = 375, 500


def write_photographs(root: Path, number: int) -> Path:
    """Write JPEGs of the size and smoothness of photographs, with classes, boxes and label maps."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for folder in ('photos/a', 'photos/b', 'boxes', 'maps/img', 'maps/ann'):
        (root / folder).mkdir(parents=True)
    for i in range(number):
        coarse = Image.fromarray(rng.integers(0, 256, (HEIGHT // 25, WIDTH // 25, 3), dtype=np.uint8))
        noise = rng.integers(0, 24, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        image = Image.fromarray(np.asarray(coarse.resize((WIDTH, HEIGHT), Image.BICUBIC)) // 2 + 60 + noise)
        for path in (root / f'photos/{"ab"[i % 2]}/{i}.jpg', root / f'boxes/{i}.jpg', root / f'maps/img/{i}.jpg'):
            image.save(path, quality=90)
        label = rng.integers(0, 4, (HEIGHT // 25, WIDTH // 25), dtype=np.uint8)
        Image.fromarray(label).resize((WIDTH, HEIGHT), Image.NEAREST).save(root / f'maps/ann/{i}.png')
        images.append(dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT))
        annotations += [dict(id=8 * i + k, image_id=i, category_id=1 + k % 2, bbox=[30 * k, 20 * k, 90, 110], area=9900,
                             iscrowd=0) for k in range(8)]
    (root / 'boxes.json').write_text(json.dumps(dict(
        images=images, annotations=annotations, categories=[dict(id=1, name='a'), dict(id=2, name='b')])))
    return root


def stock_configs(root: Path) -> dict[str, dict]:
    """The data sets with augmentations of the libraries' own configs, but for those whose cost depends on chance."""
    return dict(
        photos=dict(
            type='mmpretrain.CustomDataset', data_root=str(root / 'photos'), with_label=True, pipeline=[
                dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', scale=224),
                dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')]),
        boxes=dict(
            type='mmdet.CocoDataset', ann_file=str(root / 'boxes.json'), data_prefix=dict(img=str(root / 'boxes')),
            metainfo=dict(classes=('a', 'b')), pipeline=[
                dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
                dict(type='Resize', scale=(640, 480), keep_ratio=True),
                dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]),
        maps=dict(
            type='mmseg.BaseSegDataset', data_root=str(root / 'maps'), img_suffix='.jpg',
            data_prefix=dict(img_path='img', seg_map_path='ann'),
            metainfo=dict(classes=tuple('wxyz'), palette=[[0] * 3, [1] * 3, [2] * 3, [3] * 3]), pipeline=[
                dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
                dict(type='Resize', scale=(640, 480), keep_ratio=True),
                dict(type='RandomCrop', crop_size=(320, 320), cat_max_ratio=0.75),
                dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'), dict(type='PackSegInputs')]))


def joint_loader(sources: dict[str, dict], num_workers: int = 0, batch_size: Any = None, seed: int = 3,
                 **sampler: Any) -> DataLoader:
    """Our loader, built as the runner builds it."""
    return Runner.build_dataloader(dict(
        batch_size=batch_size or {source: BATCH[source] for source in sources}, num_workers=num_workers,
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler', **sampler),
        collate_fn=dict(type='xlearner_mm.collate_by_source'),
        dataset=dict(type='xlearner_mm.MultiSourceDataset', sources={
            source: dict(task=TASKS[source], dataset=cfg) for source, cfg in sources.items()})), seed=seed)


def stock_loaders(sources: dict[str, dict], indices: dict[str, Sequence[int]], num_workers: int) -> list[DataLoader]:
    """A stock loader a source, which reads given samples."""
    return [DataLoader(DATASETS.build(with_scope(cfg)), BATCH[source], sampler=indices[source],
                       num_workers=num_workers, collate_fn=pseudo_collate, worker_init_fn=_one_thread)
            for source, cfg in sources.items()]


def _one_thread(worker: int) -> None:
    """As the runner's loaders do."""
    import cv2
    import torch
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def serving_times(sources: dict[str, dict], num_workers: int, batches: int,
                  repeats: int) -> tuple[list[float], list[float]]:
    """Time our joint batches and the three stock loaders on the same samples, in turn.

    The first batch is not timed: it waits for the workers' start. Each repeat draws other samples.

    Returns:
        tuple[list[float], list[float]]: Seconds of ours and of the sum of the stock ones, by repeat.
    """
    ours, stock = [], []
    indices: dict[str, list[int]] = {source: [] for source in sources}
    singles = stock_loaders(sources, indices, num_workers)
    joint = joint_loader(sources, num_workers)
    state = joint.batch_sampler.initial_state()
    for repeat in range(repeats):
        joint.batch_sampler.set_state(dict(state, seed=repeat))
        keys = [key for batch in islice(iter(joint.batch_sampler), batches + 1) for key in batch]
        for source in sources:
            indices[source][:] = [key.index for key in keys if key.source == source]
        if repeat % 2:
            ours.append(_seconds(joint, batches))
        stock.append(sum(_seconds(loader, batches) for loader in singles))
        if not repeat % 2:
            ours.append(_seconds(joint, batches))
    return ours, stock


def _seconds(loader: DataLoader, batches: int) -> float:
    iterator = islice(iter(loader), batches + 1)
    next(iterator)
    start = time.perf_counter()
    for _ in iterator:
        pass
    return time.perf_counter() - start


def median_ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Ratio of medians."""
    return statistics.median(one) / statistics.median(other)


def timed(action: Callable[[], Any]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def images_and_labels(batch: dict[str, dict]) -> Iterator[tuple]:
    """Everything of a batch that a model sees, as bytes."""
    labels = dict(photos=lambda s: s.gt_label, boxes=lambda s: s.gt_instances.bboxes.tensor,
                  maps=lambda s: s.gt_sem_seg.data)
    for source, part in batch.items():
        for image, sample in zip(part['inputs'], part['data_samples'], strict=True):
            yield source, image.numpy().tobytes(), labels[source](sample).numpy().tobytes(), sample.img_path
