import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS
from torch import nn

import tiny
from xlearner_mm.engine import MultiSourceDistributed
from xlearner_mm.models import Phase
from xlearner_mm.models.model_parts import model_parts
from xlearner_mm.models.shared_parts import SharedParts
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

TRUNK = ('neck', 'rpn_head', 'roi_head.bbox_head.shared_fcs')
NECK = dict(det=('neck', ))
SEEDS = dict(boxes=0, photos=1, more=2)


def config(shared=NECK, make=tiny.detector, squeeze=False, first=2, second=2, weight=1.0, **kwargs):
    """Two sources of detection and one of classification."""
    cfg = tiny.xlearner(squeeze=squeeze, shared=shared, **kwargs)
    cfg.branches = ConfigDict(
        boxes=dict(task='det', model=make(first)), photos=dict(task='cls', model=tiny.classifier()),
        more=dict(task='det', model=make(second), loss_weight=weight))
    del cfg.backbone.sub_backbones['seg']
    return cfg


def build(seed=0, **kwargs):
    return built(config(**kwargs), seed)


def built(cfg, seed=0):
    torch.manual_seed(seed)
    model = MODELS.build(cfg)
    model.init_weights()
    return model.train()


def batches(*sources):
    data = {}
    for source in sources:
        data[source] = tiny.batch('photos' if source == 'photos' else 'boxes', seed=SEEDS[source])
        for sample in data[source]['data_samples']:
            sample.set_metainfo(dict(source=source))
    return data


def gradients(model, *sources):
    losses = model(**model.data_preprocessor(batches(*sources), True), mode='loss')
    model.zero_grad()
    model.parse_losses(losses)[0].backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(v, second[k]) for k, v in first.items())


def test_a_shared_part_stands_once_and_each_head_is_its_own():
    model, plain = (build(shared=shared, make=tiny.two_stage_detector, second=5) for shared in (dict(det=TRUNK), None))
    left = tuple(f'branches.more.{path}.' for path in TRUNK)
    assert set(model.state_dict()) == {key for key in plain.state_dict() if not key.startswith(left)}
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert set(names) == {name for name, _ in model.named_parameters()} and not any(n.startswith(left) for n in names)
    boxes, more = model.branches['boxes'], model.branches['more']
    assert more.neck is boxes.neck and more.with_neck and more.rpn_head is boxes.rpn_head
    assert more.roi_head.bbox_head.shared_fcs is boxes.roi_head.bbox_head.shared_fcs
    assert more.roi_head.bbox_head.fc_cls.out_features == 6 and boxes.roi_head.bbox_head.fc_cls.out_features == 3


def test_a_copy_shares_within_itself():
    model = build()
    other = copy.deepcopy(model)
    assert other.branches['more'].neck is other.branches['boxes'].neck is not model.branches['boxes'].neck
    with torch.no_grad():
        for p in other.branches['boxes'].neck.parameters():
            p.zero_()
        image = torch.randn(1, 3, 64, 64)
        maps = [m.eval().branches['more'].extract_feat(image) for m in (model, other)]
    assert all(a.any() and not b.any() for a, b in zip(*maps))


def test_the_gradient_is_the_weighted_sum_over_the_sources():
    model = build(weight=3.0)
    both, boxes, more = (gradients(model, *sources) for sources in (('boxes', 'more'), ('boxes', ), ('more', )))
    key = 'branches.boxes.neck.lateral_convs.0.conv.weight'
    torch.testing.assert_close(both[key], boxes[key] + more[key], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(more[key], 3 * gradients(build(), 'more')[key], rtol=1e-4, atol=1e-6)
    assert boxes[key].any() and not any(name.startswith('branches.more') for name in boxes)
    head = 'branches.more.bbox_head.conv_cls.weight'
    assert torch.equal(both[head], more[head]) and more[head].any()


def test_every_source_moves_a_shared_part_once_a_step():
    model = build()
    key = 'branches.boxes.neck.lateral_convs.0.conv.weight'
    start, wanted = model.state_dict()[key].clone(), gradients(model, 'boxes', 'more')[key]
    model.zero_grad()
    cfg = ConfigDict(optimizer=dict(type='SGD', lr=0.5),
                     paramwise_cfg=dict(custom_keys={'branches.boxes.neck': dict(lr_mult=0.2)}))
    optim = build_optim_wrapper(model, cfg)
    groups = [group for group in optim.optimizer.param_groups if group['lr'] == 0.1]
    neck = list(model.branches['boxes'].neck.parameters())
    assert {id(p) for group in groups for p in group['params']} == {id(p) for p in neck}
    assert sum(len(group['params']) for group in optim.optimizer.param_groups) == len(list(model.parameters()))
    MultiSourceDistributed(model).train_step(batches('boxes', 'photos', 'more'), optim)
    torch.testing.assert_close(model.state_dict()[key], start - 0.1 * wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('squeeze', [False, dict(student=tiny.resnet(), heads='fresh')])
def test_it_starts_as_its_owner_starts_alone(squeeze):
    shared = dict(det=('neck', 'roi_head.bbox_head.shared_fcs'))
    model, plain = (build(shared=s, make=tiny.two_stage_detector, squeeze=squeeze) for s in (shared, None))
    weights = plain.state_dict()
    # The head of every source initialises its shared_fcs by name: an override of init_cfg.
    own = {k: v for k, v in model.state_dict().items() if not k.startswith(('branches.more', 'squeeze.branches.more'))}
    assert all(torch.equal(v, weights[k]) for k, v in own.items())
    assert model.branches['more'].roi_head.bbox_head.shared_fcs is model.branches['boxes'].roi_head.bbox_head.shared_fcs


def test_modes_reach_it_from_its_owner():
    def make(num_classes):
        cfg = tiny.detector(num_classes)
        cfg['neck']['norm_cfg'] = dict(type='BN')
        return cfg

    model = build(make=make)
    norm = model.branches['boxes'].neck.lateral_convs[0].bn
    gradients(model, 'boxes', 'more')
    assert norm.num_batches_tracked == 2 and norm.training
    assert not model.eval().branches['more'].neck.lateral_convs[0].bn.training
    model.train().branches['more'].train(False)
    assert norm.training, 'only the owner has it among its modules'


def test_parts_of_cascades_are_found_by_their_index():
    model = build(shared=dict(det=('roi_head.bbox_head.0.shared_fcs', 'roi_head.bbox_head.1.shared_fcs')), make=cascade,
                  second=4)
    first, second = (model.branches[s].roi_head.bbox_head for s in ('boxes', 'more'))
    assert all(a.shared_fcs is b.shared_fcs for a, b in zip(first, second)) and len(first) == 2
    assert first[0].shared_fcs is not first[1].shared_fcs
    model.train_step(batches('boxes', 'more'), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01)))


def cascade(num_classes=2):
    cfg = copy.deepcopy(tiny.two_stage_detector(num_classes))
    roi = cfg['roi_head']
    roi.update(type='mmdet.CascadeRoIHead', num_stages=2, stage_loss_weights=[1, 0.5],
               bbox_head=[roi['bbox_head'], copy.deepcopy(roi['bbox_head'])])
    cfg.update(type='mmdet.CascadeRCNN')
    cfg['train_cfg']['rcnn'] = [cfg['train_cfg']['rcnn']] * 2
    return cfg


def wide(**changes):
    return dict(student=tiny.resnet(base_channels=16, stem_channels=16), **changes)


def test_new_branches_of_the_squeeze_share_among_themselves():
    channels = (16, 32, 64, 128)
    new = dict(boxes=tiny.detector(2, channels=channels), more=tiny.detector(2, channels=channels),
               photos=tiny.classifier(channels=128))
    model = build(squeeze=wide(branches=new))
    squeeze = model.squeeze.branches
    assert squeeze['more'].neck is squeeze['boxes'].neck is not model.branches['boxes'].neck
    assert not any(key.startswith('squeeze.branches.more.neck') for key in model.state_dict())
    model.set_phase(Phase.SQUEEZE)
    model.train()
    both, boxes, more = (gradients(model, *sources) for sources in (('boxes', 'more'), ('boxes', ), ('more', )))
    key = 'squeeze.branches.boxes.neck.lateral_convs.0.conv.weight'
    assert boxes[key].any() and more[key].any() and not torch.equal(both[key], boxes[key])
    assert not any(name.startswith('branches.') for name in both)
    other = copy.deepcopy(new)
    other['more']['neck']['relu_before_extra_convs'] = True
    with pytest.raises(ValueError, match=r"'neck' is not built alike in model\.squeeze\.branches\.boxes and model"):
        build(squeeze=wide(branches=other))


def test_a_carried_branch_keeps_the_part_of_an_owner_that_has_a_new_one():
    model = build(squeeze=dict(student=tiny.resnet(), branches=dict(boxes=tiny.detector())))
    model.set_phase(Phase.SQUEEZE)
    trained = set(gradients(model.train(), 'boxes', 'more'))
    for owner in ('branches.boxes', 'squeeze.branches.boxes'):
        assert f'{owner}.neck.lateral_convs.0.conv.weight' in trained
    assert 'branches.boxes.bbox_head.conv_cls.weight' not in trained
    parts = model_parts(model, (64, 64))
    new, own = sum(p.numel() for p in model.squeeze.branches.parameters()), model.branches['boxes'].neck
    used = [model.squeeze.student, model.squeeze.connectors, model.branches['more'], model.branches['photos'], own]
    assert parts.trained['squeeze'] == new + sum(p.numel() for module in used for p in module.parameters())


def test_a_checkpoint_of_any_source_starts_the_shared_part(tmp_path):
    torch.manual_seed(7)
    stock = MODELS.build(with_scope(ConfigDict(tiny.detector(backbone=tiny.resnet()))))
    torch.save(dict(state_dict=stock.state_dict()), tmp_path / 'stock.pth')
    for source in ('boxes', 'more'):
        cfg = config()
        cfg.branches[source].checkpoint = str(tmp_path / 'stock.pth')
        model = built(cfg)
        assert equal(model.branches['boxes'].neck.state_dict(), stock.neck.state_dict())
        assert equal(model.branches[source].bbox_head.state_dict(), stock.bbox_head.state_dict())
        assert not any(key.startswith('branches.more.neck') for key in model.state_dict())


def test_a_row_counts_what_is_its_own_and_says_how_much_is_shared():
    model = build()
    parts = model_parts(model, (64, 64))
    first, second = parts.branches['boxes'], parts.branches['more']
    assert (first.kind, second.kind) == ('mmdet.FCOS', 'mmdet.FCOS + 1 of boxes')
    assert second.parameters == first.parameters - sum(p.numel() for p in model.branches['boxes'].neck.parameters())
    assert second.flops == first.flops > 0 and parts.other_parameters == 0


@pytest.mark.parametrize('shared, error, message', [
    (['neck'], TypeError, r'model\.shared must be a dict with a key for each task'),
    (dict(det='neck'), TypeError, r"shared\.det must be a list of paths such as \['neck', 'rpn_head'\], got 'neck'"),
    (dict(det=[]), ValueError, r'shared\.det is empty'),
    (dict(seg=['neck']), ValueError, r"names the task 'seg', which no source has. Tasks of the sources: det, cls\."),
    (dict(cls=['neck']), ValueError, r"shared\.cls: 'photos' is the only source of the task.*Take cls out"),
    (dict(det=['nek']), ValueError,
     r"no 'nek' in model\.branches\.boxes, whose FCOS has no module 'nek'\. Its modules: data_preprocessor, backbone"),
    (dict(det=['bbox_head.conv_cls.weight']), ValueError, r"Conv2d has a Parameter as 'weight', which is no module"),
    (dict(det=['bbox_head.num_classes']), ValueError, r"FCOSHead has a int as 'num_classes', which is no module"),
    (dict(det=['neck', 'bbox_head.cls_convs', 'neck.fpn_convs']), ValueError, "'neck.fpn_convs' is shared with 'neck'"),
    (dict(det=['neck', 'neck']), ValueError, "'neck' is shared with 'neck' already"),
    (dict(det=['neck.fpn_convs.0']), ValueError, r"element of a ModuleList.*Share the whole of it, 'neck\.fpn_convs'"),
    (dict(det=['backbone']), ValueError, r"'backbone' of model\.branches\.boxes holds a port"),
])
def test_what_cannot_be_shared_is_refused(shared, error, message):
    with pytest.raises(error, match=message):
        build(shared=shared)


@pytest.mark.parametrize('make, shared, message', [
    (lambda n: tiny.detector(n), ['bbox_head.conv_cls'],
     r"'bbox_head\.conv_cls' is not built alike in model\.branches\.boxes and model\.branches\.more: bbox_head\."
     r'conv_cls\.out_channels is 2 in the one and 3 in the other\. .*same settings, or share less'),
    (lambda n: tiny.two_stage_detector(n) if n == 2 else tiny.detector(n), ['rpn_head'], "no 'rpn_head' in .*more"),
    (lambda n: {**tiny.detector(n), 'neck': dict(tiny.detector()['neck'], relu_before_extra_convs=n == 3)}, ['neck'],
     r'neck\.relu_before_extra_convs is False in the one and True in the other'),
    (lambda n: {**tiny.detector(n), 'data_preprocessor': dict(tiny.detector()['data_preprocessor'], mean=[n] * 3)},
     ['data_preprocessor'], r'data_preprocessor\.mean has other values in the one than in the other'),
])
def test_parts_that_differ_are_refused(make, shared, message):
    with pytest.raises(ValueError, match=message):
        build(shared=dict(det=shared), make=make, second=3)


def test_settings_that_no_shape_shows_count():
    def make(num_classes):
        cfg = copy.deepcopy(tiny.two_stage_detector(num_classes))
        cfg['rpn_head']['anchor_generator']['scales'] = [2 * num_classes]
        return cfg

    with pytest.raises(ValueError, match=r"'rpn_head' is not .*: rpn_head\.prior_generator\..* other values"):
        build(shared=dict(det=['rpn_head']), make=make, second=3)


class Twice(nn.Module):
    """Holds its stem a second time, in a list, and an activation that has nothing to share."""

    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()
        self.stem = nn.Sequential(nn.Linear(2, 2), self.act)
        self.layers = [self.stem[0]]


def test_a_part_that_is_held_twice_is_refused():
    shared = SharedParts(dict(t=['stem']), dict(a='t', b='t'))
    with pytest.raises(ValueError, match=r"models\.b holds a part of 'stem' a second time, as models\.b\.layers\.0,"):
        shared.share(dict(a=Twice(), b=Twice()), 'models')
    once = dict(a=Twice(), b=Twice())
    for model in once.values():
        model.layers = []
    shared.share(once, 'models')
    assert once['b'].stem is once['a'].stem
