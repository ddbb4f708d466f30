"""What configs of checkpoints may name."""

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS

from tiny import detector, xlearner
from xlearner_mm.transfer.registered_types import check_types

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('cfg', [
    xlearner(), detector(), dict(type='nms'), dict(type='mmdet.models.detectors.fcos.FCOS'), dict(type=None),
    dict(type='mmcv.LoadImageFromFile'), [dict(_scope_='mmseg', type='FCNHead'), (dict(type='BN'), )],
    dict(a=dict(b=1)), None,
], ids=lambda cfg: str(cfg)[:50])
def test_what_registries_hold_passes(cfg):
    check_types(cfg, 'it')


@pytest.mark.parametrize('cfg, name', [
    (dict(type='os.system', command='true'), 'os.system'),
    (dict(neck=[dict(type='subprocess.run')]), 'subprocess.run'),
    (dict(type='mmdet.apis.inference.init_detector'), 'mmdet.apis.inference.init_detector'),
    (dict(type='mmengine.fileio.rmtree'), 'mmengine.fileio.rmtree'),
    (dict(_scope_='antigravity', type='FCOS'), "'FCOS' of scope 'antigravity'"),
], ids=str)
def test_what_mmengine_would_import_and_call_is_refused(cfg, name):
    with pytest.raises(ValueError, match=f'it names .?{name}.*in no registry.*Nothing was run'):
        check_types(cfg, 'it')


def test_mmengine_would_run_it(tmp_path):
    """What this is for: should mmengine stop doing so, the check may go."""
    MODELS.build(Config(dict(a=dict(type='os.mkdir', path=str(tmp_path / 'made')))).a)
    assert (tmp_path / 'made').is_dir()
