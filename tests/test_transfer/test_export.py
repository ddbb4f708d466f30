import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.registry import MODELS

from tiny import classifier, resnet, xlearner
from xlearner_mm.models import Phase
from xlearner_mm.transfer import export_backbone
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


def save(path, phase=Phase.SQUEEZE, expanded=True, **student):
    """A checkpoint as mmengine writes it, with statistics that are not those of a fresh network."""
    student = resnet(**student)
    channels = 8 * student['base_channels']
    cfg = Config(dict(model=xlearner(
        expanded=expanded,
        squeeze=dict(student=student, branches=dict(photos=classifier(channels=channels))) if expanded else None,
        branches=dict(photos=dict(task='cls', model=classifier())))))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for name, value in model.named_buffers():
        if 'running_mean' in name:
            value.normal_(0, 0.1)
        elif 'running_var' in name:
            value.uniform_(0.5, 1.5)
    model.set_phase(phase)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), path)
    return model.eval()


@pytest.fixture
def full_width(tmp_path):
    return save(tmp_path / 'run.pth', base_channels=64, stem_channels=64)


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_the_stock_backbone_starts_from_the_file(library, full_width, tmp_path):
    out = export_backbone(tmp_path / 'run.pth', tmp_path / 'out' / 'backbone.pth', library)
    stock = MODELS.build(with_scope(dict(
        type=f'{library}.ResNet', depth=18, out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint=str(out)))))
    stock.init_weights()
    stock.eval()
    state = torch.load(out, weights_only=True)['state_dict']  # nothing in the file but tensors and text
    assert set(state) == set(stock.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(stock(images), full_width.squeeze.staged.features(images)):
            assert torch.equal(a, b)


def test_torchvision_loads_all_but_its_classifier(full_width, tmp_path):
    out = export_backbone(tmp_path / 'run.pth', tmp_path / 'backbone.pth', 'torchvision')
    network = torchvision.models.resnet18(weights=None)
    keys = network.load_state_dict(torch.load(out, weights_only=True), strict=False)
    assert keys.missing_keys == ['fc.weight', 'fc.bias'] and keys.unexpected_keys == []
    network.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = full_width.squeeze.staged.features(images)[-1].mean((2, 3))
        torch.testing.assert_close(network.eval()(images), expected)


def test_a_sub_backbone_and_a_shared_backbone_are_parts_too(tmp_path):
    model = save(tmp_path / 'run.pth', Phase.EXPANSION)
    out = export_backbone(tmp_path / 'run.pth', tmp_path / 'det.pth', 'mmdet', part='det')
    saved, own = torch.load(out, weights_only=True), model.backbone.sub_backbones['det'].state_dict()
    assert set(saved['state_dict']) == set(own)
    assert all(torch.equal(v, own[k]) for k, v in saved['state_dict'].items())
    assert saved['meta']['part'] == 'det' and saved['meta']['target'] == 'mmdet'
    assert saved['meta']['normalisation'] == 'mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5] (photos)'
    model = save(tmp_path / 'hard.pth', Phase.EXPANSION, expanded=False)
    out = export_backbone(tmp_path / 'hard.pth', tmp_path / 'shared.pth', 'mmseg', part='backbone')
    assert set(torch.load(out, weights_only=True)['state_dict']) == set(model.backbone.state_dict())


@pytest.mark.parametrize('changes, target, message', [
    (dict(deep_stem=True, base_channels=64, stem_channels=64), 'torchvision',
     r"torchvision cannot load the student of .*Missing keys: \['conv1.weight'.*Unexpected keys: \['stem\.0\.weight'"),
    (dict(), 'torchvision', r"Missing keys: none.*Other shapes: \['conv1.weight \(8, 3, 7, 7\) into \(64, 3, 7, 7\)"),
    (dict(), 'keras', "'keras' must be one of mmdet, mmseg, mmpretrain, torchvision"),
])
def test_a_wrong_target_is_refused_with_the_keys_and_nothing_is_written(changes, target, message, tmp_path):
    save(tmp_path / 'run.pth', **changes)
    with pytest.raises(ValueError, match=message):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', target)
    assert [p.name for p in tmp_path.iterdir()] == ['run.pth']


def test_a_network_with_the_same_keys_and_other_features_is_refused(tmp_path):
    # The stride of a bottleneck block stands in its first or its second convolution; keys and shapes agree.
    save(tmp_path / 'run.pth', depth=50, style='caffe', base_channels=64, stem_channels=64)
    with pytest.raises(ValueError, match=r'ResNet of torchvision loads the weights but gives other features at the '
                                         r'stages \[1, 2, 3\].*Nothing was written'):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'torchvision')
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('value, message', [(0.0, 'nothing but zeros'), (float('nan'), 'not finite')])
def test_features_that_prove_nothing_are_refused(value, message, tmp_path):
    save(tmp_path / 'run.pth')
    checkpoint = torch.load(tmp_path / 'run.pth', weights_only=False)
    for key, weight in checkpoint['state_dict'].items():
        if key.startswith('squeeze.student.layer3') and weight.is_floating_point():
            weight.fill_(value)
    torch.save(checkpoint, tmp_path / 'run.pth')
    with pytest.raises(ValueError, match=rf'stages \[2.*{message}.*Nothing was written'):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet')


def test_what_is_not_there_is_refused(tmp_path):
    save(tmp_path / 'run.pth', Phase.EXPANSION)
    with pytest.raises(ValueError, match=r'saved before the squeeze: its student is untrained.*\(cls, det, seg\)'):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet')
    with pytest.raises(ValueError, match="no part 'depth'; it has cls, det, seg, student"):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet', part='depth')
    torch.save(dict(weight=torch.zeros(1)), tmp_path / 'plain.pth')
    with pytest.raises(ValueError, match='is no checkpoint of a training run'):
        export_backbone(tmp_path / 'plain.pth', tmp_path / 'out.pth', 'mmdet')
