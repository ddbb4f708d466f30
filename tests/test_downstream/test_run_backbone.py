import pytest
import torch
from mmengine.registry import MODELS

from saved_run import save_student
from xlearner_mm.downstream import Pixels, parse_backbones, run_backbone
from xlearner_mm.models import Phase
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


def test_the_student_of_a_run_goes_by_export_into_each_library_once(tmp_path, monkeypatch):
    model = save_student(tmp_path / 'run.pth', base_channels=8, stem_channels=8)
    backbone, scratch = parse_backbones([f'ours=run:{tmp_path / "run.pth"}', 'none=scratch:ours'])
    assert backbone.pixels == Pixels((127.5, ) * 3, (127.5, ) * 3, False)
    exports, export = [], run_backbone.export_backbone
    monkeypatch.setattr(run_backbone, 'export_backbone', lambda *args: exports.append(args[2]) or export(*args))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.squeeze.staged.features(images)[-1]
        for library in ('mmdet', 'mmseg', 'mmdet'):
            stock = MODELS.build(with_scope(backbone.stock_config(library, tmp_path / 'out')))
            stock.init_weights()
            stock.eval()
            assert torch.equal(stock(images)[-1], expected)
    assert exports == ['mmdet', 'mmseg'] and 'init_cfg' not in scratch.stock_config('mmdet', tmp_path / 'out')


def test_a_part_of_a_run(tmp_path):
    model = save_student(tmp_path / 'run.pth', Phase.EXPANSION, base_channels=8, stem_channels=8)
    (backbone, ) = parse_backbones([f'det=run:{tmp_path / "run.pth"}#det'])
    cfg = backbone.stock_config('mmdet', tmp_path)
    saved = torch.load(cfg['init_cfg']['checkpoint'], weights_only=True)['state_dict']
    own = model.backbone.sub_backbones['det'].state_dict()
    assert saved.keys() == own.keys() and all(torch.equal(saved[key], own[key]) for key in own)
