"""Small data sets: one made of numbers, and the stock ones of the toy run with augmentations."""

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement

from toy import data_sets, write_data


@DATASETS.register_module(force=True)
class Numbers(BaseDataset):
    """Numbers instead of images; the pipeline is one function, packing if none is given."""

    def __init__(self, size, pipeline=(), **kwargs):
        self.size = size
        super().__init__(pipeline=list(pipeline) or [pack], **kwargs)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]


def pack(info):
    inputs = torch.tensor([info['number'], random.random(), np.random.rand(), torch.rand(())], dtype=torch.float64)
    return dict(inputs=inputs, data_samples=BaseDataElement(metainfo=dict(number=info['number'])))


def noise(results):
    """An augmentation that draws from all three generators."""
    shift = random.randint(0, 99) + np.random.randint(99) + int(torch.randint(99, ()))
    results['img'] = results['img'] + np.uint8(shift % 256)
    return results


@pytest.fixture
def numbers():
    return Numbers


@pytest.fixture
def stock(tmp_path):
    """Config by source as in ``train_dataloader.dataset.sources``, with augmentations."""
    sources = data_sets(write_data(tmp_path))
    for cfg in sources.values():
        cfg['pipeline'].insert(-1, noise)
    return {s: dict(task=dict(photos='cls', boxes='det', maps='seg')[s], dataset=cfg) for s, cfg in sources.items()}
