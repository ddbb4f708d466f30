"""What every test starts from: mmengine's globals cleared, few threads, stock libraries registered."""

import logging

import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

torch.set_num_threads(2)


def _clear() -> None:
    for instances in (DefaultScope, MMLogger, MessageHub, Visualizer):
        instances._instance_dict.clear()
    logging.getLogger('mmengine').handlers.clear()


@pytest.fixture(autouse=True)
def clean_mmengine():
    _clear()
    yield
    _clear()
