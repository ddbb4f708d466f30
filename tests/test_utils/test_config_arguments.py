import argparse

import pytest

import xlearner_mm
from xlearner_mm.utils import add_config_arguments, find_config, read_config

pytestmark = pytest.mark.compat


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with installed configs."""
    for name in ('configs/one.py', 'configs/twice.py', 'projects/p/configs/twice.py'):
        path = tmp_path / '.mim' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(xlearner_mm, '__file__', str(tmp_path / '__init__.py'))
    return tmp_path


def test_a_path_is_taken_as_it_is_and_a_bare_name_is_looked_up(package):
    own = package / 'one.py'
    own.touch()
    assert find_config(str(own)) == str(own)
    assert find_config('one.py') == str(package / '.mim/configs/one.py')


def test_what_is_not_there_or_not_one_is_refused(package):
    with pytest.raises(FileNotFoundError, match='The config none.py does not exist, and none of that name is inst'):
        find_config('none.py')
    with pytest.raises(ValueError, match='Several configs are called twice.py: .*configs/twice.py, .*Give the path'):
        find_config('twice.py')


def test_a_config_is_read_with_its_overridden_settings(package):
    (package / '.mim/configs/one.py').write_text('a = dict(b=1, c=2)')
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    assert read_config(parser.parse_args(['one.py'])).a == dict(b=1, c=2)
    assert read_config(parser.parse_args(['one.py', '--cfg-options', 'a.b=3'])).a == dict(b=3, c=2)
