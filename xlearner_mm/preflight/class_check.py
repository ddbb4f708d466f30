"""A head, the data it is trained on and the data it is measured on must mean the same by a class."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from mmdet.models import RPN, RPNHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import nn

from xlearner_mm.datasets.stock_sets import classes_of, leaves, metainfo_of
from xlearner_mm.models import XLearner
from xlearner_mm.models.branch import class_head_of


def class_findings(model: XLearner, datasets: Mapping[str, Any], val_datasets: Mapping[str, Any]) -> list[str]:
    """Find class maps that do not agree (ours).

    Args:
        model (XLearner): The model.
        datasets (Mapping[str, Dataset]): Stock training data set by source.
        val_datasets (Mapping[str, Dataset]): Stock validation data set by source.

    Returns:
        list[str]: What is wrong.
    """
    findings = []
    for source, dataset in datasets.items():
        sets = {f'train_dataloader.dataset.sources.{source}.dataset': dataset}
        if source in val_datasets:
            sets[f'val_dataloader.{source}.dataset'] = val_datasets[source]
        for place, data in sets.items():
            findings += _name_findings(source, place, data)
        for where, branch in _branches(model, source):
            findings += _head_findings(source, where, branch, dataset)
        if source in val_datasets:
            findings += _split_findings(source, dataset, val_datasets[source])
    return findings


def _branches(model: XLearner, source: str) -> Iterator[tuple[str, nn.Module]]:
    """Give the models of a source with the setting that they come from."""
    yield f'model.branches.{source}.model', model.branches[source]
    if model.squeeze is not None and source in model.squeeze.branches:
        yield f'model.squeeze.branches.{source}', model.squeeze.branches[source]


def _name_findings(source: str, place: str, dataset: Any) -> list[str]:
    """Find names that are no list, or that stand in another order than the folders they name."""
    classes, findings = metainfo_of(dataset).get('classes'), []
    if isinstance(classes, str):
        findings.append(f'Source {source!r}: metainfo.classes of {place} is the string {classes!r}, of which each '
                        f'letter would be a class. Mend it: classes=({classes!r}, ).')
    for leaf in leaves(dataset):
        names, folders = classes_of(leaf), _folders_of(leaf)
        if names and folders and sorted(names) == list(folders) and names != folders:
            findings.append(f'Source {source!r}: metainfo.classes of {place} and its folders come in another order: '
                            f'{_first_difference(names, folders)} Labels are numbered by the sorted folders, so the '
                            'names would be wrong. Mend metainfo.classes: sort it.')
    return findings


def _head_findings(source: str, where: str, branch: nn.Module, dataset: Any) -> list[str]:
    """Find heads with another number of classes than the data."""
    classes = classes_of(dataset)
    if classes is None or isinstance(metainfo_of(dataset).get('classes'), str):
        return []
    findings = []
    for head in _heads_of(branch):
        if not _numbers_of(dataset, head) & _accepted_by(head):
            findings.append(
                f'Source {source!r}: {type(head).__name__} of {where} has num_classes={head.num_classes}; its data has '
                f'{len(classes)}: {_shortened(classes)}. Mend num_classes of the head, or metainfo.classes of '
                f'train_dataloader.dataset.sources.{source}.dataset.')
    return list(dict.fromkeys(findings))


def _heads_of(branch: nn.Module) -> list[Any]:
    """Give the heads whose classes are those of the data; all of a cascade."""
    head = class_head_of(branch)
    # RPN takes every class for its only one; models with a language model have a class for each token.
    if head is None or isinstance(head, RPNHead) or isinstance(branch, RPN) or hasattr(branch, 'language_model'):
        return []
    for module in branch.modules():
        if isinstance(module, nn.ModuleList) and any(child is head for child in module):
            return [child for child in module if isinstance(getattr(child, 'num_classes', None), int)]
    return [head]


def _accepted_by(head: Any) -> set[int]:
    """Give the numbers of classes that a head can be trained with."""
    # One channel of mmseg tells two classes apart, whether num_classes is 1 or 2.
    binary = isinstance(head, BaseDecodeHead) and head.out_channels == 1
    return {head.num_classes, 2} if binary else {head.num_classes}


def _numbers_of(dataset: Any, head: Any) -> set[int]:
    """Give the numbers of classes that a head may have for the data."""
    numbers = {len(classes_of(dataset) or ())}
    things = metainfo_of(dataset).get('thing_classes')
    # Boxes of panoptic data are of things only, which come first.
    if things and not hasattr(head, 'num_stuff_classes'):
        numbers.add(len(things))
    return numbers


def _split_findings(source: str, train: Any, val: Any) -> list[str]:
    """Find training and validation data that mean different things by a label."""
    findings = []
    names, val_names = classes_of(train), classes_of(val)
    if names and val_names and names != val_names:
        findings.append(f'Source {source!r}: its training data has {len(names)} classes, its validation data '
                        f'{len(val_names)}: {_first_difference(names, val_names)} The metrics would take one class for '
                        'another. Mend metainfo.classes of both, or the folders that the classes come from.')
    else:
        folders, val_folders = _folders_of(train), _folders_of(val)
        if folders and val_folders and folders != val_folders:
            findings.append(f'Source {source!r}: labels are numbered by sorted folders, and those of training and '
                            f'validation differ: {_first_difference(folders, val_folders)} Mend the folders; one '
                            'without images may be empty.')
    zero, val_zero = (metainfo_of(data).get('reduce_zero_label') for data in (train, val))
    if None not in (zero, val_zero) and zero != val_zero:
        findings.append(f'Source {source!r}: reduce_zero_label is {zero} in training and {val_zero} in validation, so '
                        'every class would be taken for its neighbour. Mend one of the two data sets.')
    return findings


def _folders_of(dataset: Any) -> Optional[tuple[str, ...]]:
    """Give the folders that number the labels of mmpretrain's data sets without an annotation file."""
    folders = getattr(dataset, 'folder_to_idx', None)
    return tuple(sorted(folders, key=lambda name: folders[name])) if isinstance(folders, Mapping) else None


def _first_difference(names: tuple[str, ...], others: tuple[str, ...]) -> str:
    at = next((i for i, pair in enumerate(zip(names, others, strict=False)) if pair[0] != pair[1]),
              min(len(names), len(others)))
    first, second = (repr(group[at]) if at < len(group) else 'nothing' for group in (names, others))
    return f'{first} against {second} at label {at}.'


def _shortened(names: tuple[str, ...]) -> str:
    return ', '.join(map(repr, names[:3])) + (', ...' if len(names) > 3 else '')
