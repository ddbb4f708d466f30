"""Features of a data set, computed once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.utils.data import DataLoader

from xlearner_mm.datasets import CheckedDataset, build_stock
from xlearner_mm.models.expansion import plain_pass
from xlearner_mm.utils import with_scope

from .feature_cache import FeatureCache
from .features import Features
from .pooling import pool


def extract_features(backbone: nn.Module, dataset: Mapping[str, Any], data_preprocessor: Mapping[str, Any], name: str,
                     cache: Optional[Path] = None, batch_size: int = 64, num_workers: int = 0) -> Features:
    """Run a frozen backbone over a data set.

    No sample is left out: one that cannot be read, or that the pipeline drops, is an error that names it.

    Args:
        backbone (nn.Module): Gives maps, tokens or vectors, see :func:`pool`. Features are computed on its device.
        dataset (Mapping): Config of a stock classification data set, with its pipeline for testing.
        data_preprocessor (Mapping): Config of the stock data preprocessor.
        name (str): How errors and files name the data set.
        cache (Path, optional): Folder to keep features in. They are taken from there if backbone, configs and samples
            are what they were.
        batch_size (int): Images at a time.
        num_workers (int): Processes that read images.

    Returns:
        Features: Vectors ``(N, C)``, float32, and labels ``(N, )``, on the CPU.

    Raises:
        SampleError: If a sample cannot be read.
        TypeError: If the backbone gives something else.
        ValueError: If the data set cannot be built, a sample has not exactly one label, or its features are not finite.
    """
    stock = build_stock(name, dataset, f'the data set {name}')
    kept = None if cache is None else FeatureCache(cache, name, backbone, dataset, data_preprocessor, stock)
    features = None if kept is None else kept.read()
    if features is None:
        loader: DataLoader = DataLoader(CheckedDataset(name, stock), batch_size, num_workers=num_workers,
                                        collate_fn=pseudo_collate)
        features = _run(backbone, MODELS.build(with_scope(data_preprocessor)), loader, name)
        if kept is not None:
            kept.write(features)
    print_log(f'Features of {name}: {len(features.labels)} samples, {features.vectors.shape[1]} channels.', 'current')
    return features


@torch.no_grad()
def _run(backbone: nn.Module, preprocessor: Any, loader: DataLoader, name: str) -> Features:
    preprocessor.to(next(backbone.parameters()).device)
    vectors, labels = [], []
    with plain_pass(backbone):
        for step, batch in enumerate(loader):
            labels += [_label_of(sample, name) for sample in batch['data_samples']]
            found = pool(backbone(preprocessor(batch, False)['inputs']), backbone).float().cpu()
            _check_finite(found, batch['data_samples'], name)
            vectors.append(found)
            if step % 100 == 99:
                print_log(f'Features of {name}: batch {step + 1} of {len(loader)}.', 'current')
    return Features(torch.cat(vectors), torch.tensor(labels))


def _label_of(sample: Any, name: str) -> int:
    label = sample.get('gt_label')
    if label is None or label.numel() != 1 or int(label) < 0:
        got = 'none' if label is None else label.tolist()
        raise ValueError(f'Data set {name}: the sample of {_place(sample)} must have exactly one label for a probe, '
                         f'got {got}. Take a data set of one class for each image, with labels, and pack it by '
                         'mmpretrain.PackInputs.')
    return int(label)


def _check_finite(vectors: Tensor, samples: Any, name: str) -> None:
    bad = torch.nonzero(~vectors.isfinite().all(1)).flatten().tolist()
    if bad:
        raise ValueError(f'Data set {name}: the features of {_place(samples[bad[0]])} are not finite. The backbone may '
                         'have diverged: take an earlier checkpoint.')


def _place(sample: Any) -> str:
    return sample.get('img_path') or 'unknown path'
