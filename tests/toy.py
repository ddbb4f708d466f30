"""A toy X-Learner run: three sources of generated images in stock formats, read by the stock data sets."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import ManagerMixin
from PIL import Image

from tiny import resnet, xlearner

SIZE = 64
COUNTS = dict(photos=7, boxes=5, maps=6)


def write_data(root: Path, counts: dict[str, int] = COUNTS) -> Path:
    """Write the images and labels of all sources, training and validation the same kind."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        for i in range(counts['photos']):
            _image(root / 'photos' / split / f'class{i % 3}' / f'{i}.png', rng)
        images, annotations = [], []
        for i in range(counts['boxes']):
            _image(root / 'boxes' / split / f'{i}.png', rng)
            images.append(dict(id=i, file_name=f'{i}.png', width=SIZE, height=SIZE))
            annotations.append(dict(id=i, image_id=i, category_id=1 + i % 2, bbox=[4 + i, 6, 40, 30], area=1200,
                                    iscrowd=0))
        categories = [dict(id=1, name='a'), dict(id=2, name='b')]
        (root / 'boxes' / f'{split}.json').write_text(
            json.dumps(dict(images=images, annotations=annotations, categories=categories)))
        for i in range(counts['maps']):
            _image(root / 'maps/img' / split / f'{i}.png', rng)
            label = np.zeros((SIZE, SIZE), np.uint8)
            label[:, SIZE // 2:] = 1 + i % 3
            path = root / 'maps/ann' / split / f'{i}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(label).save(path)
    return root


def _image(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(path)


def data_sets(root: Path, split: str = 'train') -> dict[str, dict]:
    """Stock data set configs, with augmentations in training."""
    train = split == 'train'
    return dict(
        photos=dict(
            type='mmpretrain.CustomDataset',
            data_root=str(root / 'photos'),
            data_prefix=split,
            with_label=True,
            pipeline=[dict(type='LoadImageFromFile')]
            + ([dict(type='RandomFlip', prob=0.5)] if train else []) + [dict(type='PackInputs')]),
        boxes=dict(
            type='mmdet.CocoDataset',
            data_root=str(root / 'boxes'),
            ann_file=f'{split}.json',
            data_prefix=dict(img=split),
            metainfo=dict(classes=('a', 'b')),
            test_mode=not train,
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
                      dict(type='Resize', scale=(SIZE, SIZE), keep_ratio=False)]
            + ([dict(type='RandomFlip', prob=0.5)] if train else []) + [
                dict(
                    type='PackDetInputs',
                    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip'))
            ]),
        maps=dict(
            type='mmseg.BaseSegDataset',
            data_root=str(root / 'maps'),
            data_prefix=dict(img_path=f'img/{split}', seg_map_path=f'ann/{split}'),
            img_suffix='.png',
            metainfo=dict(classes=('w', 'x', 'y', 'z'), palette=[[0] * 3, [1] * 3, [2] * 3, [3] * 3]),
            test_mode=not train,
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
            + ([dict(type='RandomFlip', prob=0.5)] if train else []) + [dict(type='PackSegInputs')]))


def config(root: Path, work_dir: Path, expansion_iters: int = 3, max_iters: int = 6, save_every: int = -1,
           **changes: Any) -> Config:
    """A run of a few iterations; ``changes`` are merged into it."""
    tasks = dict(photos='cls', boxes='det', maps='seg')
    optim = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
    cfg = dict(
        default_scope=None,
        model=xlearner(squeeze=dict(student=resnet())).to_dict(),
        train_dataloader=dict(
            batch_size=dict.fromkeys(tasks, 2),
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler'),
            collate_fn=dict(type='xlearner_mm.collate_by_source'),
            dataset=dict(
                type='xlearner_mm.MultiSourceDataset',
                sources={s: dict(task=tasks[s], dataset=d) for s, d in data_sets(root).items()})),
        val_dataloader={
            s: dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=d)
            for s, d in data_sets(root, 'val').items()
        },
        val_evaluator=dict(
            photos=dict(type='mmpretrain.Accuracy'),
            boxes=dict(type='mmdet.CocoMetric', ann_file=str(root / 'boxes/val.json'), metric='bbox'),
            maps=dict(type='mmseg.IoUMetric', iou_metrics=['mIoU'])),
        train_cfg=dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=max_iters, val_interval=1000,
                       val_begin=max_iters + 1),
        val_cfg=dict(type='xlearner_mm.MultiSourceValLoop'),
        optim_wrapper=optim,
        param_scheduler=[dict(type='PolyLR', by_epoch=False, end=max_iters, power=0.9)],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='xlearner_mm.AtomicCheckpointHook', interval=save_every)),
        custom_hooks=[
            dict(
                type='xlearner_mm.ExpansionSqueezeHook',
                expansion_iters=expansion_iters,
                squeeze=dict(
                    optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.001)),
                    param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=2)]))
        ],
        model_wrapper_cfg=dict(type='xlearner_mm.MultiSourceDistributed'),
        log_processor=dict(by_epoch=False),
        randomness=dict(seed=5),
        experiment_name=work_dir.name,
        work_dir=str(work_dir))
    merged = Config(cfg)
    merged.merge_from_dict(changes)
    # Sorted by name, as a dumped config is: a run from a file must equal one in this process. Formatting one takes yapf
    # seconds.
    return Config(_sorted(merged.to_dict()), format_python_code=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return type(value)(map(_sorted, value)) if isinstance(value, (list, tuple)) else value


def clear_mmengine() -> None:
    """Forget mmengine's global instances, the libraries' visualizers among them."""
    for instances in managed_classes():
        instances._instance_dict.clear()
    logging.getLogger('mmengine').handlers.clear()


def managed_classes(of: type = ManagerMixin) -> list[type]:
    """Classes that keep their instances by name: mmengine's scopes, logs, hubs, visualizers, and what is derived."""
    return [kind for child in of.__subclasses__() for kind in (child, *managed_classes(child))]


def train(cfg: Config) -> Runner:
    """Train a config in this process, as a fresh process would."""
    clear_mmengine()
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def assert_same_checkpoint(a: Path, b: Path) -> None:
    """Weights, optimizer and position are bit-identical."""
    one, two = (torch.load(path, map_location='cpu', weights_only=False) for path in (a, b))
    assert list(one['state_dict']) == list(two['state_dict'])
    different = [k for k, v in one['state_dict'].items() if not torch.equal(v, two['state_dict'][k])]
    assert different[:3] == []
    states = [c['optimizer']['state'] for c in (one, two)]
    assert states[0].keys() == states[1].keys()
    for key, state in states[0].items():
        for name, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(states[1][key][name])), (key, name)
    averages = [c.get('ema_state_dict', {}) for c in (one, two)]
    assert averages[0].keys() == averages[1].keys()
    assert all(torch.equal(v, averages[1][k]) for k, v in averages[0].items())
    assert one['param_schedulers'] == two['param_schedulers']
    infos = [c['message_hub']['runtime_info']['multi_source_state'] for c in (one, two)]
    assert infos[0] == infos[1]
