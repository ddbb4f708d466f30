"""The example of another task: projects/depth."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

import toy
from xlearner_mm.models import Phase

pytestmark = pytest.mark.compat

PROJECT = Path(__file__).parents[2] / 'projects/depth'
CONFIG = PROJECT / 'configs/depth_xlearner.py'
SIZE, SMALLER = 64, 8  # pixels; how many times fewer channels than the config


@pytest.fixture(autouse=True)
def project(monkeypatch):
    """What the README asks for: the project's folder is on the path."""
    monkeypatch.syspath_prepend(str(PROJECT))
    __import__('xlearner_depth')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A folder with ``data/``, as the README wants it. Near is bright; validation depth is 4 m where measured."""
    root, rng = tmp_path_factory.mktemp('depth'), np.random.default_rng(0)
    splits = dict(train=('train', 'training', 'train2017'), val=('test', 'validation', 'val2017'))
    for split, (nyu, ade20k, coco) in splits.items():
        images, annotations = [], []
        for i in range(3):
            metres = np.tile(np.linspace(1, 9, SIZE) if split == 'train' else np.full(SIZE, 4.), (SIZE, 1))
            metres = metres[:, ::1 if i % 2 else -1]
            grey = (255 - 25 * metres + rng.normal(0, 3, (SIZE, SIZE))).clip(0, 255)
            depth = (1000 * metres).astype(np.uint16)
            depth[:9] = 0  # nothing measured
            write(root / f'data/nyu/images/{nyu}/{i}.jpg', np.repeat(grey[..., None], 3, -1).astype(np.uint8))
            write(root / f'data/nyu/annotations/{nyu}/{i}.png', depth)
            noise = rng.integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
            ade = root / 'data/ade/ADEChallengeData2016'
            write(ade / f'images/{ade20k}/{i}.jpg', noise[0])
            write(ade / f'annotations/{ade20k}/{i}.png', rng.integers(0, 151, (SIZE, SIZE), dtype=np.uint8))
            write(root / f'data/coco/{coco}/{i}.jpg', noise[1])
            images.append(dict(id=i, file_name=f'{i}.jpg', width=SIZE, height=SIZE))
            annotations.append(
                dict(id=i, image_id=i, category_id=1 + i, bbox=[4, 6, 40, 40], area=1600, iscrowd=0))
        categories = [dict(id=i + 1, name=name) for i, name in enumerate(CocoDataset.METAINFO['classes'])]
        path = root / f'data/coco/annotations/instances_{coco}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return root


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def shrink(cfg):
    """Fewer channels, smaller images and no workers, wherever they stand in a config."""
    for key, value in list(cfg.items() if isinstance(cfg, dict) else enumerate(cfg)):
        if isinstance(value, (dict, list)):
            shrink(value)
        if key in ('in_channels', 'out_channels', 'channels', 'feat_channels'):
            cfg[key] = [v // SMALLER for v in value] if isinstance(value, list) else value // SMALLER
        elif key in ('crop_size', 'size', 'scale'):
            cfg[key] = (SIZE, SIZE)
        elif key == 'num_workers':
            cfg.update(num_workers=0, persistent_workers=False)
        elif value == 'mmdet.ResNet':
            cfg.update(base_channels=64 // SMALLER, stem_channels=64 // SMALLER)


def read_config(work_dir, expansion_iters, max_iters, lr):
    cfg = Config.fromfile(CONFIG).to_dict()
    shrink(cfg)
    cfg = Config(cfg, format_python_code=False)
    cfg.merge_from_dict(dict(
        train_cfg=dict(max_iters=max_iters, val_interval=max_iters), optim_wrapper=dict(optimizer=dict(lr=lr)),
        default_hooks=dict(logger=dict(interval=1), checkpoint=dict(interval=max_iters)), work_dir=str(work_dir)))
    cfg.train_dataloader.batch_size = dict(nyu=3, ade20k=2, coco=2)
    cfg.val_dataloader.coco.batch_size = 3  # GN refuses a single value, as the last stride leaves of a small image
    cfg.val_evaluator.nyu.crop_type = None  # of images of 480 x 640
    cfg.custom_hooks[0].expansion_iters, cfg.param_scheduler = expansion_iters, []
    return cfg


def test_the_config_trains_both_phases_and_measures_depth(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    runner = toy.train(read_config(tmp_path, expansion_iters=6, max_iters=8, lr=1e-2))
    assert runner.model.phase is Phase.SQUEEZE
    log = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    losses = [row['nyu.decode.loss_silog'] for row in log if 'nyu.decode.loss_silog' in row]
    assert len(losses) == 8 and losses[5] < 0.75 * losses[0]
    assert {f'nyu.loss_hint.{task}' for task in ('depth', 'seg', 'det')} <= set(log[7])
    metrics = log[-1]
    assert {'nyu/rmse', 'ade20k/mIoU', 'coco/coco/bbox_mAP'} <= set(metrics)
    assert 0 < metrics['nyu/abs_rel'] < 10

    # A head that says 2 m everywhere, where 4 m were measured.
    head = runner.model.branches.nyu.decode_head
    torch.nn.init.zeros_(head.conv_seg.weight)
    torch.nn.init.constant_(head.conv_seg.bias, np.log(1.999 / 8))
    metrics = runner.val_loop.run()
    expected = dict(abs_rel=0.5, rmse=2, log10=np.log10(2), d1=0, silog=np.log(2) / 2 ** 0.5)
    assert {key: metrics[f'nyu/{key}'] for key in expected} == pytest.approx(expected, abs=1e-3)


def head(**kwargs):
    return MODELS.build(ConfigDict(
        type='xlearner_mm.DepthHead', in_channels=[4, 8], in_index=[0, 1], feature_strides=[4, 8], channels=8,
        loss_decode=dict(type='mmseg.SiLogLoss'), **kwargs))


def samples(*maps):
    return [SegDataSample(gt_depth_map=PixelData(data=torch.as_tensor(m)[None])) for m in maps]


def test_depth_stays_within_its_range():
    torch.manual_seed(0)
    maps = [1e4 * torch.randn(2, 4, 8, 8), 1e4 * torch.randn(2, 8, 4, 4)]
    depth = head(min_depth=0.5, max_depth=80.)(maps).detach()
    assert depth.shape == (2, 1, 8, 8)
    assert depth.min() == 0.5 and depth.max() == pytest.approx(80) and depth.isfinite().all()


def test_only_measured_pixels_train():
    full, some, none = torch.full((3, 8, 8), 4.)
    some[:4], none[:] = 0, 0
    some[4, 0], none[0] = 11, 255  # beyond max_depth, and mmseg's padding
    depth = torch.full((3, 1, 8, 8), 2., requires_grad=True)
    loss = head().loss_by_feat(depth, samples(full, some, none))['loss_silog']
    assert loss.item() == pytest.approx(2 / 3 * np.log(2) / 2 ** 0.5)  # the mean over the images
    loss.backward()
    trained = depth.grad[:, 0] != 0
    assert trained[0].all() and not trained[2].any()
    assert torch.equal(trained[1], (some > 0) & (some < 10))
    assert depth.grad.isfinite().all()


def test_a_prediction_is_compared_at_the_size_of_the_measured_map():
    loss = head(align_corners=True).loss_by_feat(
        torch.tensor([[[[1., 3.]]]]), samples(torch.tensor([[1., 5 / 3, 7 / 3, 3.]])))['loss_silog']
    assert loss.item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize('range_', [(0., 10.), (-1., 10.), (5., 5.)])
def test_a_range_without_logarithm_is_refused(range_):
    with pytest.raises(ValueError, match='DepthHead needs 0 < min_depth < max_depth, got min_depth=.*Mend'):
        head(min_depth=range_[0], max_depth=range_[1])


def test_without_the_project_on_the_path_the_error_says_so(monkeypatch):
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if path != str(PROJECT)])
    monkeypatch.delitem(sys.modules, 'xlearner_depth')
    with pytest.raises(ImportError, match='xlearner_depth(.|\n)*You should set `PYTHONPATH`'):
        Config.fromfile(CONFIG)


def test_head_metric_and_data_of_the_config_agree():
    cfg = Config.fromfile(CONFIG)
    head, metric = cfg.model.branches.nyu.model.decode_head, cfg.val_evaluator.nyu
    assert (head.min_depth, head.max_depth) == (metric.min_depth_eval, metric.max_depth_eval)
    assert list(cfg.model.branches) == list(cfg.val_dataloader) == list(cfg.train_dataloader.dataset.sources)
