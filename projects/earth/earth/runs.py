"""Start runs as a user does, on the command line, and read what they logged."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LIBRARIES = dict(cls='mmpretrain', det='mmdet', seg='mmseg')  # whose stock model a task's transfer fine-tunes


def mim() -> str:
    """Path of the ``mim`` that belongs to this interpreter.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = shutil.which('mim', path=str(Path(sys.executable).parent)) or shutil.which('mim')
    if path is None:
        raise FileNotFoundError('mim is not installed: pip install --no-deps -r requirements/no_deps.txt')
    return path


def start(command: list[str], data: Path, log: Path | None = None) -> subprocess.Popen:
    """Start a command in the folder of the caller.

    Args:
        command (list[str]): The command.
        data (Path): Data root, which the configs read as ``EARTH_DATA``.
        log (Path, optional): File for its output; by default it goes where ours goes.
    """
    # One thread: models of this size gain nothing from a second one. On the CPU everywhere, so that the figures are the
    # same, and because mmcv may have been built without ops for a GPU. Libraries warn of each other's deprecations.
    env = dict(os.environ, EARTH_DATA=str(data), OMP_NUM_THREADS='1', PYTHONUNBUFFERED='1', CUDA_VISIBLE_DEVICES='',
               PYTHONWARNINGS='ignore')
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
        tail = '' if log is None else f'\n{cause(log)}\nThe whole log: {log}'
        raise RuntimeError(f'{what} failed with exit code {process.returncode}.{tail}')


def cause(log: Path, lines: int = 20) -> str:
    """The last lines of a log, without the traceback of mim, which only says that what it started has failed."""
    text = log.read_text(errors='replace')
    own = re.split(r'Traceback \(most recent call last\):\n  File "[^"\n]*bin/mim"', text)[0]
    return '\n'.join(own.rstrip().splitlines()[-lines:])


def train_command(config: str, work_dir: Path, **options: str) -> list[str]:
    """Command line that trains one of the project's configs.

    Args:
        config (str): Base name of the config.
        work_dir (Path): Folder for logs and checkpoints.
        **options (str): Settings to override.
    """
    command = [mim(), 'train', 'xlearner_mm', str(CONFIGS / config), '--work-dir', str(work_dir)]
    return command + (['--cfg-options', *(f'{key}={value}' for key, value in options.items())] if options else [])


def export_command(checkpoint: str | Path, library: str, out: Path, part: str = 'student') -> list[str]:
    """Command line that exports a backbone for a library, with proof.

    Args:
        checkpoint (str or Path): Checkpoint of a run.
        library (str): One of ``LIBRARIES``.
        out (Path): File to write.
        part (str): Part of the model.
    """
    return [mim(), 'run', 'xlearner_mm', 'export', str(checkpoint), str(out), '--to', library, '--part', part]


def transfer_command(backbones: list[str], configs: list[str], out: Path) -> list[str]:
    """Command line that compares backbones on some of the project's transfers, two side by side.

    Args:
        backbones (list[str]): Backbones, as ``mim run xlearner_mm transfer`` names them.
        configs (list[str]): Base names of the transfers' configs.
        out (Path): Folder for the results.
    """
    command = [mim(), 'run', 'xlearner_mm', 'transfer', '--out', str(out), '--jobs', '2', '--sets',
               *(str(CONFIGS / config) for config in configs)]
    return command + [word for backbone in backbones for word in ('--backbone', backbone)]


def started_from(backbone: Path) -> dict[str, str]:
    """Settings with which a transfer starts from an exported backbone."""
    return {'model.backbone.init_cfg.type': 'Pretrained', 'model.backbone.init_cfg.checkpoint': str(backbone)}


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


def validations(work_dir: Path) -> list[dict[str, float]]:
    """Metrics of a run's validations in order, by their stock key.

    Args:
        work_dir (Path): Work folder of the run.

    Raises:
        ValueError: If the run did not validate.
    """
    records = [r for r in read_log(work_dir) if 'lr' not in r]
    if not records:
        raise ValueError(f'{work_dir} holds no validation')
    return [{key: value for key, value in r.items() if isinstance(value, (int, float))} for r in records]


def last_metrics(work_dir: Path) -> dict[str, float]:
    """Metrics of a run's last validation, see :func:`validations`."""
    return validations(work_dir)[-1]
