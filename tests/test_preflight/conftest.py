"""The toy sources, built; a test may have a copy of their files to spoil."""

import copy
import json
import shutil

import pytest
from mmengine.registry import DATASETS, MODELS

from tiny import xlearner
from toy import data_sets
from xlearner_mm.datasets import MultiSourceDataset
from xlearner_mm.utils import with_scope

TASKS = dict(photos='cls', boxes='det', maps='seg')


@pytest.fixture
def build():
    """Build the training data set and the validation data sets of a folder; changes are by source."""

    def _build(root, train=None, val=None):
        cfgs = {split: data_sets(root, split) for split in ('train', 'val')}
        for split, changes in (('train', train), ('val', val)):
            for source, change in (changes or {}).items():
                cfgs[split][source].update(change)
        for cfg in (*cfgs['train'].values(), *cfgs['val'].values()):
            cfg['serialize_data'] = False  # it collects garbage, of which there is little, for half a second
        dataset = MultiSourceDataset({s: dict(task=TASKS[s], dataset=cfg) for s, cfg in cfgs['train'].items()})
        return dataset, {s: DATASETS.build(with_scope(cfg)) for s, cfg in cfgs['val'].items()}

    return _build


@pytest.fixture(scope='session')
def base_model():
    return MODELS.build(xlearner())


@pytest.fixture
def model(base_model):
    """Give a tiny X-Learner to spoil; copying one is much faster than building it."""
    return lambda: copy.deepcopy(base_model)


@pytest.fixture
def own_data(toy_data, tmp_path):
    """A copy of the toy sources."""
    return shutil.copytree(toy_data, tmp_path / 'own')


@pytest.fixture
def edit_boxes(own_data):
    """Change the annotations of the source ``boxes``; gives its folder."""

    def _edit(change, split='train'):
        path = own_data / 'boxes' / f'{split}.json'
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return own_data

    return _edit
