import pytest

from xlearner_mm.compose.stock_source import plain, read_source, stock_configs, with_prefix

pytestmark = pytest.mark.compat
FASTER = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'


def test_a_config_is_found_with_its_library_or_as_a_file():
    installed = read_source('coco', f'mmdet:{FASTER}')
    assert (installed.task, installed.cfg.model.type) == ('det', 'FasterRCNN')
    as_file = read_source('coco', f'mmdet:{stock_configs("mmdet") / FASTER}', task='boxes')
    assert as_file.task == 'boxes' and as_file.cfg.model == installed.cfg.model


@pytest.mark.parametrize(('stock', 'error', 'message'), [
    ('mmyolo:x.py', ValueError, "Source 'a': 'mmyolo:x.py' must be <library>:<config> with a library of mmdet, "),
    ('mmdet', ValueError, 'must be <library>:<config>'),
    ('mmdet:nothing.py', FileNotFoundError, "Source 'a': the config nothing.py is neither a file nor installed"),
    ('mmdet:faster-rcnn_r50_fpn_1x_coco.py', FileNotFoundError, f'Did you mean mmdet:{FASTER}'),
])
def test_errors(stock, error, message):
    with pytest.raises(error) as caught:
        read_source('a', stock)
    assert message in str(caught.value) and '\n' not in str(caught.value)


def test_a_missing_custom_import_is_named(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("custom_imports = dict(imports=['nowhere.models'])\nmodel = dict(type='FCOS')\n")
    with pytest.raises(ImportError) as caught:
        read_source('a', f'mmdet:{path}')
    assert f"Source 'a': {path} imports nowhere, which is not installed." in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_config_without_a_model_is_refused(tmp_path):
    path = tmp_path / 'empty.py'
    path.write_text('lr = 1\n')
    with pytest.raises(ValueError, match='has no model'):
        read_source('a', f'mmdet:{path}')


def test_classes_of_new_style_configs_become_names():
    from mmdet.models import FCOS
    from mmpretrain.models import ConvNeXt
    cfg = plain(dict(type=FCOS, backbone=dict(type=ConvNeXt), list=[dict(type='Resize')]), 'mmdet')
    assert cfg == dict(type='FCOS', backbone=dict(type='mmpretrain.ConvNeXt'), list=[dict(type='Resize')])


def test_prefixes_are_added_where_there_is_none():
    assert with_prefix([dict(type='A'), dict(type='mmpretrain.B')], 'mmdet') == [
        dict(type='mmdet.A'), dict(type='mmpretrain.B')]
