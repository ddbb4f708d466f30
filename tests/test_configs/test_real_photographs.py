"""A recipe on real photographs, by overriding what a user with own data overrides: sources, paths and labels.

Sizes of images are divided by 6, too: the full ones would take minutes on a CPU, and the photographs are small.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import toy
from xlearner_mm.models import Phase

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT.parent / 'shared/photos/coco200'

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not PHOTOS.is_dir(), reason='the photographs of ../shared/photos are not here'),
]

TWO_SOURCES = """
_base_ = {recipe!r}
kept = ('coco', 'ade20k')
model = dict(
    backbone=dict(sub_backbones=dict(_delete_=True, det=_base_.backbone, seg=_base_.backbone)),
    branches=dict(_delete_=True, **{{s: _base_.model.branches[s] for s in kept}}))
train_dataloader = dict(
    batch_size=dict(_delete_=True, coco=1, ade20k=2),
    dataset=dict(sources=dict(_delete_=True, **{{s: _base_.train_dataloader.dataset.sources[s] for s in kept}})))
val_dataloader = dict(_delete_=True, **{{s: _base_.val_dataloader[s] for s in kept}})
val_evaluator = dict(_delete_=True, **{{s: _base_.val_evaluator[s] for s in kept}})
"""
OWN_LABELS = """
_base_ = './two_sources.py'
names = {names!r}
maps = dict(type='mmseg.BaseSegDataset', metainfo=dict(classes=names), reduce_zero_label=False)
counts = dict(num_classes=len(names))
model = dict(branches=dict(ade20k=dict(model=dict(decode_head=counts, auxiliary_head=counts))))
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(sources=dict(
    coco=dict(dataset=dict(ann_file={boxes!r} + '/train.json', data_prefix=dict(img='train'))),
    ade20k=dict(dataset=dict(maps, data_prefix=dict(img_path='train', seg_map_path='train_semantic'))))))
val_dataloader = dict(
    coco=dict(num_workers=0, dataset=dict(
        ann_file={boxes!r} + '/val.json', data_prefix=dict(img='val'), indices=2)),
    ade20k=dict(num_workers=0, dataset=dict(
        maps, data_prefix=dict(img_path='val', seg_map_path='val_semantic'), indices=2)))
val_evaluator = dict(coco=dict(ann_file={boxes!r} + '/val.json'))
train_cfg = dict(max_iters=3)
custom_hooks = [dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=2)]
"""


# Of the 90 ids of COCO these are no class.
NO_CLASS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)


def write_boxes(folder):
    """Write the boxes with the categories that they mean: their ids are COCO's + 1, but the files list 1 to 80."""
    for split in ('train', 'val'):
        boxes = json.loads((PHOTOS / f'instances_{split}.json').read_text())
        for category, coco_id in zip(boxes['categories'], (i for i in range(1, 91) if i not in NO_CLASS)):
            category['id'] = coco_id + 1
        (folder / f'{split}.json').write_text(json.dumps(boxes))


class Watch(Hook):
    """Notes the losses and the predicted images."""

    def __init__(self):
        self.losses, self.predicted = [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({key: float(value) for key, value in outputs.items()})

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.predicted += [(sample.source, Path(sample.img_path).parent) for sample in outputs]


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    """The recipe as a user with these photographs would override it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from shrink import shrink_images
    for source in ('COCO', 'ADE20K'):
        monkeypatch.setenv(f'{source}_ROOT', str(PHOTOS))
    names = json.loads((PHOTOS / 'semantic_classes.json').read_text())
    recipe = str(ROOT / 'configs/xlearner/xlearner_resnet18_8xb92.py')
    (tmp_path / 'two_sources.py').write_text(TWO_SOURCES.format(recipe=recipe))
    (tmp_path / 'own_labels.py').write_text(OWN_LABELS.format(names=names, boxes=str(tmp_path)))
    write_boxes(tmp_path)
    cfg = Config(Config.fromfile(tmp_path / 'own_labels.py').to_dict(), format_python_code=False)
    shrink_images(cfg, 6)
    cfg.work_dir = str(tmp_path / 'run')
    yield cfg
    shutil.rmtree(cfg.work_dir, ignore_errors=True)  # checkpoints of full width


def test_the_recipe_trains_and_validates_on_real_photographs(cfg):
    toy.clear_mmengine()
    runner, watch = Runner.from_cfg(cfg), Watch()
    runner.register_hook(watch)
    stem = runner.model.squeeze.student.conv1.weight.detach().clone()
    runner.train()
    assert runner.train_loop.dataloader.dataset.sizes['ade20k'] == 100
    assert 90 <= runner.train_loop.dataloader.dataset.sizes['coco'] <= 100  # images without boxes are left out
    assert runner.model.phase is Phase.SQUEEZE and len(watch.losses) == 3
    for losses in watch.losses:
        assert all(torch.isfinite(torch.tensor(list(losses.values()))))
        assert losses['coco.loss_bbox'] > 0 and losses['ade20k.decode.loss_ce'] > 0  # boxes and maps are read
    assert any('loss_hint' in key for key in watch.losses[2]) and not any('loss_hint' in key for key in watch.losses[1])
    assert (runner.model.squeeze.student.conv1.weight != stem).any()
    assert watch.predicted == [(source, PHOTOS / 'val') for source in ('coco', 'ade20k') for _ in range(2)]
    accuracy = runner.message_hub.get_scalar('val/ade20k/aAcc').current()
    assert 0 <= accuracy <= 100


def test_a_forgotten_label_count_is_told(cfg):
    cfg.model.branches.ade20k.model.decode_head.num_classes = 150
    toy.clear_mmengine()
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match="'ade20k': UPerHead .* has num_classes=150; its data has 129"):
        runner.train()
