"""Predictions as plain numbers and names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.structures.mask import encode_mask_results
from torch import Tensor

TOP = 5


def plain_prediction(sample: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Give what a stock data sample predicts in a form that JSON can hold, maps excepted (ours).

    Args:
        sample (DataSample or DetDataSample or SegDataSample): Prediction of a stock model.
        classes (Sequence[str]): Names of the classes.

    Returns:
        dict: By the kind of prediction

        - ``classes``: the five of the highest score, each with ``label``, ``name`` and ``score``;
        - ``objects``: each with ``label``, ``name``, ``score``, ``box`` (left, top, right, bottom, in pixels of the
          image) and, from models that segment, ``mask`` (run lengths as COCO writes them), by falling score;
        - ``areas``: each with ``label``, ``name`` and ``share`` of the pixels, and ``map``, an array ``(H, W)`` of
          labels; of a panoptic prediction ``id``, and the map has ids;
        - ``depth``: ``min``, ``mean`` and ``max``, and ``map``, an array ``(H, W)``.

    Raises:
        TypeError: If it predicts nothing of these kinds.
    """
    plain: dict[str, Any] = {}
    if 'pred_score' in sample:
        scores, labels = sample.pred_score.topk(min(TOP, len(sample.pred_score)))
        plain['classes'] = [dict(_named(label, classes), score=score)
                            for label, score in zip(labels.tolist(), scores.tolist(), strict=True)]
    if 'pred_instances' in sample:
        plain['objects'] = _objects(sample.pred_instances, classes)
    for name in ('pred_sem_seg', 'pred_panoptic_seg'):
        if name in sample:
            plain.update(_areas(sample.get(name), classes, panoptic=name == 'pred_panoptic_seg'))
    if 'pred_depth_map' in sample:
        depth = _map(sample.pred_depth_map.data)
        plain.update(depth=dict(min=float(depth.min()), mean=float(depth.mean()), max=float(depth.max())), map=depth)
    if not plain:
        raise TypeError(f'{type(sample).__name__} with {", ".join(sample.keys()) or "nothing"} has no plain form. Ask '
                        'for return_datasamples=True.')
    return plain


def _named(label: int, classes: Sequence[str]) -> dict[str, Any]:
    return dict(label=label, name=classes[label] if label < len(classes) else f'class {label}')


def _objects(instances: Any, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Plain objects by falling score."""
    order = instances.scores.argsort(descending=True, stable=True)
    instances = instances[order].cpu()
    objects = [dict(_named(label, classes), score=score)
               for label, score in zip(instances.labels.tolist(), instances.scores.tolist(), strict=True)]
    if 'bboxes' in instances:
        for found, box in zip(objects, instances.bboxes.tolist(), strict=True):
            found['box'] = box
    if 'masks' in instances:
        for found, mask in zip(objects, encode_mask_results(np.asarray(instances.masks)), strict=True):
            found['mask'] = dict(size=list(mask['size']), counts=mask['counts'].decode())
    return objects


def _areas(predicted: Any, classes: Sequence[str], panoptic: bool) -> dict[str, Any]:
    """Plain areas by falling share; mmdet names its maps ``sem_seg``, mmseg ``data``."""
    ids = _map(predicted.sem_seg if 'sem_seg' in predicted else predicted.data)
    values, counts = np.unique(ids, return_counts=True)
    areas = []
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        number = dict(id=value) if panoptic else {}
        label = value % INSTANCE_OFFSET if panoptic else value
        areas.append(dict(_named(label, classes), **number, share=count / ids.size))
    return dict(areas=sorted(areas, key=lambda area: -area['share']), map=ids)


def _map(data: Tensor) -> np.ndarray:
    return data.detach().cpu().numpy().reshape(data.shape[-2:])
