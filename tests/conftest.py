"""What every test starts from: mmengine's globals cleared, one thread, the CPU."""

import gc
import os

os.environ['CUDA_VISIBLE_DEVICES'] = ''  # weights are compared bit by bit, and mmcv may have no ops for a GPU

import pytest
import torch

from toy import clear_mmengine, write_data

torch.set_num_threads(1)  # the models are too small to gain from more, and the machine may be busy


def pytest_collection_finish(session):
    """Leave what was imported out of garbage collections: mmengine asks for one at each data set, 0.4 s with it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_mmengine():
    clear_mmengine()
    yield
    clear_mmengine()


@pytest.fixture(scope='session')
def toy_data(tmp_path_factory):
    """Folder of the toy sources; tests must not change it."""
    return write_data(tmp_path_factory.mktemp('toy'))
