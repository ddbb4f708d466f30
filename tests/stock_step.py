"""One training step of any stock config as a branch, on tiny generated inputs."""

import math
import re
import traceback
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from xlearner_mm.compose.stock_source import StockSource, read_source
from xlearner_mm.compose.taken_model import TakenModel, take_model
from xlearner_mm.models.branch import class_head_of

SIZE = 128


class Outcome(NamedTuple):
    """What became of a config.

    It is ``trains``, ``refused``, ``unsupported`` (its backbone family), ``broken`` (its own library cannot build the
    model either), ``gpu only`` (an operator of mmcv has no form for the CPU) or ``failed``.
    """

    kind: str
    reason: str


def try_config(stock: str) -> Outcome:
    """Compose a stock config as a branch and train one step of it."""
    try:
        source = read_source('source', stock)
        taken = take_model(source)
    except (ValueError, ImportError, OSError) as error:
        text = str(error)
        return Outcome('unsupported' if 'is not supported. Supported:' in text else 'refused', text)
    try:
        return train_step(source, taken)
    except Exception as error:
        told = f'{type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}'
        if 'implementation for device cpu not found' in told:
            return Outcome('gpu only', told)
        return Outcome('failed' if _builds(source) else 'broken', told)


def _builds(source: StockSource) -> bool:
    """Whether the library itself can build the stock model."""
    try:
        MODELS.build(ConfigDict(reduced(dict(source.cfg.model, type=f'{source.library}.{source.cfg.model.type}')),
                                _scope_=source.library))
    except Exception:
        return False
    return True


def train_step(source: StockSource, taken: TakenModel) -> Outcome:
    """Train a step by hard sharing: loss finite, and a gradient in every backbone that is not frozen.

    The gradient may be zero: heads that begin with zeros pass nothing on in the first step.
    """
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.XLearner',
        backbone=reduced(taken.backbone),
        branches=dict(source=dict(task=source.task, model=reduced(taken.branch))),
        output_stride={source.task: taken.output_stride} if taken.output_stride else None))
    model.init_weights()
    model.train()
    size = image_size(reduced(taken.backbone), taken)
    for name in ('iter', 'epoch'):
        MessageHub.get_current_instance().update_info(name, 0)  # as a runner does; some stock models ask for it
    branch = model.branches['source']
    reached: list[torch.Tensor] = []
    trained = [p for p in model.backbone.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.register_hook(reached.append)
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-6))
    logged = model.train_step(dict(source=batch(source, branch, size)), optim)
    if not math.isfinite(logged['loss']):
        return Outcome('failed', f'loss is {logged["loss"]}')
    return Outcome('trains', '') if reached or not trained else Outcome('failed', 'no gradient reached the backbone')


# Numbers that cost time and change no kind of module, and the most that they may be.
_MOST = dict(num=32, num_points=128, nms_pre=200, max_per_img=50, num_queries=50)


def reduced(cfg: Any) -> Any:
    """Give a config without weights from the network, without what needs several devices, and smaller."""
    if isinstance(cfg, dict):
        if isinstance(cfg.get('size'), (list, tuple)) and min(cfg['size']) > SIZE:  # what preprocessors pad to
            cfg = dict(cfg, size=(SIZE, SIZE))
        if re.search(r'Res\w*$', str(cfg.get('type'))) and cfg.get('depth') in (101, 152):
            cfg = dict(cfg, depth=50)
        if re.fullmatch(r'\w+\.(BEiT|MAE)', str(cfg.get('type'))):  # their decoders at 512 or 640 pixels take minutes
            cfg = dict(cfg, img_size=(SIZE, SIZE))
        return {k: min(v, _MOST[k]) if k in _MOST and isinstance(v, int) else reduced(v) for k, v in cfg.items()
                if k != 'pretrained' and not (k == 'init_cfg' and "'checkpoint'" in str(v))}
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(map(reduced, cfg))
    return dict(SyncBN='BN', MMSyncBN='BN').get(cfg, cfg) if isinstance(cfg, str) else cfg


def image_size(backbone: dict, taken: TakenModel) -> int:
    """Size of images: small, but the one that a backbone with fixed positions asks for, and room for queries."""
    if re.search(r"'DCN|DDOD|VFNet", str(taken.branch)):  # three positions at a stride of 128
        return 3 * SIZE
    fixed = re.search(r'BEiT|EVA|DeiT3|MAE|SwinTransformerV2|mmpretrain.SwinTransformer', str(backbone['type']))
    size = backbone.get('img_size', 224) if fixed else SIZE
    return size[0] if isinstance(size, (list, tuple)) else size


def batch(source: StockSource, branch: Any, size: int) -> dict:
    """Two images with labels of every kind that the library's models read."""
    generator = torch.Generator().manual_seed(0)
    # Boxes alone are all that many detectors are given, and some do otherwise where there are masks.
    masks = re.search(r"'with_mask': True|Panoptic", str(source.cfg.get('train_dataloader')))
    head = class_head_of(branch)
    classes = getattr(head, 'num_classes', 2) or 2
    make = dict(mmdet=_boxes, mmseg=_map, mmpretrain=_label)[str(type(branch).__module__).split('.', 1)[0]]
    samples = []
    for i in range(2):
        sample = make(branch, size, classes, i)
        if not masks and 'gt_instances' in sample:
            del sample.gt_instances.masks
        sample.set_metainfo(dict(
            source='source', task=source.task, img_path=f'{i}.png', img_id=i, img_shape=(size, size),
            ori_shape=(size, size), pad_shape=(size, size), batch_input_shape=(size, size), scale_factor=(1., 1.),
            flip=False, flip_direction=None, border=(0, size, 0, size)))
        samples.append(sample)
    images = torch.randint(0, 256, (2, 3, size, size), generator=generator, dtype=torch.uint8)
    return dict(inputs=list(images), data_samples=samples)


def _label(branch: Any, size: int, classes: int, i: int) -> DataSample:
    multi = 'MultiLabel' in type(branch.head).__name__ or 'CSRA' in type(branch.head).__name__
    return DataSample().set_gt_label([0, 1] if multi else i % classes)


def _map(branch: Any, size: int, classes: int, i: int) -> SegDataSample:
    label = torch.zeros(1, size, size, dtype=torch.long)
    label[:, :, size // 2:] = min(1, classes - 1)
    sample = SegDataSample(gt_sem_seg=PixelData(data=label))
    sample.gt_edge_map = PixelData(data=label.clone())
    sample.gt_depth_map = PixelData(data=label.float() + 1)
    return sample


def _boxes(branch: Any, size: int, classes: int, i: int) -> DetDataSample:
    boxes = torch.tensor([[8., 8., 72., 72.], [40., 56., 120., 120.]]) * size / SIZE
    masks = np.zeros((2, size, size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    sample = DetDataSample()
    labels = torch.tensor([0, min(1, classes - 1)])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels, masks=BitmapMasks(masks, size, size))
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long), masks=BitmapMasks([], size, size))
    sample.gt_sem_seg = PixelData(sem_seg=torch.from_numpy(masks.max(0, keepdims=True)).long())
    sample.proposals = InstanceData(bboxes=boxes + 2, scores=torch.ones(2))
    return sample
