"""What the parts of ``evaluation.py`` share: the package's tools as processes, and fixtures as plain functions."""

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Environment of a child: this tree, its tests, one thread."""
    paths = [str(ROOT), str(ROOT / 'tests'), *filter(None, [os.environ.get('PYTHONPATH')])]
    return dict(os.environ, OMP_NUM_THREADS='1', PYTHONDONTWRITEBYTECODE='1', **{'PYTHONPATH': os.pathsep.join(paths),
                                                                               **more})


def tool(name: str, *arguments: object) -> list[str]:
    """Command of a tool, as ``mim run xlearner_mm NAME`` starts it, but of this tree."""
    return [sys.executable, '-m', f'xlearner_mm.tools.{name}', *map(str, arguments)]


def finished(command: list[str], **kwargs: Any) -> subprocess.CompletedProcess:
    """Run a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, **kwargs)
    if done.returncode:
        raise RuntimeError(f'{command} gave {done.returncode}:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}')
    return done


def plain(fixture: Any) -> Callable[..., Any]:
    """The function that a fixture of pytest is made of."""
    return inspect.unwrap(fixture)


def recording(folder: Path, **more: str) -> dict[str, str]:
    """Environment of a child whose starts and network attempts are noted in ``folder/events``."""
    code = folder / 'recorder' / 'sitecustomize.py'
    code.parent.mkdir(parents=True, exist_ok=True)
    code.write_text(Path(__file__).with_name('evaluation_recorder.py').read_text())
    env = environment(EVALUATION_EVENTS=str(folder / 'events'), **more)
    env['PYTHONPATH'] = os.pathsep.join([str(code.parent), env['PYTHONPATH']])
    return env


def events(folder: Path, kind: str) -> list[str]:
    """What was noted of a kind."""
    path = folder / 'events'
    lines = path.read_text().splitlines() if path.is_file() else []
    return [line.partition(' ')[2] for line in lines if line.startswith(f'{kind} ')]
