"""The example of another backbone family: projects/efficientnet."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS

import tiny
import toy
from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.transfer import export_backbone
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

PROJECT = Path(__file__).parents[2] / 'projects/efficientnet'
CONFIG = PROJECT / 'configs/efficientnet_xlearner.py'
LIBRARIES = ('mmpretrain', 'mmdet')
# Of an arch with a tenth of the width and one block a layer.
CHANNELS, STRIDES = (8, 8, 8, 8, 16, 32, 128), (2, 2, 4, 8, 16, 32, 32)


@pytest.fixture(autouse=True)
def project(monkeypatch):
    """What the README asks for: the project's folder is on the path. The archs are tiny."""
    monkeypatch.syspath_prepend(str(PROJECT))
    __import__('xlearner_efficientnet')
    for library in LIBRARIES:
        archs = MODELS.get(f'{library}.EfficientNet').arch_settings
        for arch in archs:
            monkeypatch.setitem(archs, arch, (0.1, 0.1, 64))


def efficientnet(library='mmpretrain', **kwargs):
    return dict(type=f'{library}.EfficientNet', out_indices=tuple(range(7)), **kwargs)


@pytest.mark.parametrize('library', LIBRARIES)
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('arch', ['b0', 'es'])
def test_staged_forward_equals_stock_bit_for_bit(library, training, arch):
    assert_equals_stock(efficientnet(library, arch=arch, drop_path_rate=0.2), training, num_stages=7, size=(75, 53))


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(frozen_stages=3), dict(norm_eval=True)], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock(efficientnet(**options), training=True, num_stages=7)


@pytest.mark.parametrize('arch', ['b0', 'b1', 'b7', 'l2', 'es', 'em', 'el'])
def test_levels_are_those_of_a_resnet_in_every_arch(arch):
    staged = build_staged_backbone(MODELS.build(efficientnet(arch=arch)))
    assert [shape.stride for shape in staged.level_shapes()] == [4, 8, 16, 32]


def test_shapes_leave_no_trace():
    from xlearner_efficientnet import StagedEfficientNet
    assert_leaves_no_trace(StagedEfficientNet, efficientnet(), CHANNELS, STRIDES)


def test_mixed_with_a_resnet():
    model = assert_trains_a_step(efficientnet(), tiny.resnet(), efficientnet('mmdet'))
    # Strides agree level by level, so only links from finer levels have blocks of stride 2.
    blocks = {key: len(link.downsamples) for key, link in model.reconciliation.links['a']['b'].items()}
    assert blocks == {'0_to_0': 0, '0_to_1': 1, '1_to_1': 0, '0_to_2': 2, '1_to_2': 1, '2_to_2': 0}


def read_config(data, work_dir):
    """The project's config; only data and iterations are replaced, and by the fixture the width."""
    cfg = Config.fromfile(CONFIG)
    sets, names = toy.data_sets(data), dict(landcover_cls='photos', tree_det='boxes', landcover_seg='maps')
    for source, name in names.items():
        cfg.train_dataloader.dataset.sources[source].dataset = sets[name]
    classes = dict(landcover_cls=('head', 3), tree_det=('bbox_head', 2), landcover_seg=('decode_head', 4))
    for source, (head, number) in classes.items():
        cfg.model.branches[source].model[head].num_classes = number
        cfg.model.branches[source].model.data_preprocessor.pop('size', None)
    cfg.model.branches.landcover_cls.model.head.in_channels = CHANNELS[6]
    cfg.model.branches.landcover_seg.model.data_preprocessor.size = (64, 64)
    for source in ('tree_det', 'landcover_seg'):
        cfg.model.branches[source].model.neck.in_channels = list(CHANNELS[2:6])
    cfg.merge_from_dict(dict(
        train_cfg=dict(max_iters=2), train_dataloader=dict(
            batch_size=dict.fromkeys(names, 2), num_workers=0, persistent_workers=False),
        default_hooks=dict(logger=dict(interval=1), checkpoint=dict(interval=2)), work_dir=str(work_dir)))
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.custom_hooks[0].expansion_iters = 1
    return Config(cfg.to_dict(), format_python_code=False)


def layers(one, other, prefix):
    """Layers of a backbone of which any weight differs between two state dicts."""
    return {int(key[len(prefix):].split('.')[1]) for key, value in one.items()
            if key.startswith(f'{prefix}layers.') and not torch.equal(value, other[key])}


def test_the_config_trains_and_its_student_loads_into_the_libraries(toy_data, tmp_path):
    runner = toy.train(read_config(toy_data, tmp_path))
    torch.manual_seed(runner.seed)
    start = MODELS.build(read_config(toy_data, tmp_path).model)
    start.init_weights()
    start = start.state_dict()
    expansion, end = (torch.load(tmp_path / name, map_location='cpu', weights_only=False)['state_dict']
                      for name in ('expansion.pth', 'iter_2.pth'))
    for task, read in dict(cls=7, det=6, seg=6).items():
        prefix = f'backbone.sub_backbones.{task}.'
        assert layers(start, expansion, prefix) == set(range(read)), task
        assert layers(expansion, end, prefix) == set(), task
    assert layers(start, expansion, 'squeeze.student.') == set()
    assert layers(expansion, end, 'squeeze.student.') == set(range(7))

    student, images = runner.model.squeeze.student, torch.randn(1, 3, 64, 64)
    student.out_indices = tuple(range(7))
    student.eval()
    for library in LIBRARIES:
        out = export_backbone(tmp_path / 'iter_2.pth', tmp_path / f'{library}.pth', library)
        loaded = dict(type='Pretrained', checkpoint=str(out))
        backbone = MODELS.build(with_scope(ConfigDict(efficientnet(library, init_cfg=loaded))))
        backbone.init_weights()
        backbone.eval()
        assert all(torch.equal(a, b) for a, b in zip(backbone(images), student(images), strict=True))


def test_every_head_of_the_config_fits_the_real_arch(monkeypatch):
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(PROJECT))
    model = MODELS.build(Config.fromfile(CONFIG).model)
    channels = [shape.channels for shape in model.squeeze.staged.shapes()]
    assert channels == [32, 16, 24, 40, 112, 320, 1280]
    assert model.branches.landcover_cls.head.in_channels == channels[6]
    assert list(model.branches.tree_det.neck.in_channels) == channels[2:6]
