"""The downstream sets that are shipped run, each on a few generated images in the files that it is published in."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.datasets import CIFAR10, CIFAR100

import transfer_data
from tiny import resnet
from transfer_data import VOC_IDS
from xlearner_mm.compose.stock_source import with_prefix
from xlearner_mm.datasets import build_stock
from xlearner_mm.downstream import Backbone, Job, read_set, shipped_sets
from xlearner_mm.downstream.pixels import IMAGENET
from xlearner_mm.downstream.run_job import run
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import user_errors, with_scope

pytestmark = pytest.mark.compat

# By custom, see xlearner_mm.evaluation.accuracy.
METRICS = dict.fromkeys(transfer_data.PROBED, 'top1') | dict.fromkeys(
    ('caltech101', 'fgvc_aircraft', 'flowers102', 'oxford_pets'), 'mean_per_class')
FINE_TUNED = ('voc0712_det', 'voc12aug_seg')


@dataclass(frozen=True)
class TinyBackbone(Backbone):
    """A narrow ResNet-18 with weights in a file."""

    weights: Path

    def stock_config(self, library, folder):
        return resnet(library, init_cfg=dict(type='Pretrained', checkpoint=str(self.weights)))


@pytest.fixture(scope='module')
def backbone(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(MODELS.build(with_scope(resnet('mmdet'))).state_dict(), path)
    return TinyBackbone('tiny', IMAGENET, 'tiny', path)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Roots of all sets, and what was written for those that are probed."""
    root = tmp_path_factory.mktemp('sets')
    transfer_data.voc(root / 'voc')
    (root / 'stanford_cars_devkit').mkdir()
    return root, {name: write(root / name) for name, write in transfer_data.PROBED.items()}


@pytest.fixture
def shipped(data, monkeypatch):
    """Read a set as a user does who says where it lies."""
    register_all_modules()
    for cls in (CIFAR10, CIFAR100):  # checked by the digests of the real files
        for part in ('train_list', 'test_list'):
            monkeypatch.setattr(cls, part, [[name, None] for name, _ in getattr(cls, part)])

    def read(name, root=None):
        folder, variable = (data[0] / 'voc', 'VOC') if name in FINE_TUNED else (data[0] / name, name.upper())
        monkeypatch.setenv(f'{variable}_ROOT', str(root or folder))
        how = read_set(name)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            if loader in how.cfg:
                how.cfg[loader].update(num_workers=0, persistent_workers=False)
        return how

    return read


def parts_of(how):
    """The data sets of a probe, as it builds them."""
    cfg = how.cfg
    configs = dict(train=cfg.train_dataloader.dataset, test=cfg.test_dataloader.dataset)
    if 'val' in cfg.downstream:
        configs['val'] = cfg.downstream.val
    return {name: build_stock(f'{how.name}_{name}', with_prefix(part.to_dict(), how.library), name)
            for name, part in configs.items()}


def read_split(stock, root):
    """Path and class of each image as the data set gives them; a class without a name by its number."""
    found = [stock.get_data_info(i) for i in range(len(stock))]
    return [(str(Path(info['img_path']).relative_to(root)) if 'img_path' in info else '',
             stock.CLASSES[info['gt_label']] if stock.CLASSES else str(info['gt_label'])) for info in found]


def test_all_sets_are_tested():
    assert sorted([*METRICS, *FINE_TUNED]) == shipped_sets()


@pytest.mark.parametrize('name', METRICS)
def test_splits_are_read_as_they_were_written(name, shipped, data):
    root, written = data[0] / name, data[1][name]
    read = {split: read_split(stock, root) for split, stock in parts_of(shipped(name)).items()}
    assert {split: len(found) for split, found in read.items()} == {
        split: len(transfer_data.PLAN[split]) for split in written}
    assert {split: sorted(found) for split, found in read.items()} == {s: sorted(f) for s, f in written.items()}
    paths = [path for found in read.values() for path, _ in found if path]
    assert len(set(paths)) == len(paths), 'an image is in two splits'


def test_cars_are_read_as_the_devkit_has_them_too(shipped, data):
    root = data[0] / 'stanford_cars_devkit'
    written = transfer_data.stanford_cars_devkit(root)
    read = {split: read_split(stock, root) for split, stock in parts_of(shipped('stanford_cars', root)).items()}
    assert {split: sorted(found) for split, found in read.items()} == {s: sorted(f) for s, f in written.items()}


@pytest.mark.parametrize('name', METRICS)
def test_a_probe_gives_the_figure_by_the_metric_of_the_set(name, shipped, backbone, tmp_path):
    how = shipped(name)
    assert how.metric == METRICS[name]
    job = Job(how, backbone, 'full', 0, tmp_path)
    assert run(job.prepare()) == pytest.approx(transfer_data.FIGURES[how.metric])
    assert job.result().metric == how.metric
    files = sorted(path.name.split('-')[0] for path in (tmp_path / 'features').iterdir())
    assert files == [f'{name}_{split}' for split in sorted(parts_of(how))]


@pytest.mark.parametrize('name', METRICS)
def test_the_backbone_sees_the_channels_in_its_own_order(name, shipped, backbone, tmp_path):
    how = shipped(name)
    cfg = Config.fromfile(Job(how, backbone, 'full', 0, tmp_path).prepare())
    preprocessor = MODELS.build(with_scope(cfg.data_preprocessor.to_dict()))
    sample = parts_of(how)['train'][0]
    pixels = preprocessor(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]), False)['inputs']
    red, _, blue = (pixels * preprocessor.std + preprocessor.mean).mean((0, 2, 3)).tolist()
    assert pixels.shape == (1, 3, 224, 224) and red - blue == pytest.approx(40, abs=6)


@pytest.mark.parametrize('name', [*METRICS, *FINE_TUNED])
def test_a_root_that_is_not_there_is_one_line_with_set_and_folder(name, shipped, backbone, tmp_path):
    path = Job(shipped(name, tmp_path / 'nowhere'), backbone, 'full', 0, tmp_path).prepare()
    with pytest.raises(SystemExit) as told, user_errors('transfer'):
        run(path)
    assert name in told.value.code and str(tmp_path / 'nowhere') in told.value.code and '\n' not in told.value.code


def small(how):
    """Lower what costs time in a set that is fine-tuned: sizes of images, widths of heads, iterations."""
    model, is_det = how.cfg.model, how.library == 'mmdet'
    scale, crop = ((160, 128), None) if is_det else ((256, 96), (64, 64))
    train = how.cfg.train_dataloader
    for dataset in (*train.dataset.datasets, how.cfg.val_dataloader.dataset):
        for step in dataset.pipeline:
            step.update({key: value for key, value in (('scale', scale), ('crop_size', crop)) if key in step})
    train.batch_size = 2
    if is_det:
        model.rpn_head.feat_channels = model.roi_head.bbox_head.fc_out_channels = 16
        model.train_cfg.rcnn.sampler.num = 32
        how.cfg.train_cfg.update(max_epochs=1, val_interval=1)
    else:
        model.data_preprocessor.size = crop
        model.decode_head.channels = model.auxiliary_head.channels = 8
        how.cfg.train_cfg.update(max_iters=2, val_interval=2)
    return how


@pytest.mark.parametrize('variant', ['full', 'low_data'])
@pytest.mark.parametrize('name', FINE_TUNED)
def test_a_set_is_fine_tuned_and_validated(name, variant, shipped, backbone, tmp_path):
    how = small(shipped(name))
    job = Job(how, backbone, variant, 0, tmp_path)
    percent = run(job.prepare())
    (path, ) = job.folder.glob('*_*.pth')
    saved = torch.load(path, map_location='cpu', weights_only=False)
    iterations = dict(full=3, low_data=1)[variant] if how.library == 'mmdet' else 2  # of 3 and 2 images
    assert saved['meta']['iter'] == iterations
    assert math.isfinite(percent) and 0 <= percent <= 100 and job.result().percent == percent
    after = saved['state_dict']
    before = {f'backbone.{key}': value for key, value in torch.load(backbone.weights, weights_only=True).items()}
    stages = {key.split('.')[1] for key, value in before.items() if not torch.equal(after[key], value)}
    assert all(value.isfinite().all() for value in after.values())
    trained = {'layer2', 'layer3', 'layer4'} if name == 'voc0712_det' else {
        'conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4'}
    assert stages == (trained if variant == 'full' else set())


def test_boxes_are_read_as_they_were_written(shipped):
    cfg = shipped('voc0712_det').cfg
    train, val = (build_stock(name, with_prefix(cfg[f'{name}_dataloader'].dataset.to_dict(), 'mmdet'), name)
                  for name in ('train', 'val'))
    ids = [[stock.get_data_info(i)['img_id'] for i in range(len(stock))] for stock in (train, val)]
    year = 'VOC{}/ImageSets/Main/{}.txt'.format
    assert ids == [VOC_IDS[year(2007, 'trainval')] + VOC_IDS[year(2012, 'trainval')], VOC_IDS[year(2007, 'test')]]
    for stock in (train, val):
        for i in range(len(stock)):
            found = [(stock.metainfo['classes'][o['bbox_label']], tuple(c + 1 for c in o['bbox']), o['ignore_flag'])
                     for o in stock.get_data_info(i)['instances']]
            assert found == transfer_data.VOC_OBJECTS
    assert cfg.model.roi_head.bbox_head.num_classes == len(val.metainfo['classes']) == 20


def test_maps_are_read_as_they_were_written(shipped):
    cfg, plain = shipped('voc12aug_seg').cfg, [dict(type=step) for step in (
        'LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
    names = []
    for dataset in (*cfg.train_dataloader.dataset.datasets, cfg.val_dataloader.dataset):
        stock = build_stock('voc', with_prefix(dict(dataset.to_dict(), pipeline=plain), 'mmseg'), 'voc')
        names.append([Path(stock.get_data_info(i)['img_path']).stem for i in range(len(stock))])
        for name, sample in zip(names[-1], stock, strict=True):
            labels = sample['data_samples'].gt_sem_seg.data[0].numpy()
            assert np.array_equal(labels, transfer_data.voc_labels(name))
    assert names == [VOC_IDS[f'VOC2012/ImageSets/Segmentation/{part}.txt'] for part in ('train', 'aug', 'val')]
    assert cfg.model.decode_head.num_classes == len(stock.metainfo['classes']) == 21
    assert [stock.metainfo['classes'][i] for i in (0, 12, 15)] == ['background', 'dog', 'person']
