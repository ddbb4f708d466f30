import pytest
import torch
import torchvision

from tiny import resnet
from xlearner_mm.transfer.targets import build_target, stage_features

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_the_counterpart_has_the_trained_options_without_the_trained_start(library):
    network = build_target(library, dict(resnet('mmdet'), frozen_stages=1, init_cfg=dict(type='Pretrained')))
    assert type(network).__module__.startswith(f'{library}.') and not network.training
    assert network.conv1.out_channels == 8 and network.frozen_stages == -1
    assert not network.init_cfg or 'Pretrained' not in str(network.init_cfg)


def test_torchvision_has_plain_resnets_only():
    assert isinstance(build_target('torchvision', resnet(depth=34)), torchvision.models.ResNet)
    for backbone in (dict(resnet(), depth=17), dict(resnet(), type='mmdet.ResNeXt')):
        with pytest.raises(ValueError, match='torchvision has no counterpart of .*Export to mmdet'):
            build_target('torchvision', backbone)


@pytest.mark.parametrize('backbone, name', [
    (resnet('mmseg', type='mmseg.ResNetV1c'), 'ResNetV1c'),
    (resnet('mmpretrain', type='mmpretrain.SEResNet', depth=50), 'SEResNet'),
    (resnet('mmpretrain', drop_path_rate=0.1), 'ResNet'),
])
def test_what_the_target_lacks_is_refused(backbone, name):
    library = backbone['type'].split('.')[0]
    with pytest.raises(ValueError, match=f'mmdet has no counterpart of {name} with these settings: .*'
                                         f'Export to {library}, where it was trained'):
        build_target('mmdet', backbone)
    assert type(build_target(library, backbone)).__name__ == name


def test_a_type_must_name_its_library():
    with pytest.raises(ValueError, match="type 'ResNet' of the trained backbone does not name its.*mmdet.ResNet"):
        build_target('mmdet', dict(resnet(), type='ResNet'))


def test_features_of_all_stages_whatever_out_indices_say():
    network = build_target('mmpretrain', dict(resnet('mmpretrain'), out_indices=(3, )))
    images = torch.randn(1, 3, 64, 64)
    features = stage_features(network, images)
    assert [tuple(f.shape[1:]) for f in features] == [(8, 16, 16), (16, 8, 8), (32, 4, 4), (64, 2, 2)]
    features = stage_features(build_target('torchvision', resnet()), images)
    assert [tuple(f.shape[1:]) for f in features] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
