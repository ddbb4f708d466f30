import sys

import pytest
from mmengine.config import Config

from stock_files import write_stock
from xlearner_mm.tools import compose

pytestmark = pytest.mark.compat


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['compose.py', *arguments])
    compose.main()


def test_writes_a_config_and_says_what_it_took_over(toy_data, tmp_path, monkeypatch, capsys):
    stock, out = write_stock(toy_data, folder=tmp_path), tmp_path / 'composed.py'
    run(monkeypatch, *(f'--source={name}={config}' for name, config in stock.items()), '--task', 'maps=land',
        '--student', 'det', '--expansion-iters', '20', '--squeeze-iters', '10', '--out', str(out))
    cfg = Config.fromfile(out)
    assert list(cfg.model.branches) == ['photos', 'boxes', 'maps'] and cfg.model.branches.maps.task == 'land'
    assert cfg.train_cfg.max_iters == 30
    edited = out.read_text().replace('expansion_iters = 20', 'expansion_iters = 40')
    out.write_text(edited)
    cfg = Config.fromfile(out)
    assert (cfg.train_cfg.max_iters, cfg.custom_hooks[0].expansion_iters, cfg.param_scheduler[-1].end) == (50, 40, 40)
    printed = capsys.readouterr().out
    assert 'photos:\n  + task cls' in printed and '  - optim_wrapper: SGD' in printed
    assert f'mim run xlearner_mm preflight {out}' in printed


@pytest.mark.parametrize(('arguments', 'message'), [
    (('--source', 'a'), "--source 'a' must be NAME=VALUE."),
    (('--source', 'a=mmdet:x.py', '--source', 'a=mmdet:y.py'), "--source names 'a' twice: mmdet:x.py and mmdet:y.py."),
    (('--source', 'a=mmdet:x.py'), "Source 'a': the config x.py is neither a file nor installed with mmdet"),
    (('--source', 'a=mmcls:x.py'), "Source 'a': 'mmcls:x.py' must be <library>:<config>"),
])
def test_a_mistake_ends_in_one_line_and_writes_nothing(arguments, message, tmp_path, monkeypatch):
    out = tmp_path / 'composed.py'
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, *arguments, '--out', str(out))
    assert str(caught.value).startswith('compose failed: ') and message in str(caught.value)
    assert '\n' not in str(caught.value) and not out.exists()


def test_an_edited_config_is_not_overwritten_by_mistake(toy_data, tmp_path, monkeypatch):
    stock, out = write_stock(toy_data, folder=tmp_path), tmp_path / 'composed.py'
    out.write_text('edited')
    arguments = ('--source', f'photos={stock["photos"]}', '--out', str(out))
    with pytest.raises(SystemExit, match='exists, and may have been edited. Give another --out, or --force.'):
        run(monkeypatch, *arguments)
    assert out.read_text() == 'edited'
    run(monkeypatch, *arguments, '--force')
    assert 'photos' in Config.fromfile(out).model.branches
