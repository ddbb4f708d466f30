"""Files that a data set made of folders leaves out because of their suffix."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from mmengine.logging import print_log
from mmpretrain.datasets import CustomDataset
from mmseg.datasets import BaseSegDataset

from xlearner_mm.datasets.stock_sets import leaves


def warn_of_unused_files(datasets: Mapping[str, Any]) -> None:
    """Log what a data set that takes all images of a folder leaves out: files, links to nothing, empty classes (ours).

    A warning and no error: they may well be meant to be left out.

    Args:
        datasets (Mapping[str, Dataset]): Stock training data set by source.
    """
    for source, dataset in datasets.items():
        for leaf in leaves(dataset):
            folder, is_used = _folder_of(leaf)
            if folder is not None and os.path.isdir(folder):
                for text in _left_out(leaf, folder, is_used):
                    print_log(f'Preflight: source {source!r} {text}', logger='current', level=logging.WARNING)


def _left_out(dataset: Any, folder: str, is_used: Callable[[str], bool]) -> Iterator[str]:
    names = [os.path.relpath(os.path.join(path, name), folder)
             for path, _, files in os.walk(folder, followlinks=True) for name in files if name[0] != '.']
    unused = [name for name in names if not is_used(name)]
    if unused:
        suffixes = Counter(os.path.splitext(name)[1] or 'no suffix' for name in unused)
        counts = ', '.join(f'{suffix} {count:,}' for suffix, count in suffixes.most_common(5))
        yield (f'does not use {len(unused):,} of the files in {folder} because of their suffix ({counts}), e.g. '
               f'{min(unused)}. Where they are images, convert or rename them, or mend {_setting_of(dataset)} of its '
               'data set.')
    dangling = [name for name in names if is_used(name) and not os.path.exists(os.path.join(folder, name))]
    if dangling:
        yield (f'does not use {len(dangling):,} of the files in {folder} because they are links to nothing, e.g. '
               f'{min(dangling)}. Mend the links, or remove them.')
    classes = getattr(dataset, 'folder_to_idx', {})
    empty = sorted(set(classes) - {name.split(os.sep, 1)[0] for name in names if is_used(name)})
    if empty:
        yield (f'has no images of {len(empty):,} of its {len(classes):,} classes, e.g. of {empty[0]!r}: the folders in '
               f'{folder} are empty. Add images, or remove the folders and lower num_classes of the head.')


def _folder_of(dataset: Any) -> tuple[Optional[str], Callable[[str], bool]]:
    """Give the folder that a data set takes all images of, and which of its files it takes; None if it has a list."""
    reader = getattr(type(dataset), 'load_data_list', None)
    if reader is CustomDataset.load_data_list and not dataset.ann_file:
        return dataset.img_prefix, dataset.is_valid_file
    if reader is BaseSegDataset.load_data_list and (not dataset.ann_file or os.path.isdir(dataset.ann_file)):
        suffixes = dataset.img_suffix, dataset.seg_map_suffix  # maps may lie beside the images
        return dataset.data_prefix.get('img_path'), lambda name: name.endswith(suffixes)
    return None, bool


def _setting_of(dataset: Any) -> str:
    return 'img_suffix' if isinstance(dataset, BaseSegDataset) else 'extensions'
