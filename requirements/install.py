"""Set up a virtual environment for a stack: ``make env`` runs this file, with the standard library only.

Every stage leaves a stamp in the environment, so an interrupted installation goes on where it was and a finished one
is recognised at once. mmcv is built from source with its CPU ops (and its CUDA ops where a compiler and a device for
them are there), and the wheel is kept in the user's cache.
"""

import argparse
import hashlib
import os
import platform
import re
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
PYTHONS = dict(modern=((3, 10), (3, 14)), classic=((3, 10), (3, 11)))
MMCV = dict(modern='onedl-mmcv', classic='mmcv')
# onedl-mmcv asks for C++17, the headers of its torch for C++20; of several flags the compiler takes the last.
CXX_FLAGS = dict(modern='-std=c++20 -g0 -O1', classic='-g0 -O1')
BUILD_NEEDS = ('setuptools', 'wheel', 'ninja', 'torch', 'torchvision', 'numpy')
NEEDED_GB = dict(environment=9.0, temporary=4.0)
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


def check_machine(stack: str, venv: Path, needs_compiler: bool) -> None:
    """Refuse a machine on which the installation would fail after a long time.

    Args:
        stack (str): The stack.
        venv (Path): Folder of the environment.
        needs_compiler (bool): Whether mmcv has to be built.

    Raises:
        SetupError: If Python, the compiler or room on a disk is missing.
    """
    low, high = PYTHONS[stack]
    if not low <= sys.version_info[:2] <= high:
        raise SetupError(f'The {stack} stack needs Python {low[0]}.{low[1]} to {high[0]}.{high[1]}, found '
                         f'{platform.python_version()} ({sys.executable}). Name another one: make env PYTHON=...')
    if needs_compiler:
        compiler = os.environ.get('CXX', 'g++')
        if shutil.which(compiler) is None:
            raise SetupError(f'mmcv is built from source, but there is no C++ compiler {compiler!r}. Install one (on '
                             'Debian and Ubuntu: apt-get install g++), or set CXX.')
        header = Path(sysconfig.get_paths()['include'], 'Python.h')
        if not header.is_file():
            raise SetupError(f'mmcv is built from source, but {header} is missing. Install the headers of Python (on '
                             'Debian and Ubuntu: apt-get install python3-dev).')
    for what, folder in (('environment', venv.parent), ('temporary', Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / 1e9
        if free < NEEDED_GB[what]:
            raise SetupError(f'{folder} has {free:.1f} GB free, but {NEEDED_GB[what]:.0f} GB are needed for {what} '
                             'files. Make room' + (', or set TMPDIR.' if what == 'temporary' else '.'))


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
    print(f'{what} ...', flush=True)
    with open(log, 'ab') as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        while process.poll() is None:
            time.sleep(0.2)
            if time.monotonic() - told >= HEARTBEAT_S:
                told = time.monotonic()
                print(f'  {told - start:4.0f} s  {_last_line(log)}', flush=True)
    if process.returncode:
        tail = '\n'.join(log.read_text(errors='replace').splitlines()[-25:])
        raise SetupError(f'{tail}\n\n{what} failed with exit code {process.returncode}; the lines above end {log}. Mend '
                         'the cause and run the same command again: it goes on where it was.')
    print(f'  done in {time.monotonic() - start:.0f} s', flush=True)


def _last_line(log: Path) -> str:
    """Give the last line of a log, as far as it fits a terminal."""
    with open(log, 'rb') as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = file.read().decode(errors='replace').split('\n')
    return next((line.strip()[-100:] for line in reversed(lines) if line.strip()), '')


def cuda_tag() -> str:
    """Say for which devices mmcv is built.

    Returns:
        str: ``cpu``, or ``cu`` and the version of a CUDA compiler where there is one and a device.
    """
    nvcc = shutil.which('nvcc')
    if nvcc is None or shutil.which('nvidia-smi') is None or subprocess.run(['nvidia-smi'], capture_output=True).returncode:
        return 'cpu'
    version = re.search(r'release ([\d.]+)', subprocess.run([nvcc, '--version'], capture_output=True, text=True).stdout)
    return f'cu{version.group(1)}' if version else 'cpu'


def wheel_folder(stack: str) -> Path:
    """Give the folder in the user's cache for a wheel that fits this machine.

    Args:
        stack (str): The stack.

    Returns:
        Path: The folder; it need not exist.
    """
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    pins = read_pins(stack)
    key = '-'.join([pins[MMCV[stack]], pins['torch'], sysconfig.get_python_version(), cuda_tag(), platform.system(),
                    platform.machine()])
    return cache / 'xlearner_mm' / 'wheels' / key.replace('==', '-').lower()


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
        compiler.write_text(f'#!/bin/sh\nexec {os.environ.get("CXX", "g++")} "$@" {CXX_FLAGS[stack]}\n')
        compiler.chmod(0o755)
        env = dict(
            CXX=str(compiler), MMCV_WITH_OPS='1', FORCE_CUDA='0' if cuda_tag() == 'cpu' else '1',
            MAX_JOBS=str(os.cpu_count() or 1), PATH=f'{venv / "bin"}{os.pathsep}{os.environ["PATH"]}')
        out = Path(temporary, 'wheels')
        run(_pip(venv, 'wheel', '-v', '--no-deps', '--no-build-isolation', '-w', str(out), read_pins(stack)[MMCV[stack]]),
            log, 'Building mmcv from source (5 to 10 minutes, once for this machine)', env)
        if find_wheel(stack) is None:
            os.replace(out, folder)
    wheel = find_wheel(stack)
    if wheel is None:
        raise SetupError(f'Building mmcv left no wheel in {folder}; see {log}.')
    return wheel


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
    stamp = venv / f'.stage-{name}'
    if stamp.is_file() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    action()
    stamp.write_text(key)


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
    done = venv / '.stage-libraries'
    if not done.is_file() or done.read_text() != libraries:
        check_machine(stack, venv, needs_compiler=find_wheel(stack) is None)
        venv.mkdir(exist_ok=True)
        log.write_text('')
    python = platform.python_version()
    stage(venv, 'venv', python, lambda: run([sys.executable, '-m', 'venv', '--clear', str(venv)], _outside(venv),
                                            f'Making {venv.name} with Python {python}'))
    needs = [line for name, line in read_pins(stack).items() if name in BUILD_NEEDS]
    stage(venv, 'torch', digest(pinned),
          lambda: run(_pip(venv, 'install', *needs), log, f'Installing torch for the {stack} stack'))

    def install_libraries() -> None:
        wheel = find_wheel(stack) or build_wheel(stack, venv, log)
        run(_pip(venv, 'install', str(wheel), '-r', str(pinned), '-r', str(REQUIREMENTS / 'dev.txt')), log,
            'Installing the libraries')
        run(_pip(venv, 'install', '--no-deps', *(arg for file in no_deps for arg in ('-r', str(file)))), log,
            'Installing mim and the data of projects/earth')

    stage(venv, 'libraries', libraries, install_libraries)
    sources = [ROOT / name for name in ('xlearner_mm', 'configs', 'projects', 'setup.py', 'requirements.txt',
                                        'model-index.yml', 'README.md')]
    stage(venv, 'package', digest(*(path for path in sources if path.exists())),
          lambda: run(_pip(venv, 'install', '--no-deps', '--no-build-isolation', '--force-reinstall', str(ROOT)), log,
                      'Installing xlearner_mm'))


def _outside(venv: Path) -> Path:
    """A log for the step that empties the environment's folder."""
    return Path(tempfile.gettempdir()) / f'xlearner_mm{venv.name}.log'


def main() -> int:
    """Set up what the command line asks for.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description='Set up the environment of a stack')
    parser.add_argument('--stack', choices=sorted(VENVS), default='modern')
    try:
        install(parser.parse_args().stack)
    except SetupError as error:
        print(f'\n{error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
