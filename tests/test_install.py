"""The checks, the stages and the cache of `make env`, and what `pip install .` puts where; nothing is downloaded."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
STACKS = ('modern', 'classic')

pytestmark = pytest.mark.compat


def load_installer():
    spec = importlib.util.spec_from_file_location('install', ROOT / 'requirements' / 'install.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def install(monkeypatch, tmp_path):
    """The installer as a module, its cache below ``tmp_path``, on a machine that seems to have all it needs."""
    module = load_installer()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setattr(module, 'cuda_tag', lambda stack: 'cpu')
    monkeypatch.setattr(module.shutil, 'which', lambda name, path=None: f'/usr/bin/{name}')
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=100e9))
    monkeypatch.setattr(module.sysconfig, 'get_paths', lambda: dict(include=str(tmp_path)))
    (tmp_path / 'Python.h').touch()
    return module


def test_a_machine_with_all_it_needs_passes(install, tmp_path):
    install.check_machine(tmp_path / '.venv', needs_compiler=True)


@pytest.mark.parametrize('compiler', ['g++', 'my-c++ -m64'])
def test_a_missing_compiler_is_named(compiler, install, monkeypatch, tmp_path):
    if compiler != 'g++':
        monkeypatch.setenv('CXX', compiler)
    monkeypatch.setattr(install.shutil, 'which', lambda name, path=None: None if name == compiler.split()[0] else name)
    with pytest.raises(install.SetupError, match=f"no C\\+\\+ compiler '{compiler.replace('+', '[+]')}'.*set CXX"):
        install.check_machine(tmp_path / '.venv', needs_compiler=True)
    install.check_machine(tmp_path / '.venv', needs_compiler=False)


def test_missing_headers_are_named(install, tmp_path):
    (tmp_path / 'Python.h').unlink()
    with pytest.raises(install.SetupError, match=r'Python\.h is missing.*python3-dev'):
        install.check_machine(tmp_path / '.venv', needs_compiler=True)


def test_a_missing_venv_module_is_named(install, monkeypatch, tmp_path):
    monkeypatch.setattr(install.importlib.util, 'find_spec', lambda name: None if name == 'ensurepip' else name)
    with pytest.raises(install.SetupError, match='no module ensurepip.*python3-venv.*PYTHON='):
        install.check_machine(tmp_path / '.venv', needs_compiler=False)


def test_a_full_disk_is_refused_with_the_sum_of_what_lies_on_it(install, monkeypatch, tmp_path):
    monkeypatch.setattr(install.tempfile, 'gettempdir', lambda: str(tmp_path))
    need = sum(install.NEEDED_GB.values())
    monkeypatch.setattr(install.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=(need - 1) * 1e9))
    with pytest.raises(install.SetupError, match=f'{need - 1:.1f} GB free, {need:.0f} GB are needed: environment 8 GB'):
        install.check_machine(tmp_path / '.venv', needs_compiler=False)
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / '.stage-torch').touch()
    install.check_machine(tmp_path / '.venv', needs_compiler=False)  # the large part is there already


def test_an_unsupported_python_is_named(install, monkeypatch):
    monkeypatch.setattr(install.sys, 'version_info', (3, 9, 1, 'final', 0))
    monkeypatch.setattr(install.shutil, 'which', lambda name, path=None: None)
    with pytest.raises(install.SetupError, match=r'classic stack needs Python 3\.10 to 3\.11, found .*PYTHON='):
        install.check_python('classic')


def test_an_unsupported_python_gives_way_to_a_supported_one(install, monkeypatch):
    started = []
    here = f'python3.{sys.version_info[1]}'
    # Each folder of PATH has every version: broken ones in the first.
    monkeypatch.setattr(install.os, 'get_exec_path', lambda: ['shims', 'bin'])
    monkeypatch.setattr(install.shutil, 'which',
                        lambda name, path: sys.executable if (name, path) == (here, 'bin') else '/bin/false')
    monkeypatch.setattr(install.os, 'execv', lambda path, args: started.append([path, args]))
    monkeypatch.setattr(install.sys, 'argv', ['install.py', '--stack', 'modern'])
    monkeypatch.setattr(install.sys, 'version_info', (3, 9, 1, 'final', 0))
    install.check_python('modern')
    assert started == [[sys.executable, [sys.executable, 'install.py', '--stack', 'modern']]]


def test_the_installer_parses_on_an_old_python():
    ast.parse((ROOT / 'requirements' / 'install.py').read_text(), feature_version=(3, 7))


def test_the_cache_tells_apart_what_a_wheel_depends_on(install, monkeypatch, tmp_path):
    folders = {install.wheel_folder('modern'), install.wheel_folder('classic')}
    monkeypatch.setattr(install, 'cuda_tag', lambda stack: 'cu13.0')
    folders.add(install.wheel_folder('modern'))
    monkeypatch.setattr(install.sysconfig, 'get_python_version', lambda: '3.99')
    folders.add(install.wheel_folder('modern'))
    monkeypatch.setattr(install.platform, 'machine', lambda: 'elsewhere')
    folders.add(install.wheel_folder('modern'))
    pins = install.read_pins('modern')
    monkeypatch.setattr(install, 'read_pins', lambda stack: {**pins, 'torch': 'torch==99'})
    folders.add(install.wheel_folder('modern'))
    assert len(folders) == 6
    assert all(folder.is_relative_to(tmp_path / 'cache' / 'xlearner_mm' / 'wheels') for folder in folders)
    assert not any(folder.exists() for folder in folders)


def fake_build(install, monkeypatch, seen, leaves='mmcv.whl'):

    def run(command, log, what, env=None):
        seen.append((command, env, Path(env['CXX']).read_text()))
        out = Path(command[command.index('-w') + 1])
        out.mkdir()
        if leaves:
            (out / leaves).write_text('wheel')

    monkeypatch.setattr(install, 'run', run)


@pytest.mark.parametrize(('stack', 'line'), [('modern', 'exec g++ "$@" -std=c++20 -g0 -O1'),
                                             ('classic', 'exec g++ "$@" -g0 -O1')])
def test_mmcv_is_built_into_the_cache(stack, line, install, monkeypatch, tmp_path):
    seen = []
    fake_build(install, monkeypatch, seen)
    assert install.find_wheel(stack) is None
    wheel = install.build_wheel(stack, tmp_path / '.venv', tmp_path / 'log')
    assert install.find_wheel(stack) == wheel == install.wheel_folder(stack) / 'mmcv.whl'
    assert [path.name for path in wheel.parent.parent.iterdir()] == [wheel.parent.name]  # nothing half done is left
    [(command, env, compiler)] = seen
    assert command[-1] == install.read_pins(stack)[install.MMCV[stack]]
    assert '--no-build-isolation' in command
    assert line in compiler
    assert env['MMCV_WITH_OPS'] == '1' and env['FORCE_CUDA'] == '0' and env['CUDA_VISIBLE_DEVICES'] == ''
    assert env['PATH'].startswith(str(tmp_path / '.venv' / 'bin'))


def test_a_cuda_machine_builds_the_cuda_ops(install, monkeypatch, tmp_path):
    seen = []
    fake_build(install, monkeypatch, seen)
    monkeypatch.setattr(install, 'cuda_tag', lambda stack: 'cu13.0')
    wheel = install.build_wheel('modern', tmp_path / '.venv', tmp_path / 'log')
    assert '-cu13.0-' in wheel.parent.name
    assert seen[0][1]['FORCE_CUDA'] == '1' and 'CUDA_VISIBLE_DEVICES' not in seen[0][1]


@pytest.mark.parametrize(('nvcc', 'device', 'tags'), [
    ('13.1', True, ['cu13.1', 'cpu']), ('12.4', True, ['cpu', 'cu12.4']), ('13.1', False, ['cpu', 'cpu']),
    (None, True, ['cpu', 'cpu'])])
def test_cuda_ops_need_a_device_and_the_compiler_that_torch_was_built_with(nvcc, device, tags, monkeypatch):
    module = load_installer()
    monkeypatch.setattr(module.shutil, 'which', lambda name: nvcc if name == 'nvcc' else name)
    monkeypatch.setattr(module.subprocess, 'run', lambda command, **_: SimpleNamespace(
        returncode=int(not device), stdout=f'Cuda compilation tools, release {nvcc}, V{nvcc}.1'))
    assert [module.cuda_tag(stack) for stack in STACKS] == tags


def test_a_build_without_a_wheel_is_an_error(install, monkeypatch, tmp_path):
    fake_build(install, monkeypatch, [], leaves=None)
    with pytest.raises(install.SetupError, match='left no wheel'):
        install.build_wheel('classic', tmp_path / '.venv', tmp_path / 'log')


def test_a_failed_step_shows_the_end_of_its_log_and_the_mend(install, tmp_path):
    command = [sys.executable, '-c', 'print("the cause"); raise SystemExit(3)']
    with pytest.raises(install.SetupError, match=r'the cause\s+Doing it failed with exit code 3.*goes on where it was'):
        install.run(command, tmp_path / 'log', 'Doing it')


def test_a_long_step_shows_that_it_is_alive(install, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(install, 'HEARTBEAT_S', 0.3)
    script = 'import time; print("[3/78] c++ a.o", flush=True); time.sleep(1.5)'
    install.run([sys.executable, '-c', script], tmp_path / 'log', 'Building')
    assert '[3/78] c++ a.o' in capfd.readouterr().out


def test_a_stage_is_done_once_for_a_key_and_again_after_a_failure(install, tmp_path):
    done = []
    install.stage(tmp_path, 'a', 'key', lambda: done.append(1))
    install.stage(tmp_path, 'a', 'key', lambda: done.append(2))
    assert done == [1]
    with pytest.raises(ZeroDivisionError):
        install.stage(tmp_path, 'a', 'new', lambda: 1 / 0)
    install.stage(tmp_path, 'a', 'key', lambda: done.append(3))
    assert done == [1, 3]


def test_the_digest_sees_contents_and_names(install, monkeypatch, tmp_path):
    monkeypatch.setattr(install, 'ROOT', tmp_path)
    folder = tmp_path / 'configs'
    folder.mkdir()
    digests = {install.digest(folder)}
    (folder / 'a.py').write_text('1')
    digests.add(install.digest(folder))
    (folder / 'a.py').write_text('2')
    digests.add(install.digest(folder))
    (folder / 'a.py').rename(folder / 'b.py')
    digests.add(install.digest(folder))
    assert len(digests) == 4
    (folder / '__pycache__').mkdir()
    (folder / '__pycache__' / 'b.pyc').write_text('3')
    assert install.digest(folder) in digests


@pytest.mark.parametrize('stack', STACKS)
def test_a_stack_is_pinned(stack, install):
    pins = install.read_pins(stack)
    assert all('==' in line for line in pins.values())
    assert {install.MMCV[stack], 'opencv-python-headless', *install.BUILD_NEEDS} <= set(pins)


def test_the_table_of_stacks_supports_the_pinned_versions(install, monkeypatch):
    from xlearner_mm import setup_env
    for stack in STACKS:
        pins = {name: line.split('==')[1] for name, line in install.read_pins(stack).items()}

        def version_of(name, pins=pins):
            if name not in pins:
                raise setup_env.PackageNotFoundError(name)
            return pins[name]

        monkeypatch.setattr(setup_env, 'version', version_of)
        assert setup_env.check_libraries() == stack


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Names in the wheel of the project, built from a copy, and what the build left in that copy."""
    source = tmp_path_factory.mktemp('source') / 'xlearner_mm'
    for folder in ('configs', 'projects', 'xlearner_mm'):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns('__pycache__'))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    before = set(source.rglob('*'))
    out = tmp_path_factory.mktemp('wheel')
    options = ['-q', '--disable-pip-version-check', '--no-deps', '--no-index', '--no-build-isolation', '-w', str(out)]
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', *options, str(source)], check=True,
                   env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'})
    [path] = out.iterdir()
    with zipfile.ZipFile(path) as file:
        return SimpleNamespace(path=path, names=file.namelist(), left=set(source.rglob('*')) - before, source=source)


def test_the_wheel_carries_what_mim_looks_for(wheel):
    carried = {f'xlearner_mm/.mim/{path.relative_to(wheel.source)}' for folder in ('configs', 'projects')
               for path in (wheel.source / folder).rglob('*.py') if 'configs' in path.parts}
    assert carried and carried <= set(wheel.names)
    assert {'xlearner_mm/.mim/model-index.yml', 'xlearner_mm/.mim/configs/metafile.yml', 'xlearner_mm/tools/train.py',
            'xlearner_mm/tools/export.py'} <= set(wheel.names)
    assert not any('/.mim/tools/' in name or name.startswith('tests/') for name in wheel.names)


def test_a_build_leaves_nothing_in_the_source_tree(wheel):
    assert wheel.left == set()


def test_mim_finds_a_config_by_its_base_name_only_once(wheel):
    count = Counter(name.rsplit('/', 1)[1] for name in wheel.names if name.startswith('xlearner_mm/'))
    configs = [name for name in wheel.names if '/.mim/' in name and '/_base_/' not in name and name.endswith('.py')]
    assert [name for name in configs if count[name.rsplit('/', 1)[1]] > 1] == []


def test_the_wheel_forces_no_stack(wheel):
    with zipfile.ZipFile(wheel.path) as file:
        metadata = file.read(next(name for name in wheel.names if name.endswith('METADATA'))).decode()
    needs = {line.split(': ')[1] for line in metadata.splitlines() if line.startswith('Requires-Dist')}
    optional = {line.split(';')[0] for line in needs if 'extra == ' in line}
    assert {line for line in needs if 'extra == ' not in line} == {'matplotlib', 'numpy', 'pillow', 'rich'}
    assert optional == {'safetensors', 'timm', 'cvxpy', 'qpsolvers', 'quadprog', 'torchjd>=0.18'}
    assert 'Requires-Python: >=3.10' in metadata


def test_the_version_stands_in_one_place(wheel):
    import xlearner_mm
    assert wheel.path.name.split('-')[1] == xlearner_mm.__version__ == version('xlearner_mm')
