"""Configs in checkpoints are read without running them."""

from pathlib import Path

import pytest
from mmengine.config import Config

from xlearner_mm.transfer.literal_config import parse_literal_config

pytestmark = pytest.mark.compat

CONFIGS = sorted(path for path in Path(__file__).parents[2].glob('configs/*/*.py') if path.parent.name != '_base_')


@pytest.mark.parametrize('path', CONFIGS[::4], ids=lambda path: path.stem)
def test_equals_what_mmengine_reads(path):
    cfg = Config(Config.fromfile(path).to_dict(), format_python_code=False)
    assert parse_literal_config(cfg.pretty_text, 'it') == cfg.to_dict()


def test_all_values_that_mmengine_writes():
    values = dict(
        a=1, b=-2.5e-3, c='it\'s "x"\n', d=None, e=True, f=[], g=(), h=(1, ), i=[dict(j=(1, [2]))], k={'a.b': 1, 3: 2},
        l={1, 2}, m=float('inf'), n=-float('inf'), o=b'x')
    text = Config(values, format_python_code=False).pretty_text
    assert parse_literal_config(text, 'it') == values
    assert parse_literal_config("a = float('-inf')\nb = dict()\nc = tuple([1])", 'it') == dict(
        a=-float('inf'), b={}, c=(1, ))


@pytest.mark.parametrize('text, message', [
    ("a = 1\nb = __import__('os').mkdir('made')", r"it, line 2: __import__\('os'\)\.mkdir\('made'\) is no value"),
    ('import os', 'it, line 1: import os is no value'),
    ('a = dict(b=[1, dict(c=open("x"))])', r"it, line 1: open\('x'\) is no value"),
    ('a = dict.fromkeys("ab")', r'dict\.fromkeys'),
    ('a = [x for x in (1, 2)]', 'is no value'),
    ('a = f"{1}"', 'is no value'),
    ('a = (lambda: 1)()', 'is no value'),
    ('a = b', 'it, line 1: b is no value'),
    ('a = dict(**{"b": 1})', 'is no value'),
    ('a = [*"ab"]', 'is no value'),
    ('a = 9**9', r'9 \*\* 9 is no value'),
    ('a = -"x"', 'is no value'),
    ('a = float("1")', 'is no value'),
    ('a, b = 1, 2', 'is no value'),
    ('a: int = 1', 'is no value'),
    ('a.b = 1', 'is no value'),
    ('if True:\n    a = 1', 'is no value'),
    ('a = {[]: 1}', 'it, line 1: unhashable type'),
    ('a = dict(1)', 'it, line 1:'),
    ('a = (', 'it is no config'),
    ('a = "\0"', 'it is no config'),
    ('a = ' + '(' * 10000 + ')' * 10000, 'it(, line 1)?'),
    ('a = ' + '-' * 100000 + '1', 'it(, line 1)?'),
])
def test_anything_else_is_refused(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        parse_literal_config(text, 'it')
    assert not list(tmp_path.iterdir())
