import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from staged_checks import build
from tiny import batches, classifier, resnet, segmentor, xlearner
from xlearner_mm.models import Phase
from xlearner_mm.models.expansion import StageShape, at_output_stride, build_staged_backbone

pytestmark = pytest.mark.compat

# Output stride: what mmseg's configs write for it.
STOCK = {8: dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)), 16: dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))}


def with_weights_of(other, cfg):
    backbone = MODELS.build(ConfigDict(cfg))
    backbone.load_state_dict(other.state_dict())
    backbone.train(other.training)
    return backbone


@pytest.mark.parametrize('output_stride', STOCK)
@pytest.mark.parametrize('cfg', [
    resnet('mmseg', type='mmseg.ResNetV1c'), resnet('mmseg', depth=50), resnet('mmseg', depth=50, style='caffe'),
    resnet('mmseg', type='mmseg.ResNeXt', depth=50, groups=2, base_width=8),
], ids=['18', '50', 'caffe', 'ResNeXt'])
@pytest.mark.parametrize('training', [True, False])
def test_equals_the_dilated_stock_backbone_with_the_same_weights(cfg, output_stride, training):
    plain = build(cfg, training)
    dilated = with_weights_of(plain, {**cfg, **STOCK[output_stride], 'contract_dilation': True})
    images = torch.randn(2, 3, 75, 64)
    features = build_staged_backbone(plain).dilated(output_stride).features(images)
    expected = dilated(images)
    assert all(torch.equal(a, b) for a, b in zip(features, expected, strict=True))
    for outputs in (features, expected):
        sum(f.square().mean() for f in outputs).backward()
    for a, b in zip(plain.parameters(), dilated.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize('cfg', [resnet('mmdet', depth=50), resnet('mmpretrain', depth=50),
                                 dict(type='mmdet.RegNet', arch='regnetx_400mf')], ids=['det', 'pretrain', 'RegNet'])
def test_bottlenecks_give_the_values_of_the_strided_pass_at_its_positions(cfg):
    backbone = build(cfg, training=False).double()
    staged, images = build_staged_backbone(backbone), torch.randn(1, 3, 64, 64, dtype=torch.double)
    with torch.no_grad():
        plain, dilated = staged.features(images), staged.dilated(8).features(images)
    for a, b, step in zip(plain, dilated, (1, 1, 2, 4), strict=True):
        torch.testing.assert_close(b[..., ::step, ::step], a, rtol=0, atol=1e-10)


def test_only_the_pass_is_changed():
    backbone = build(resnet())
    staged, images = build_staged_backbone(backbone), torch.randn(2, 3, 64, 64)
    settings = [(m.stride, m.padding, m.dilation) for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    dilated = staged.dilated(16)
    assert [s.stride for s in dilated.shapes()] == [4, 8, 16, 16]
    with pytest.raises(RuntimeError):
        dilated.stage(3, torch.zeros(1, 3, 8, 8))  # of the wrong width
    assert [s.stride for s in staged.shapes()] == [4, 8, 16, 32]
    backbone.eval()
    assert torch.equal(staged.features(images)[3], backbone(images)[3])
    assert settings == [(m.stride, m.padding, m.dilation) for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)]


@pytest.mark.parametrize('cfg, message', [
    (resnet(), r'ResNet cannot be run with output_stride: 12 is none of the strides of its stages, 4, 8, 16, 32\. U'),
    (resnet(with_cp=True), r'its BasicBlock blocks have a checkpoint \(with_cp=True\)\. Take output_stride out'),
    (resnet(type='mmdet.ResNetV1d'), 'its BasicBlock blocks have a AvgPool2d'),
    (dict(type='mmdet.Res2Net', depth=50, scales=2, base_width=8), 'Res2Net cannot be run with output_stride'),
    (dict(type='mmdet.ResNeSt', depth=50, base_channels=8), 'ResNeSt cannot be run with output_stride'),
    (dict(type='mmseg.MixVisionTransformer'), 'MixVisionTransformer cannot be run with output_stride. Take its task'),
], ids=lambda value: value['type'] if isinstance(value, dict) else None)
def test_what_cannot_be_dilated(cfg, message):
    with pytest.raises(ValueError, match=message):
        build_staged_backbone(build(cfg)).dilated(12 if 'none of' in message else 8)


def test_tasks_without_a_stride_of_their_own_run_as_before():
    staged = build_staged_backbone(build(resnet()))
    by_task = at_output_stride(dict(cls=staged, seg=staged), dict(seg=8))
    assert by_task['cls'] is staged and by_task['seg'].backbone is staged.backbone
    assert by_task['seg'].shapes() == [StageShape(8, 4), StageShape(16, 8), StageShape(32, 8), StageShape(64, 8)]
    with pytest.raises(ValueError, match=r"output_stride names \['det'\], which are no tasks of the model: cls, seg"):
        at_output_stride(dict(cls=staged, seg=staged), dict(det=8))


def sizes_read(model):
    """Sizes of the last map that each source's head is given."""
    sizes = {}
    for source in ('photos', 'maps'):
        branch = model.branch(source)
        port_of = branch.backbone
        port_of.register_forward_hook(lambda _, __, out, s=source: sizes.__setitem__(s, tuple(out[-1].shape[-2:])))
    losses = model(**model.data_preprocessor(batches('photos', 'maps'), True), mode='loss')
    sum(value.sum() for key, value in losses.items() if 'loss' in key).backward()
    return sizes


def test_a_shared_backbone_is_dilated_for_one_task_only():
    branches = dict(photos=dict(task='cls', model=classifier()), maps=dict(task='seg', model=segmentor()))
    model = MODELS.build(xlearner(squeeze=False, expanded=False, branches=branches, output_stride=dict(seg=8)))
    assert sizes_read(model.train()) == dict(photos=(2, 2), maps=(8, 8))
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_sub_backbone_and_student_are_dilated_for_their_task():
    torch.manual_seed(0)
    model = MODELS.build(xlearner(output_stride=dict(seg=8))).train()
    assert [s.stride for s in model.backbone.level_shapes()['seg']] == [4, 8, 8, 8]
    links = model.backbone.reconciliation.links
    assert len(links['seg']['det']['0_to_2'].downsamples) == 1 and len(links['det']['seg']['0_to_2'].downsamples) == 2
    assert sizes_read(model) == dict(photos=(2, 2), maps=(8, 8))
    model.set_phase(Phase.SQUEEZE)
    assert sizes_read(model) == dict(photos=(2, 2), maps=(8, 8))


def test_unknown_tasks_are_refused():
    for expanded in (True, False):
        with pytest.raises(ValueError, match=r"model\.output_stride names \['depth'\], which are no tasks"):
            MODELS.build(xlearner(squeeze=False, expanded=expanded, output_stride=dict(depth=8)))
