from collections.abc import Mapping
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS

from earth import classes
from earth.sources import SOURCES
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

CONFIGS = Path(__file__).parents[2] / 'projects/earth/configs'
TRANSFERS = dict(earth_transfer_cls='landcover_cls', earth_transfer_det='tree_det', earth_transfer_seg='landcover_seg')
UPSTREAM = ['earth_xlearner', 'earth_hard_sharing', 'earth_single_cls', 'earth_single_det', 'earth_single_seg']


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('name', UPSTREAM)
def test_sources_agree_and_the_model_builds(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    sources = cfg.train_dataloader.dataset['sources']
    assert list(sources) == list(cfg.train_dataloader.batch_size) == list(cfg.val_dataloader) == list(model.tasks)
    assert list(cfg.val_evaluator) == list(sources)
    assert model.tasks == {source: SOURCES[source].task for source in sources}
    assert {source: spec.task for source, spec in sources.items()} == model.tasks
    if name.startswith('earth_single'):
        assert set(model.tasks.values()) == {name.rsplit('_', 1)[1]} and len(sources) == 2
    else:
        assert set(sources) == set(SOURCES)
    assert (model.squeeze is not None) is (name == 'earth_xlearner')


def test_class_names_are_those_of_the_data():
    cfg = load('earth_xlearner')
    sources = cfg.train_dataloader.dataset['sources']
    for source, spec in SOURCES.items():
        if source == 'digits_cls':
            continue  # mmpretrain numbers its folders 0 to 9 by name
        assert tuple(sources[source].dataset.metainfo.classes) == spec.classes
        assert tuple(cfg.val_dataloader[source].dataset.metainfo.classes) == spec.classes
    for source, path in (('landcover_cls', 'head'), ('digits_cls', 'head'), ('coast_det', 'bbox_head'),
                         ('tree_det', 'bbox_head'), ('landcover_seg', 'decode_head'), ('lsmask_seg', 'decode_head')):
        assert cfg.model.branches[source].model[path].num_classes == len(SOURCES[source].classes)
    assert classes.LANDCOVER_SEG[0] == 'water'


def paths(cfg, inside=False):
    """All strings of data_root, data_prefix and ann_file, however deep."""
    if isinstance(cfg, Mapping):
        for key, value in cfg.items():
            yield from paths(value, inside or key in ('data_root', 'data_prefix', 'ann_file'))
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from paths(value, inside)
    elif inside and isinstance(cfg, str):
        yield cfg


@pytest.mark.parametrize('name', [*UPSTREAM, *TRANSFERS])
def test_every_loader_and_evaluator_reads_its_own_split(name, monkeypatch):
    monkeypatch.setenv('EARTH_DATA', 'root')
    cfg = load(name)
    transfer = TRANSFERS.get(name)
    parts = []  # source, split and config of everything that reads files, test_dataloader included if there is one
    for key in (key for key in cfg if key.endswith(('_dataloader', '_evaluator'))):
        split = ('transfer_' if transfer else '') + ('train' if key.startswith('train') else 'val')
        by_source = {transfer: cfg[key]} if transfer else (
            cfg[key].dataset['sources'] if key == 'train_dataloader' else cfg[key])
        parts += [(source, key, split, part) for source, part in by_source.items()]
    sources = [transfer] if transfer else list(cfg.train_dataloader.dataset['sources'])
    assert len(parts) >= 3 * len(sources)
    for source, key, split, part in parts:
        task, folder = SOURCES[source].task, f'root/{source}'
        if key.endswith('_evaluator'):
            expected = [f'{folder}/{split}/annotations.json'] if task == 'det' else []
        else:
            expected = [folder] + dict(
                cls=[split], det=[f'{split}/annotations.json', f'{split}/images'],
                seg=[f'{split}/ann_dir', f'{split}/img_dir'])[task]
        assert sorted(paths(part)) == sorted(expected), (source, key)


@pytest.mark.parametrize('task', ['cls', 'det', 'seg'])
def test_transfers_are_stock_models_on_held_out_data(task):
    cfg = load(f'earth_transfer_{task}')
    model = MODELS.build(with_scope(cfg.model))
    library = dict(cls='mmpretrain', det='mmdet', seg='mmseg')[task]
    assert type(model).__module__.startswith(f'{library}.') and type(model.backbone).__module__.startswith(library)
    assert cfg.default_scope == library
    upstream = Config.fromfile(CONFIGS / 'earth_xlearner.py').model.squeeze.student
    own = MODELS.build(upstream)
    assert {k: v.shape for k, v in own.state_dict().items()} == {
        k: v.shape for k, v in model.backbone.state_dict().items()}
