"""Labels that a branch cannot train on."""

from collections.abc import Iterator, Sequence
from typing import Any, Optional

import torch
from mmdet.models import BaseDetector, RPNHead
from mmpretrain.models import BaseClassifier, MultiTaskHead
from mmpretrain.structures import MultiTaskDataSample
from mmseg.models import BaseSegmentor, DepthEstimator
from torch import Tensor, nn

from .branch import class_head_of


def check_annotations(source: str, samples: Sequence[Any], model: nn.Module) -> None:
    """Refuse samples without the labels that a source's branch trains on, and labels outside of its classes.

    Args:
        source (str): Name of the source.
        samples (Sequence): Its data samples, still on the CPU.
        model (nn.Module): Its branch.

    Raises:
        ValueError: If there is such a sample.
    """
    for sample in samples:
        missing = _missing_of(sample, model)
        if missing:
            where = getattr(sample, 'img_path', None) or 'unknown path'
            raise ValueError(
                f'Source {source!r}: the sample of {where}, a {type(sample).__name__}, has no {missing}, which its '
                f'{type(model).__name__} trains on. Mend the pipeline of the source: load it (LoadAnnotations) and '
                "pack it by the branch's own library: mmpretrain.PackInputs, mmdet.PackDetInputs, mmseg.PackSegInputs.")
    check_labels(source, samples, model)


def check_labels(source: str, samples: Sequence[Any], model: nn.Module) -> None:
    """Refuse labels outside the class range of a source's head.

    On a GPU such a label is a device-side assertion that names nothing; in some losses it passes silently.

    Args:
        source (str): Name of the source.
        samples (Sequence): Its data samples, still on the CPU.
        model (nn.Module): Its branch.

    Raises:
        ValueError: If there is such a label.
    """
    for head, labelled in _labelled(model, samples):
        if not _outside(torch.cat([labels.reshape(-1) for _, labels in labelled]), head).any():  # all at once is quick
            continue
        sample, labels = next((s, labels) for s, labels in labelled if _outside(labels, head).any())
        where = getattr(sample, 'img_path', None) or 'unknown path'
        raise ValueError(
            f'Source {source!r}: label {int(labels[_outside(labels, head)][0])} of {where} is outside '
            f'0..{head.num_classes - 1}, the classes of its {type(head).__name__}. Mend the annotation, or set '
            'num_classes (and, for a label that means "unlabelled", ignore_index) of the branch.')


def _outside(labels: Tensor, head: Any) -> Tensor:
    """Tell which labels a head has no class for."""
    outside = (labels < 0) | (labels >= head.num_classes)
    ignored = getattr(head, 'ignore_index', None)
    return outside & (labels != ignored) if isinstance(ignored, int) else outside


def _labelled(model: nn.Module, samples: Sequence[Any]) -> Iterator[tuple[Any, list[tuple[Any, Tensor]]]]:
    """Give the labels that have a range: the head that trains on them, and samples with their labels."""
    head = getattr(model, 'head', None)
    heads = dict(head.task_heads) if isinstance(head, MultiTaskHead) else {'': class_head_of(model)}
    for task, own in heads.items():
        if not isinstance(getattr(own, 'num_classes', None), int) or isinstance(own, RPNHead):
            continue  # mmdet.RPN takes every class for its only one
        parts = [(sample, sample if not task else sample.get(task)) for sample in samples]
        labelled = [(sample, None if part is None else _labels_of(part)) for sample, part in parts]
        found = [(sample, labels) for sample, labels in labelled if labels is not None and labels.numel()]
        if found:
            yield own, found


def _missing_of(sample: Any, model: nn.Module) -> str:
    """Name what a sample lacks; nothing is asked for models of other kinds."""
    if isinstance(sample, MultiTaskDataSample):  # it may have labels for some of the tasks only
        lacking = [_missing_of(sample.get(task), model) for task in sample.tasks]
        return next((f'{task}.{lack}' for task, lack in zip(sample.tasks, lacking, strict=True) if lack),
                    '' if lacking else 'label of any task')
    if isinstance(model, BaseClassifier) and not ('gt_label' in sample or 'gt_score' in sample):
        return 'gt_label'
    if isinstance(model, DepthEstimator):  # a segmentor by inheritance only
        return '' if 'gt_depth_map' in sample and 'data' in sample.gt_depth_map else 'gt_depth_map'
    if isinstance(model, BaseSegmentor) and not ('gt_sem_seg' in sample and 'data' in sample.gt_sem_seg):
        return 'gt_sem_seg'
    if isinstance(model, BaseDetector):
        has_boxes = any(getattr(model, head, None) is not None for head in ('bbox_head', 'rpn_head'))
        needed = ['labels', 'bboxes'] if has_boxes else ['labels']
        instances = sample.gt_instances if 'gt_instances' in sample else {}
        return ', '.join(f'gt_instances.{name}' for name in needed if name not in instances)
    return ''


def _labels_of(sample: Any) -> Optional[Tensor]:
    """Class labels of a data sample of mmpretrain, mmdet or mmseg; multi-label vectors are none."""
    if 'gt_label' in sample:
        return sample.gt_label
    if 'gt_instances' in sample and 'labels' in sample.gt_instances:
        return sample.gt_instances.labels
    if 'gt_sem_seg' in sample:
        # mmdet calls its semantic map "sem_seg", mmseg "data"; only mmseg's is one map of class indices.
        return sample.gt_sem_seg.get('data')
    return None
