"""The runs of the study: ways to pre-train, with equal steps and images for the backbone that is transferred."""

from dataclasses import dataclass, field
from pathlib import Path

from earth.sources import SOURCES

STEPS = 200  # of the backbone that is transferred
IMAGES = 39  # a step, as in earth_xlearner.py
FULL = 'squeeze_all_std'  # one run with its expansion; the other squeezes begin with that expansion
SCRATCH = 'scratch'


@dataclass(frozen=True)
class Method:
    """A way to pre-train.

    Attributes:
        name (str): Folder of its runs.
        title (str): What the table calls it.
        part (str): Part of the checkpoint to export.
        config (str): Base name of its config; empty for no pre-training.
        options (dict[str, str]): Settings to override.
        from_expansion (bool): Whether it begins with the expansion of ``FULL``.
    """

    name: str
    title: str
    part: str = 'backbone'
    config: str = ''
    options: dict[str, str] = field(default_factory=dict)
    from_expansion: bool = False


def methods() -> list[Method]:
    """All ways to pre-train, in the order of the table."""
    names = {task: [s for s, spec in SOURCES.items() if spec.task == task] for task in ('cls', 'det', 'seg')}
    singles = [Method(f'single_{task}', f'single task, {task}', config=f'earth_single_{task}.py',
                      options=length(STEPS) | batches(names[task])) for task in names]
    sharing = [Method(name, title, config='earth_hard_sharing.py', options=length(steps)) for name, title, steps in (
        ('hard_sharing', 'hard sharing', STEPS), ('hard_sharing_long', 'hard sharing, twice the steps', 2 * STEPS))]
    squeezes = [squeeze('own', False), squeeze('all', False), squeeze('own', True)]
    whole = Method(FULL, 'squeeze, all teachers, standardizer', 'student', 'earth_xlearner.py',
                   {'train_cfg.val_begin': str(STEPS), 'train_cfg.val_interval': str(STEPS)})
    return [Method(SCRATCH, 'scratch'), *singles, *sharing, *squeezes, whole]


def squeeze(teachers: str, standardizer: bool) -> Method:
    """A squeeze in a run of its own."""
    options = {'model.squeeze.teachers': teachers, 'custom_hooks.0.expansion_iters': '0'} | duration(STEPS)
    if not standardizer:
        options['model.squeeze.standardizer'] = 'None'
    name = f'squeeze_{teachers}{"_std" if standardizer else ""}'
    title = f'squeeze, {teachers} teacher{"s" if teachers == "all" else ""}{", standardizer" if standardizer else ""}'
    return Method(name, title, 'student', 'earth_xlearner.py', options, True)


def duration(steps: int) -> dict[str, str]:
    """Settings for a number of steps, with a validation at the end."""
    return {f'train_cfg.{key}': str(steps) for key in ('max_iters', 'val_begin', 'val_interval')}


def length(steps: int) -> dict[str, str]:
    """Settings for a number of steps, with a schedule as long."""
    return duration(steps) | {'param_scheduler.1.end': str(steps)}


def batches(sources: list[str]) -> dict[str, str]:
    """Settings that split the images of a step over the sources of one task as evenly as they go."""
    share, rest = divmod(IMAGES, len(sources))
    return {f'train_dataloader.batch_size.{s}': str(share + (i < rest)) for i, s in enumerate(sources)}


def run_folder(out: Path, seed: int, name: str) -> Path:
    """Folder of a run."""
    return out / f'seed_{seed}' / name


def options_of(method: Method, out: Path, seed: int) -> dict[str, str]:
    """Settings of a method's run with a seed."""
    options = method.options | {'randomness.seed': str(seed)}
    if method.from_expansion:
        options['load_from'] = str(run_folder(out, seed, FULL) / 'expansion.pth')
    return options
