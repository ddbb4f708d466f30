"""Labels drawn into images by the visualizers of the libraries they come from."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import cv2
import numpy as np
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import BaseBoxes
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.palette import get_palette
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from xlearner_mm.utils import keyed_rng

from .fit_image import fit_image
from .labelled_image import RGB, LabelledImage

_IGNORE = 255  # what the libraries' losses leave out of a map


def draw_labels(image: np.ndarray, data_sample: BaseDataElement, metainfo: Mapping[str, Any],
                height: int) -> LabelledImage:
    """Scale an image and its labels, then draw them: names stay legible on small images (ours).

    Drawn are boxes, masks and ignored boxes of mmdet's samples, maps of mmseg's and classes of mmpretrain's. A sample
    without any of them gets the caption "no label that can be drawn".

    Args:
        image (ndarray): ``(H, W, 3)``, RGB, uint8.
        data_sample (BaseDataElement): Stock sample, the labels those of ``image``.
        metainfo (Mapping): The data set's: ``classes`` and ``palette``, both optional.
        height (int): Height of the result, see :func:`fit_image`.

    Returns:
        LabelledImage: The image, what its labels are in words, and the colours of a map's classes.

    Raises:
        ValueError: If a label has no class, corners of a box are exchanged, or a map is of another size than its image.
            The message goes on after the name of the sample.
    """
    for kind, (has_labels, draw) in _DRAWERS.items():
        if isinstance(data_sample, kind) and has_labels(data_sample):
            # mmdet draws the masks' colours from numpy's global generator.
            with keyed_rng('draw_labels'), warnings.catch_warnings():
                warnings.filterwarnings('ignore', 'Warning: The (bbox|text|polygon) is out of bounds')
                return draw(image, data_sample, metainfo, height)
    return LabelledImage(fit_image(image, height), ['no label that can be drawn'])


def _draw_instances(image: np.ndarray, sample: DetDataSample, metainfo: Mapping[str, Any],
                    height: int) -> LabelledImage:
    """Draw boxes and masks; ignored ones too, called so."""
    fitted = fit_image(image, height)
    drawn, ignored = sample.gt_instances, sample.get('ignored_instances')
    parts = [_scaled(part, image.shape[:2], fitted.shape[:2]) for part in (drawn, ignored) if part is not None]
    masked = [part for part in parts if len(part)]
    counts = [len(drawn), len(ignored) if ignored is not None else 0]
    words = [f'{counts[0]} box' + 'es' * (counts[0] != 1)] + [f'{counts[1]} ignored'] * bool(counts[1])
    result = LabelledImage(fitted, [', '.join(words)])
    if not masked:
        return result
    fields = set.intersection(*(set(part.keys()) for part in masked))
    instances = InstanceData(**{key: np.concatenate([part[key] for part in masked]) for key in fields})
    names = _names_of(instances.labels, metainfo.get('classes'))
    instances.label_names = [name + ' (ignored)' * (i >= counts[0]) for i, name in enumerate(names)]
    visualizer = DetLocalVisualizer(line_width=2, alpha=0.6)
    visualizer.dataset_meta = dict(palette=_palette(metainfo, int(instances.labels.max()) + 1))
    visualizer.add_datasample('', fitted, DetDataSample(gt_instances=instances), draw_pred=False)
    result.image = visualizer.get_image()
    return result


def _scaled(instances: InstanceData, size: Sequence[int], new_size: Sequence[int]) -> InstanceData:
    """Give boxes ``(N, 4)``, masks ``(N, H, W)`` and labels as arrays, for an image that is scaled."""
    # Without boxes mmdet writes the names into the masks; it takes boxes of zeros for none.
    boxes = instances.get('bboxes', np.zeros((len(instances), 4)))
    if isinstance(boxes, BaseBoxes):
        boxes = boxes.convert_to('hbox').tensor
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    wrong = ~(boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
    if wrong.any():
        raise ValueError(f'its box {boxes[wrong][0].tolist()} (x1, y1, x2, y2) is not finite or has its corners '
                         'exchanged. Mend its annotations or the transforms of the pipeline')
    scale = np.array(new_size[::-1]) / np.array(size[::-1])
    arrays = dict(bboxes=boxes * np.tile(scale, 2), labels=np.asarray(instances.labels))
    if 'masks' in instances:
        arrays['masks'] = instances.masks.resize(tuple(new_size)).to_ndarray()
    return InstanceData(**arrays)


def _draw_map(image: np.ndarray, sample: SegDataSample, metainfo: Mapping[str, Any], height: int) -> LabelledImage:
    """Lay a map over its image, in the palette's colours; what is ignored stays as it is."""
    labels = np.asarray(sample.gt_sem_seg.data)[0]
    if labels.shape != image.shape[:2]:
        raise ValueError(f'its map is of {labels.shape} pixels and its image of {image.shape[:2]}. Mend the transforms '
                         'of the pipeline, which must change both')
    fitted = fit_image(image, height)
    if (labels == _IGNORE).all():
        return LabelledImage(fitted, ['nothing but ignored pixels'])
    labels = cv2.resize(labels.astype(np.int32), fitted.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    classes = _names(metainfo.get('classes'), int(labels[labels != _IGNORE].max(initial=0)) + 1)
    palette = _palette(metainfo, len(classes))[:len(classes)]
    visualizer = SegLocalVisualizer(alpha=0.55)
    visualizer.dataset_meta = dict(classes=classes, palette=palette)  # its constructor mixes the two up
    overlay = SegDataSample(gt_sem_seg=PixelData(data=labels[None]))
    visualizer.add_datasample('', fitted, overlay, draw_pred=False, with_labels=False)
    known = (labels >= 0) & (labels < len(classes)) & (labels != _IGNORE)
    areas = np.bincount(labels[known], minlength=len(classes))
    seen = sorted(np.flatnonzero(areas).tolist(), key=lambda label: -areas[label])
    unknown = [str(label) for label in np.unique(labels[~known]) if label != _IGNORE]
    return LabelledImage(
        np.where(known[..., None], visualizer.get_image(), fitted),
        [f'{len(seen)} class' + 'es' * (len(seen) != 1)] + ['no class: ' + ', '.join(unknown)] * bool(unknown),
        {classes[label]: tuple(palette[label]) for label in seen})


def _draw_class(image: np.ndarray, sample: DataSample, metainfo: Mapping[str, Any], height: int) -> LabelledImage:
    """Write the classes into the image, as large as fits."""
    fitted = fit_image(image, height)
    labels = np.asarray(sample.gt_label).reshape(-1)
    names = _names_of(labels, metainfo.get('classes'))
    # A letter of a monospaced font is 0.6 times as wide as its size; 72 points are an inch, 100 pixels here.
    letters = max([len(f'Ground truth: {label} ({name})') for label, name in zip(labels, names, strict=True)] + [14])
    size = min(8.0, (fitted.shape[1] - 14) / letters / 0.6 * 0.72)
    visualizer = UniversalVisualizer()
    visualizer.dataset_meta = dict(classes=_names(metainfo.get('classes'), int(labels.max(initial=0)) + 1))
    drawn = visualizer.visualize_cls(fitted, sample, draw_pred=False, text_cfg=dict(size=size))
    return LabelledImage(drawn, [', '.join(names) or 'no class'])


# By the type of a sample: whether it has labels, and who draws them.
_DRAWERS: dict[type, tuple[Callable[[Any], bool], Callable[..., LabelledImage]]] = {
    DetDataSample: (lambda sample: 'gt_instances' in sample and 'labels' in sample.gt_instances, _draw_instances),
    SegDataSample: (lambda sample: 'gt_sem_seg' in sample, _draw_map),
    DataSample: (lambda sample: 'gt_label' in sample, _draw_class),
}


def _names(classes: Optional[Sequence[str]], count: int) -> list[str]:
    """Give names of classes, their numbers if the data set names none."""
    return list(classes) if classes else [f'class {i}' for i in range(count)]


def _names_of(labels: np.ndarray, classes: Optional[Sequence[str]]) -> list[str]:
    """Give the names of some labels; refuse one without a class."""
    names = _names(classes, int(labels.max(initial=0)) + 1)
    for label in labels.tolist():
        if not 0 <= label < len(names):
            raise ValueError(f'its label {label} is not among the {len(names)} classes of the data set. Mend its '
                             'annotations or metainfo.classes')
    return [names[label] for label in labels.tolist()]


def _palette(metainfo: Mapping[str, Any], count: int) -> list[RGB]:
    """Give a colour for each of ``count`` classes: the data set's, or mmdet's random ones."""
    palette = metainfo.get('palette')
    if not palette or len(palette) < count:
        palette = get_palette(None, count)
    return [(int(red), int(green), int(blue)) for red, green, blue in palette]
