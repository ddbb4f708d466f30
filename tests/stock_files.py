"""Stock configs of the size of a toy, as files of a user."""

from pathlib import Path

from mmengine.config import Config

from tiny import classifier, detector, resnet, segmentor
from toy import data_sets


def write_stock(root: Path, folder: Path, **changes) -> dict[str, str]:
    """Write a config for each toy source into a folder, as its library's users write one; ``changes`` by source."""
    sources = dict(photos=('mmpretrain', classifier), boxes=('mmdet', detector), maps=('mmseg', segmentor))
    metrics = dict(photos=dict(type='Accuracy'),
                   boxes=[dict(type='CocoMetric', ann_file=str(root / 'boxes/val.json'), metric='bbox')],
                   maps=dict(type='IoUMetric', iou_metrics=['mIoU']))
    stock = {}
    for source, (library, model) in sources.items():
        train, val = data_sets(root)[source], data_sets(root, 'val')[source]
        cfg = Config(_unprefixed(dict(
            default_scope=library,
            model=model(backbone=resnet(library)),
            train_dataloader=dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
                                  dataset=train),
            val_dataloader=dict(batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
                                dataset=val),
            val_evaluator=metrics[source],
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[dict(type='EMAHook')]), library))
        cfg.merge_from_dict(changes.get(source, {}))
        path = folder / f'{source}.py'
        cfg.dump(path)
        stock[source] = f'{library}:{path}'
    return stock


def _unprefixed(value, library):
    if isinstance(value, dict):
        return {k: _unprefixed(v, library) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_unprefixed(v, library) for v in value)
    return value.removeprefix(f'{library}.') if isinstance(value, str) else value
