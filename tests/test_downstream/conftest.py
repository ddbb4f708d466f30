"""Downstream sets of a toy's size as files of a user, and weights to compare."""

import pytest
import torch
from mmengine.config import Config
from torchvision.models import resnet18

from stock_files import write_stock


@pytest.fixture
def toy_sets(toy_data, tmp_path):
    """A probed set and two that are fine-tuned for two iterations."""
    stock = write_stock(toy_data, tmp_path, **{source: dict(
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2),
        val_cfg=dict(type='ValLoop'),
        train_dataloader=dict(sampler=dict(type='InfiniteSampler', shuffle=True)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
        log_processor=dict(by_epoch=False),
        custom_hooks=[],
    ) for source in ('photos', 'boxes', 'maps')})
    paths = {source: name.partition(':')[2] for source, name in stock.items()}
    how = dict(
        photos=dict(protocol='linear_probe', metric='top1'),
        boxes=dict(protocol='fine_tune', metric='coco/bbox_mAP_50', scale=100,
                   channels={'model.neck.in_channels': [0, 1, 2, 3]}),
        maps=dict(protocol='fine_tune', metric='mIoU', channels={'model.decode_head.in_channels': 3}))
    for source, path in paths.items():
        cfg = Config.fromfile(path)
        cfg.downstream = how[source]
        if source == 'photos':
            cfg.test_dataloader = cfg.val_dataloader
            cfg.train_dataloader.dataset.pipeline = cfg.val_dataloader.dataset.pipeline
        cfg.dump(path)
    return paths


@pytest.fixture
def weights(tmp_path):
    """A published file of a ResNet-18 of torchvision."""
    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), tmp_path / 'resnet18.pth')
    return tmp_path / 'resnet18.pth'
