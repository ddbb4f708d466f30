"""Start runs as a user does, on the command line, and read what they logged."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
CORES = os.cpu_count() or 1


def mim() -> str:
    """Path of the ``mim`` that belongs to this interpreter.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = shutil.which('mim', path=str(Path(sys.executable).parent)) or shutil.which('mim')
    if path is None:
        raise FileNotFoundError('mim is not installed: pip install --no-deps -r requirements/no_deps.txt')
    return path


def start(command: list[str], data: Path, threads: int, log: Path | None = None) -> subprocess.Popen:
    """Start a command in the folder of the caller.

    Args:
        command (list[str]): The command.
        data (Path): Data root, which the configs read as ``EARTH_DATA``.
        threads (int): Threads of torch.
        log (Path, optional): File for its output; by default it goes where ours goes.
    """
    # Threads that wait must not spin: the data loader's workers need the cores too.
    env = dict(os.environ, EARTH_DATA=str(data), OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY='PASSIVE',
               PYTHONUNBUFFERED='1')
    env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{env["PATH"]}'
    if log is None:
        return subprocess.Popen(command, env=env)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, 'wb') as file:
        return subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen, what: str, log: Path | None = None) -> None:
    """Wait for a command.

    Args:
        process (subprocess.Popen): What :func:`start` gave.
        what (str): How the error names it.
        log (Path, optional): Its log.

    Raises:
        RuntimeError: If it failed.
    """
    if process.wait():
        tail = '' if log is None else '\n' + '\n'.join(log.read_text(errors='replace').splitlines()[-20:])
        raise RuntimeError(f'{what} failed with exit code {process.returncode}.{tail}')


def train_command(config: str, work_dir: Path, **options: str) -> list[str]:
    """Command line that trains one of the project's configs.

    Args:
        config (str): Base name of the config.
        work_dir (Path): Folder for logs and checkpoints.
        **options (str): Settings to override.
    """
    command = [mim(), 'train', 'xlearner_mm', str(CONFIGS / config), '--work-dir', str(work_dir)]
    return command + (['--cfg-options', *(f'{key}={value}' for key, value in options.items())] if options else [])


def read_log(work_dir: Path) -> list[dict]:
    """Records of a run's latest log, in order.

    Args:
        work_dir (Path): Work folder of the run.

    Raises:
        FileNotFoundError: If the run left no log.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{work_dir} holds no vis_data/scalars.json')
    return [json.loads(line) for line in logs[-1].read_text().splitlines()]


def last_metrics(work_dir: Path) -> dict[str, float]:
    """Metrics of a run's last validation, by their stock key.

    Args:
        work_dir (Path): Work folder of the run.

    Raises:
        ValueError: If the run did not validate.
    """
    records = [r for r in read_log(work_dir) if 'lr' not in r]
    if not records:
        raise ValueError(f'{work_dir} holds no validation')
    return {key: value for key, value in records[-1].items() if isinstance(value, (int, float))}
