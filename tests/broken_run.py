"""Training on broken input, and what the run must say of it."""

import contextlib
import gc
import io
import re
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.runner import BaseLoop, Runner

import toy
from broken_edits import Change
from tiny import xlearner

SILENT = 'passed silently'
WARNED = 'warned'
HANG = 'hang'
USER_ERRORS = ('SampleError', 'TypeError', 'ValueError')
_MEND = re.compile(r'\b(mend|set|give|remove|use|take|add|end|list|rename|convert)\b', re.IGNORECASE)
_RAISED = re.compile(r'(?m)^[\w.]+Error: ')
_LOG_LINE = re.compile(r'(?m)^(?=\d{4}/\d\d/\d\d \d\d:\d\d:\d\d - )')


@dataclass(frozen=True)
class BrokenInput:
    """One fault and what the run must say of it (ours).

    Args:
        source (str): The source that is broken.
        change (Callable): Breaks one thing; takes the folder of the toy data and the config of the run.
        says (str): Regular expression for the offending value in the message.
        file (str): Name of the broken file; it must stand in the message.
        by (str): What finds it: ``now`` (the data sets and loops as they are), ``preflight`` (before the first step) or
            ``sample`` (the check of every loaded sample).
        warns (bool): Whether the run goes on and tells by a warning in its log.
        others (tuple[str, ...]): Further sources of the run.
        num_workers (int): Workers that load the training data.
        on_error (str): ``raise`` or ``skip``.
        validate (bool): Whether the run validates at its end.
    """

    source: str
    change: Change
    says: str
    file: str = ''
    by: str = 'now'
    warns: bool = False
    others: tuple[str, ...] = ()
    num_workers: int = 0
    on_error: str = 'raise'
    validate: bool = False

    @property
    def source_named(self) -> str:
        """Regular expression for how a message may name the source."""
        return rf"'{self.source}'|(sources|branches|batch_size|(train|val)_(dataloader|evaluator))\.{self.source}\b"


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        kind (str): Name of the exception's class, ``passed silently``, ``warned`` or ``hang``.
        message (str): Text of the exception, else the warnings of the log.
        steps (int): Training steps that were done.
    """

    kind: str
    message: str
    steps: int


def run_case(case: BrokenInput, folder: Path, limit_s: int = 60) -> Outcome:
    """Train on broken input, every sample of the source at least once, in this process.

    Args:
        case (BrokenInput): The case.
        folder (Path): Empty folder for the data and the run.
        limit_s (int): Seconds after which it counts as hanging.

    Returns:
        Outcome: How the run ended.
    """
    root = toy.write_data(folder / 'data')
    cfg = _config(case, root, folder / 'work')
    case.change(root, cfg)
    toy.clear_mmengine()
    runner = None
    try:
        with _time_limit(limit_s), _quiet(), _quick_collections():
            runner = Runner.from_cfg(cfg)
            runner.train()
    except Exception as error:
        return Outcome(type(error).__name__, _own_text(error), _steps(runner))
    except _OutOfTimeError:
        return Outcome(HANG, f'not over after {limit_s} s', _steps(runner))
    told = _warnings(folder / 'work', case)
    return Outcome(WARNED if told else SILENT, told, _steps(runner))


def faults(case: BrokenInput, outcome: Outcome) -> list[str]:
    """Compare an outcome with what the case asks for.

    Args:
        case (BrokenInput): The case.
        outcome (Outcome): What :func:`run_case` gave.

    Returns:
        list[str]: What is wrong with it; empty if nothing is.
    """
    if outcome.kind in (SILENT, HANG):
        return [outcome.kind]
    found = []
    if outcome.kind not in ((WARNED, ) if case.warns else USER_ERRORS):
        found.append(f'ended as {outcome.kind}')
    if case.by == 'preflight' and not case.warns and outcome.steps:
        found.append(f'found after {outcome.steps} steps only')
    wanted = {'the source': case.source_named, 'the file': re.escape(case.file), f'/{case.says}/': case.says}
    found += [f'{what} is not named' for what, regex in wanted.items() if not re.search(regex, outcome.message, re.S)]
    if not _MEND.search(outcome.message):
        found.append('no mend is named')
    return found


def _own_text(error: Exception) -> str:
    """Give the message without the traceback that torch puts before what comes from a worker."""
    text = str(error)
    starts = [match.end() for match in _RAISED.finditer(text)] if 'Original Traceback' in text else []
    return text[starts[-1]:] if starts else text


def _steps(runner: Optional[Runner]) -> int:
    loop = getattr(runner, '_train_loop', None)  # runner.iter would build a loop that could not be built, once more
    return loop.iter if isinstance(loop, BaseLoop) else 0


class _OutOfTimeError(BaseException):
    """Not an ``Exception``: a data set must not take it for a sample that cannot be loaded."""


@contextlib.contextmanager
def _time_limit(seconds: int) -> Iterator[None]:

    def _stop(*_: Any) -> None:
        raise _OutOfTimeError

    before = signal.signal(signal.SIGALRM, _stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _quick_collections() -> Iterator[None]:
    """Leave what was imported out of garbage collections; mmengine asks for one at each data set, 0.4 s with it."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep logs off the screen; what counts stands in the log file."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), \
            warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def _warnings(work_dir: Path, case: BrokenInput) -> str:
    """Give the warnings of the log that name the source; stock ones are of other things."""
    logs = ''.join(path.read_text() for path in sorted(work_dir.glob('*/*.log')))
    entries = [entry for entry in _LOG_LINE.split(logs) if ' - WARNING - ' in entry.split('\n', 1)[0]]
    return ''.join(entry for entry in entries if re.search(case.source_named, entry))


def _config(case: BrokenInput, root: Path, work_dir: Path) -> Config:
    """The toy run with a plain backbone and only the sources of the case."""
    sources = {case.source, *case.others}
    steps = (max(toy.COUNTS[source] for source in sources) + 1) // 2
    cfg = toy.config(root, work_dir, max_iters=steps)
    cfg.model = xlearner(squeeze=False, expanded=False)
    cfg.custom_hooks = []
    loader = cfg.train_dataloader
    for by_source in (cfg.model.branches, loader.batch_size, loader.dataset.sources, cfg.val_dataloader,
                      cfg.val_evaluator):
        for source in set(by_source) - sources:
            del by_source[source]
    loader.num_workers = case.num_workers
    loader.dataset.sources[case.source].on_error = case.on_error
    if case.validate:
        cfg.train_cfg.val_begin = 1
    return cfg
