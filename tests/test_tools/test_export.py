import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from tiny import resnet, xlearner
from xlearner_mm.tools import export

pytestmark = pytest.mark.compat


@pytest.fixture
def checkpoint(tmp_path):
    cfg = Config(dict(model=xlearner(backbone=dict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(cls=resnet(), det=resnet(), seg=resnet(base_channels=64, stem_channels=64))),
        squeeze=None, branches=dict(xlearner().branches, maps=None))))
    cfg.model.branches.pop('maps')
    state = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg.pretty_text)), tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


@pytest.mark.parametrize('target, hint', [
    ('mmdet', "init_cfg=dict(type='Pretrained', checkpoint='{}')"),
    ('torchvision', "model.load_state_dict(torch.load('{}', weights_only=True), strict=False)"),
])
def test_says_how_to_use_what_it_wrote(target, hint, checkpoint, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'b.pth'
    monkeypatch.setattr(sys, 'argv', ['export.py', str(checkpoint), str(out), '--to', target, '--part', 'seg'])
    export.main()
    printed = capsys.readouterr().out
    assert f'{target} loads {out} with 0 missing and 0 unexpected keys' in printed and hint.format(out) in printed
    assert out.is_file()


def test_an_unknown_library_is_refused(checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['export.py', str(checkpoint), 'b.pth', '--to', 'keras'])
    with pytest.raises(SystemExit):
        export.main()
    assert "invalid choice: 'keras'" in capsys.readouterr().err
