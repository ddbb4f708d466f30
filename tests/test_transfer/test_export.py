import json

import pytest
import torch
import torchvision
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from saved_run import save_run, save_student
from tiny import classifier, resnet
from xlearner_mm.models import Phase
from xlearner_mm.transfer import export_backbone
from xlearner_mm.transfer.safe_checkpoint import sha256_of
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

FULL = dict(base_channels=64, stem_channels=64)


@pytest.fixture
def full_width(tmp_path):
    return save_student(tmp_path / 'run.pth', **FULL)


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_the_stock_backbone_starts_from_the_file(library, full_width, tmp_path):
    done = export_backbone(tmp_path / 'run.pth', tmp_path / 'out' / 'backbone.pth', library)
    assert done.agreement == 'equal features, bit for bit'
    stock = MODELS.build(with_scope(dict(
        type=f'{library}.ResNet', depth=18, out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint=str(done)))))
    stock.init_weights()
    stock.eval()
    state = torch.load(done.path, weights_only=True)['state_dict']  # nothing in the file but tensors and plain values
    assert set(state) == set(stock.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(stock(images), full_width.squeeze.staged.features(images)):
            assert torch.equal(a, b)


def test_the_config_that_comes_back_starts_from_the_file(tmp_path):
    model = save_student(tmp_path / 'run.pth')
    done = export_backbone(tmp_path / 'run.pth', tmp_path / 'backbone.pth', 'mmseg')
    assert done.config['type'] == 'mmseg.ResNet'
    stock = MODELS.build(with_scope(ConfigDict(done.config)))
    stock.init_weights()
    own = model.squeeze.student.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in stock.state_dict().items())


@pytest.mark.parametrize('form', ['pth', 'safetensors'])
def test_torchvision_loads_all_but_its_classifier(form, full_width, tmp_path):
    done = export_backbone(tmp_path / 'run.pth', tmp_path / f'backbone.{form}', 'torchvision', form=form)
    found = {}
    exec('\n'.join(done.usage), found)
    network = found['model'].eval()
    assert isinstance(network, torchvision.models.ResNet) and done.config == {}
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = full_width.squeeze.staged.features(images)[-1].mean((2, 3))
        torch.testing.assert_close(network(images), expected)
    assert any('pixels from 0 to 1, normalised by mean=[0.5, 0.5, 0.5] and std=[0.5, 0.5, 0.5]' in note
               for note in done.notes)


def test_a_sub_backbone_and_a_shared_backbone_are_parts_too(tmp_path):
    model = save_student(tmp_path / 'run.pth', Phase.EXPANSION)
    done = export_backbone(tmp_path / 'run.pth', tmp_path / 'det.pth', 'mmdet', part='det')
    saved, own = torch.load(done.path, weights_only=True), model.backbone.sub_backbones['det'].state_dict()
    assert set(saved['state_dict']) == set(own)
    assert all(torch.equal(v, own[k]) for k, v in saved['state_dict'].items())
    model = save_run(tmp_path / 'hard.pth', Phase.EXPANSION, squeeze=False, expanded=False)
    done = export_backbone(tmp_path / 'hard.pth', tmp_path / 'shared.pth', 'mmseg', part='backbone')
    assert set(torch.load(done.path, weights_only=True)['state_dict']) == set(model.backbone.state_dict())


@pytest.mark.parametrize('form', ['pth', 'safetensors'])
def test_the_file_says_where_it_is_from(form, tmp_path):
    settings = dict(train_dataloader=dict(dataset=dict(sources=dict(photos=dict(dataset=dict(
        type='D', pipeline=[dict(type='Resize', scale=64)]))))))
    save_run(tmp_path / 'run.pth', meta=dict(iter=7), settings=settings)
    export_backbone(tmp_path / 'run.pth', tmp_path / 'x', 'mmdet', form=form)
    if form == 'pth':
        meta = torch.load(tmp_path / 'x', weights_only=True)['meta']
    else:
        from safetensors import safe_open
        with safe_open(tmp_path / 'x', 'pt') as file:
            texts = file.metadata()
        meta = {key: json.loads(text) if key in ('source_iter', 'input_sizes') else text for key, text in texts.items()}
    sizes = dict.fromkeys(('boxes', 'photos'), 'unknown: nothing in its training names one')
    pixels = 'mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]'
    backbone = meta.pop('backbone')
    assert eval(backbone, dict()) == resnet()
    assert meta == dict(
        part='student', target='mmdet', source_checkpoint='run.pth', source_sha256=sha256_of(tmp_path / 'run.pth'),
        source_iter=7, normalisation=f'{pixels} (boxes, maps, photos)', xlearner_mm=meta['xlearner_mm'],
        input_sizes=dict(sizes, photos='Resize(scale=64)', maps='SegDataPreProcessor(size=(64, 64))'))


@pytest.mark.parametrize('changes, target, message', [
    (dict(FULL, deep_stem=True), 'torchvision',
     r"torchvision cannot load the student of .*Missing keys: \['conv1.weight'.*Unexpected keys: \['stem\.0\.weight'"),
    (dict(), 'torchvision', r"Missing keys: none.*Other shapes: \['conv1.weight \(8, 3, 7, 7\) into \(64, 3, 7, 7\)"),
    (dict(), 'keras', "'keras' must be one of mmdet, mmseg, mmpretrain, torchvision, timm"),
    # The stride of a bottleneck block stands in its first or its second convolution; keys and shapes agree.
    (dict(FULL, depth=50, style='caffe'), 'torchvision',
     r'ResNet of torchvision loads the weights but gives other features at stage 1, stage 2, stage 3, output, with a '
     r'relative error of up to .*Nothing was written'),
])
def test_a_wrong_target_is_refused_with_the_keys_and_nothing_is_written(changes, target, message, tmp_path):
    save_student(tmp_path / 'run.pth', **changes)
    (tmp_path / 'out.pth').write_text('old')
    with pytest.raises(ValueError, match=message):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.pth', 'run.pth']
    assert (tmp_path / 'out.pth').read_text() == 'old'


@pytest.mark.parametrize('value, message', [(0.0, 'nothing but zeros'), (float('nan'), 'not finite')])
def test_features_that_prove_nothing_are_refused(value, message, tmp_path):
    save_student(tmp_path / 'run.pth')
    checkpoint = torch.load(tmp_path / 'run.pth', weights_only=False)
    for key, weight in checkpoint['state_dict'].items():
        if key.startswith('squeeze.student.layer3') and weight.is_floating_point():
            weight.fill_(value)
    torch.save(checkpoint, tmp_path / 'run.pth')
    with pytest.raises(ValueError, match=rf'at stage 2, .*{message}.*Nothing was written'):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet')


def test_what_is_not_there_is_refused(tmp_path):
    save_student(tmp_path / 'run.pth', Phase.EXPANSION)
    with pytest.raises(ValueError, match=r'saved before the squeeze: its student is untrained.*\(cls, det, seg\)'):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet')
    with pytest.raises(ValueError, match="no part 'depth'; it has cls, det, seg, student"):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet', part='depth')
    with pytest.raises(ValueError, match="Format 'onnx' must be one of pth, safetensors"):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet', form='onnx')
    no_runs = dict(weight=torch.zeros(1)), dict(state_dict=1, meta=dict(cfg='a = 1')), dict(state_dict={}, meta=1)
    for content in no_runs:
        torch.save(content, tmp_path / 'plain.pth')
        with pytest.raises(ValueError, match='is no checkpoint of a training run'):
            export_backbone(tmp_path / 'plain.pth', tmp_path / 'out.pth', 'mmdet')


@pytest.mark.parametrize('edit, message', [
    (lambda state, meta: state.pop('squeeze.student.conv1.weight'), r'The student of .*does not fit its config'),
    (lambda state, meta: meta.update(cfg='model = dict(type="os.system", command="true")'), 'in no registry'),
    (lambda state, meta: meta.update(cfg='model = dict(type="mmdet.FCOS")'), 'holds no X-Learner'),
    (lambda state, meta: meta.update(cfg='import os'), 'meta.cfg of .*run.pth, line 1: import os is no value'),
    (lambda state, meta: meta.update(cfg='custom_imports = dict(imports=["nowhere"])\nmodel = dict(a=1)'),
     'Failed to import custom modules from .*nowhere.*PYTHONPATH'),
])
def test_checkpoints_that_someone_edited(edit, message, tmp_path):
    save_student(tmp_path / 'run.pth')
    checkpoint = torch.load(tmp_path / 'run.pth', weights_only=False)
    edit(checkpoint['state_dict'], checkpoint['meta'])
    torch.save(checkpoint, tmp_path / 'run.pth')
    with pytest.raises((ImportError, ValueError), match=message):
        export_backbone(tmp_path / 'run.pth', tmp_path / 'out.pth', 'mmdet')
    assert [p.name for p in tmp_path.iterdir()] == ['run.pth']


def test_the_normalisation_is_that_of_the_branches_of_the_squeeze(tmp_path):
    other = classifier(channels=64)
    other['data_preprocessor'].update(mean=[1., 2., 3.], to_rgb=True)
    save_run(tmp_path / 'run.pth', squeeze=dict(student=resnet(), branches=dict(photos=other)))
    note = export_backbone(tmp_path / 'run.pth', tmp_path / 'x.pth', 'mmdet').notes[0]
    assert 'mean=[1.0, 2.0, 3.0], std=[127.5, 127.5, 127.5], to_rgb=True (photos)' in note
    note = export_backbone(tmp_path / 'run.pth', tmp_path / 'x.pth', 'mmdet', 'cls').notes[0]
    assert note == ('Images were normalised by mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5] (boxes, maps, '
                    'photos).')
