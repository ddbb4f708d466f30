"""Set up a virtual environment for a stack: ``make env`` runs this file, with the standard library only.

Every stage leaves a stamp in the environment, so an interrupted installation goes on where it was and a finished one
is recognised at once. mmcv is built from source with its CPU ops (and its CUDA ops where a compiler and a device for
them are there), and the wheel is kept in the user's cache.
"""

from __future__ import annotations  # an old Python must come as far as the message about it

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
VENVS = dict(modern='.venv', classic='.venv-classic')
PYTHONS = dict(modern=((3, 10), (3, 13)), classic=((3, 10), (3, 11)))
MMCV = dict(modern='onedl-mmcv', classic='mmcv')
# CUDA that torch is built for: mmcv's CUDA ops need a compiler of the same major version.
CUDA = dict(modern='13', classic='12')
# onedl-mmcv asks for C++17, the headers of its torch for C++20; of several flags the compiler takes the last.
CXX_FLAGS = dict(modern='-std=c++20 -g0 -O1', classic='-g0 -O1')
NVCC_FLAGS = dict(modern='-std=c++20', classic='')
BUILD_NEEDS = ('setuptools', 'wheel', 'ninja', 'torch', 'torchvision', 'numpy')
# The environment with the CUDA libraries that torch brings, pip's unpacked downloads, and pip's and our caches.
NEEDED_GB = dict(environment=8.0, temporary=3.0, cache=3.0)
HEARTBEAT_S = 15


class SetupError(Exception):
    """Something that the user has to mend."""


def read_pins(stack: str) -> dict[str, str]:
    """Read the requirement lines of a stack.

    Args:
        stack (str): ``modern`` or ``classic``.

    Returns:
        dict[str, str]: Requirement line by distribution name.
    """
    lines = (REQUIREMENTS / f'{stack}.txt').read_text().splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith('#')]
    return {re.split(r'[=<>!~\[]', line, maxsplit=1)[0]: line for line in lines}


def find_python(stack: str) -> str | None:
    """Look for a Python that a stack supports, the newest first.

    Args:
        stack (str): The stack.

    Returns:
        str or None: Path of the interpreter.
    """
    (major, low), (_, high) = PYTHONS[stack]
    for minor in range(high, low - 1, -1):
        # Version managers leave shims of interpreters that do not run, so the first on PATH need not do.
        paths = [shutil.which(f'python{major}.{minor}', path=folder) for folder in os.get_exec_path()]
        check = f'import sys; sys.exit(sys.version_info[:2] != ({major}, {minor}))'
        for path in dict.fromkeys(filter(None, paths)):
            if subprocess.run([path, '-c', check], capture_output=True).returncode == 0:
                return path
    return None


def check_python(stack: str) -> None:
    """Refuse a Python that the stack does not support; where another one is found, start anew with it.

    Args:
        stack (str): The stack.

    Raises:
        SetupError: If no supported Python is found.
    """
    low, high = PYTHONS[stack]
    if low <= sys.version_info[:2] <= high:
        return
    wanted = f'The {stack} stack needs Python {low[0]}.{low[1]} to {high[0]}.{high[1]}'
    found = f'found {platform.python_version()} ({sys.executable})'
    other = find_python(stack)
    if other is None:
        raise SetupError(f'{wanted}, {found}. Install one, or name it: make env PYTHON=/path/to/python')
    print(f'{wanted}, {found}; taking {other}', flush=True)
    os.execv(other, [other, *sys.argv])


def check_machine(venv: Path, needs_compiler: bool) -> None:
    """Refuse a machine on which the installation would fail after a long time.

    Args:
        venv (Path): Folder of the environment.
        needs_compiler (bool): Whether mmcv has to be built.

    Raises:
        SetupError: If a module of Python, the compiler or room on a disk is missing.
    """
    for module in ('venv', 'ensurepip'):
        if importlib.util.find_spec(module) is None:
            raise SetupError(f'{sys.executable} has no module {module}. Install it (on Debian and Ubuntu: apt-get '
                             'install python3-venv), or name another Python: make env PYTHON=/path/to/python')
    if needs_compiler:
        _check_compiler()
    needed = dict(NEEDED_GB)
    if (venv / '.stage-torch').is_file():  # what takes the room is there already
        needed.update(environment=2.0, temporary=1.0, cache=1.0)
    cache = Path(os.environ.get('PIP_CACHE_DIR') or _cache())
    _check_room(dict(environment=venv, temporary=Path(tempfile.gettempdir()), cache=cache), needed)


def _check_compiler() -> None:
    compiler = _compiler()
    if shutil.which(shlex.split(compiler)[0]) is None:
        raise SetupError(f'mmcv is built from source, but there is no C++ compiler {compiler!r}. Install one (on '
                         'Debian and Ubuntu: apt-get install g++), or set CXX.')
    header = Path(sysconfig.get_paths()['include'], 'Python.h')
    if not header.is_file():
        raise SetupError(f'mmcv is built from source, but {header} is missing. Install the headers of Python (on '
                         'Debian and Ubuntu: apt-get install python3-dev).')


def _check_room(folders: dict[str, Path], needed: dict[str, float]) -> None:
    """Check the room of each disk for everything that comes to lie on it."""
    disks: dict[int, list[str]] = {}
    for what, folder in folders.items():
        while not folder.exists():
            folder = folder.parent
        folders[what] = folder
        disks.setdefault(folder.stat().st_dev, []).append(what)
    for names in disks.values():
        free, need = shutil.disk_usage(folders[names[0]]).free / 1e9, sum(needed[name] for name in names)
        if free < need:
            uses = ', '.join(f'{name} {needed[name]:.0f} GB in {folders[name]}' for name in names)
            raise SetupError(f'The disk has {free:.1f} GB free, {need:.0f} GB are needed: {uses}. Make room; TMPDIR, '
                             'XDG_CACHE_HOME and PIP_CACHE_DIR move temporary files and caches elsewhere.')


def _compiler() -> str:
    """Command of the C++ compiler."""
    return os.environ.get('CXX') or 'g++'


def _cache() -> Path:
    """Folder of the user's caches."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')


def run(command: list[str], log: Path, what: str, env: dict[str, str] | None = None) -> None:
    """Run a command, log what it prints and show every few seconds that it is alive.

    Args:
        command (list[str]): The command.
        log (Path): File to append its output to.
        what (str): What the user is told.
        env (dict[str, str], optional): Environment variables to add.

    Raises:
        SetupError: If the command fails.
    """
    start = told = time.monotonic()
    free = shutil.disk_usage(log.parent).free
    print(f'{what} ...', flush=True)
    with open(log, 'ab') as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        while process.poll() is None:
            time.sleep(0.2)
            if time.monotonic() - told >= HEARTBEAT_S:
                told = time.monotonic()
                written = (free - shutil.disk_usage(log.parent).free) / 1e9  # pip is silent while it copies files
                print(f'  {told - start:4.0f} s, {written:4.1f} GB written  {_last_line(log)}', flush=True)
    if process.returncode:
        tail = '\n'.join(log.read_text(errors='replace').splitlines()[-25:])
        raise SetupError(f'{tail}\n\n{what} failed with exit code {process.returncode}; the lines above end {log}. '
                         'Mend the cause and run the same command again: it goes on where it was.')
    print(f'  done in {time.monotonic() - start:.0f} s', flush=True)


def _last_line(log: Path) -> str:
    """Give the last line of a log, as far as it fits a terminal."""
    with open(log, 'rb') as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = file.read().decode(errors='replace').split('\n')
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), '')


def cuda_tag(stack: str) -> str:
    """Say for which devices mmcv is built.

    Args:
        stack (str): The stack.

    Returns:
        str: ``cpu``, or ``cu`` and the version of a CUDA compiler where there is one that fits torch, and a device.
    """
    nvcc, smi = shutil.which('nvcc'), shutil.which('nvidia-smi')
    if nvcc is None or smi is None or subprocess.run([smi], capture_output=True).returncode:
        return 'cpu'
    version = re.search(r'release ([\d.]+)', subprocess.run([nvcc, '--version'], capture_output=True, text=True).stdout)
    if version is None or version.group(1).split('.')[0] != CUDA[stack]:
        return 'cpu'
    return f'cu{version.group(1)}'


def wheel_folder(stack: str) -> Path:
    """Give the folder in the user's cache for a wheel that fits this machine.

    Args:
        stack (str): The stack.

    Returns:
        Path: The folder; it need not exist.
    """
    pins = read_pins(stack)
    key = '-'.join([pins[MMCV[stack]], pins['torch'], sysconfig.get_python_version(), cuda_tag(stack),
                    platform.system(), platform.machine()])
    return _cache() / 'xlearner_mm' / 'wheels' / key.replace('==', '-').lower()


def find_wheel(stack: str) -> Path | None:
    """Look for a built mmcv in the cache.

    Args:
        stack (str): The stack.

    Returns:
        Path or None: The wheel.
    """
    return next(iter(sorted(wheel_folder(stack).glob('*.whl'))), None)


def build_wheel(stack: str, venv: Path, log: Path) -> Path:
    """Build mmcv and put the wheel into the cache in one step.

    Args:
        stack (str): The stack.
        venv (Path): Environment that has torch.
        log (Path): Log file.

    Returns:
        Path: The wheel.
    """
    folder = wheel_folder(stack)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.building-') as temporary:
        compiler = Path(temporary, 'c++')
        compiler.write_text(f'#!/bin/sh\nexec {_compiler()} "$@" {CXX_FLAGS[stack]}\n')
        compiler.chmod(0o755)
        env = _build_env(stack, venv, compiler)
        out = Path(temporary, 'wheels')
        mmcv = read_pins(stack)[MMCV[stack]]
        run(_pip(venv, 'wheel', '-v', '--no-deps', '--no-build-isolation', '-w', str(out), mmcv), log,
            'Building mmcv from source (5 to 15 minutes, once for this machine)', env)
        if find_wheel(stack) is None:
            os.replace(out, folder)
    wheel = find_wheel(stack)
    if wheel is None:
        raise SetupError(f'Building mmcv left no wheel in {folder}; see {log}.')
    return wheel


def _build_env(stack: str, venv: Path, compiler: Path) -> dict[str, str]:
    """Environment variables of the build of mmcv."""
    # A compiler process takes up to 2 GB.
    jobs = max(1, min(os.cpu_count() or 1, os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2_000_000_000))
    env = dict(CXX=str(compiler), MMCV_WITH_OPS='1', MAX_JOBS=os.environ.get('MAX_JOBS') or str(jobs),
               PATH=f'{venv / "bin"}{os.pathsep}{os.environ["PATH"]}')
    if cuda_tag(stack) == 'cpu':
        # A device without a fitting CUDA compiler must not be seen: mmcv would ask for the compiler.
        return dict(env, FORCE_CUDA='0', CUDA_VISIBLE_DEVICES='')
    return dict(env, FORCE_CUDA='1', NVCC_APPEND_FLAGS=NVCC_FLAGS[stack])


def _pip(venv: Path, *args: str) -> list[str]:
    return [str(venv / 'bin' / 'python'), '-m', 'pip', '--disable-pip-version-check', *args]


def digest(*paths: Path) -> str:
    """Hash files, or all files below folders, with their names.

    Args:
        *paths (Path): Files and folders.

    Returns:
        str: The hash.
    """
    total = hashlib.sha256(platform.python_version().encode())
    for path in paths:
        files = [path] if path.is_file() else sorted(p for p in path.rglob('*') if p.is_file())
        for file in files:
            if '__pycache__' not in file.parts:
                total.update(str(file.relative_to(ROOT)).encode() + b'\0' + file.read_bytes() + b'\0')
    return total.hexdigest()


def stage(venv: Path, name: str, key: str, action: Callable[[], None]) -> None:
    """Do a stage unless its stamp says that it was done for the same key.

    Args:
        venv (Path): The environment.
        name (str): Name of the stage.
        key (str): What the stage depends on.
        action (Callable): The stage.
    """
    if _is_done(venv, name, key):
        return
    stamp = venv / f'.stage-{name}'
    stamp.unlink(missing_ok=True)
    action()
    stamp.write_text(key)


def _is_done(venv: Path, name: str, key: str) -> bool:
    stamp = venv / f'.stage-{name}'
    return stamp.is_file() and stamp.read_text() == key


def install(stack: str) -> None:
    """Set up the environment of a stack with this project in it.

    Args:
        stack (str): The stack.
    """
    venv = ROOT / VENVS[stack]
    log = venv / 'install.log'
    pinned = REQUIREMENTS / f'{stack}.txt'
    no_deps = [REQUIREMENTS / 'no_deps.txt', ROOT / 'projects' / 'earth' / 'requirements.txt']
    libraries = digest(pinned, REQUIREMENTS / 'dev.txt', *no_deps, Path(__file__).resolve())
    if not _is_done(venv, 'libraries', libraries):
        check_machine(venv, needs_compiler=find_wheel(stack) is None)
    python = platform.python_version()

    def make_venv() -> None:
        shutil.rmtree(venv, ignore_errors=True)
        venv.mkdir()
        # Not sys.executable, which may be the one in the environment that was just removed.
        interpreter = getattr(sys, '_base_executable', sys.executable)
        run([interpreter, '-m', 'venv', str(venv)], log, f'Making {venv.name} with Python {python}')

    stage(venv, 'venv', python, make_venv)
    needs = [line for name, line in read_pins(stack).items() if name in BUILD_NEEDS]
    stage(venv, 'torch', digest(pinned),
          lambda: run(_pip(venv, 'install', *needs), log, f'Installing torch for the {stack} stack'))

    def install_libraries() -> None:
        wheel = find_wheel(stack) or build_wheel(stack, venv, log)
        run(_pip(venv, 'install', str(wheel), '-r', str(pinned), '-r', str(REQUIREMENTS / 'dev.txt')), log,
            'Installing the libraries')
        run(_pip(venv, 'install', '--no-deps', *(arg for file in no_deps for arg in ('-r', str(file)))), log,
            'Installing mim and the data of projects/earth')
        # Both distributions hold the module cv2; the one installed last is in effect, and this one needs no libGL.
        run(_pip(venv, 'install', '--no-deps', '--force-reinstall', read_pins(stack)['opencv-python-headless']), log,
            'Installing OpenCV for machines without a display')

    stage(venv, 'libraries', libraries, install_libraries)
    sources = [ROOT / name for name in ('xlearner_mm', 'configs', 'projects', 'setup.py', 'requirements.txt',
                                        'model-index.yml', 'README.md')]
    stage(venv, 'package', digest(*(path for path in sources if path.exists())),
          lambda: run(_pip(venv, 'install', '--no-deps', '--no-build-isolation', '--force-reinstall', str(ROOT)), log,
                      'Installing xlearner_mm'))


def main() -> int:
    """Set up what the command line asks for.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description='Set up the environment of a stack')
    parser.add_argument('--stack', choices=sorted(VENVS), default='modern')
    stack = parser.parse_args().stack
    try:
        check_python(stack)
        install(stack)
    except SetupError as error:
        print(f'\n{error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted; the same command goes on from here.', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
