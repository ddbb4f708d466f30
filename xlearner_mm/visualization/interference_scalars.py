"""What a TaskInterferenceHook wrote in a run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

PREFIX = 'interference/'
_PHASES = ('expansion', 'squeeze')
_PLACES = ('scalars.json', 'vis_data/scalars.json', '*/vis_data/scalars.json')

Pair = tuple[str, str]


class Interference(NamedTuple):
    """What was measured in a run, or in a phase of it: scalars by iteration, their keys ``<part>/cos/<a>-<b>``."""

    title: str
    steps: dict[int, dict[str, float]]

    @property
    def parts(self) -> list[str]:
        """Parts of the model, in the order of the run."""
        return list(dict.fromkeys(key.split('/')[0] for step in self.steps.values() for key in step))

    @property
    def sources(self) -> list[str]:
        """Sources that were measured, in the order of the run."""
        keys = (key.split('/') for step in self.steps.values() for key in step)
        return list(dict.fromkeys(name for _, kind, name in keys if kind == 'share'))

    def cosines(self, part: str) -> dict[Pair, dict[int, float]]:
        """Give the cosines of a part.

        Args:
            part (str): The part.

        Returns:
            dict[tuple[str, str], dict[int, float]]: By pair, names sorted, and iteration.
        """
        found: dict[Pair, dict[int, float]] = {}
        for iteration, step in self.steps.items():
            for key, value in step.items():
                of, kind, name = key.split('/')
                if of == part and kind == 'cos':
                    first, second = sorted(name.split('-'))
                    found.setdefault((first, second), {})[iteration] = value
        return found

    def shares(self, part: str) -> dict[str, float]:
        """Give the mean share of each source in the norms of a part, over the steps that it was in.

        Args:
            part (str): The part.

        Returns:
            dict[str, float]: By source.
        """
        found: dict[str, list[float]] = {}
        for step in self.steps.values():
            for source in self.sources:
                if f'{part}/share/{source}' in step:
                    found.setdefault(source, []).append(step[f'{part}/share/{source}'])
        return {source: sum(values) / len(values) for source, values in found.items()}


def read_interference(run: Union[str, Path], first: Optional[int] = None,
                      last: Optional[int] = None) -> list[Interference]:
    """Read what was measured in a run (ours).

    Of several files, as a resumed run leaves them, a later one replaces what others have from its first step on.

    Args:
        run (str or Path): Folder of the run, or a ``scalars.json`` in it.
        first (int, optional): First iteration to take.
        last (int, optional): Last one.

    Returns:
        list[Interference]: One for each phase.

    Raises:
        FileNotFoundError: If there is no ``scalars.json``.
        ValueError: If a file cannot be read, or nothing was measured in these iterations.
    """
    run = Path(run)
    files = [run] if run.is_file() else [file for place in _PLACES for file in sorted(run.glob(place))]
    if not files:
        raise FileNotFoundError(f'{run} has no vis_data/scalars.json: name the work folder of a run whose visualizer '
                                "has the backend dict(type='LocalVisBackend').")
    steps: dict[int, dict[str, float]] = {}
    for file in files:  # their folders are named by the time of their start
        found = _read(file)
        if found:
            steps = {**{step: values for step, values in steps.items() if step < min(found)}, **found}
    if not steps:
        raise ValueError(f"{files[-1]} has no scalars of interference: train with custom_hooks=[dict(type='xlearner_mm."
                         "TaskInterferenceHook')]; if it was on, see its warning in the log.")
    chosen = {step: values for step, values in steps.items()
              if (first is None or step >= first) and (last is None or step <= last)}
    if not chosen:
        raise ValueError(f'{run}: nothing was measured in these iterations, only from {min(steps)} to {max(steps)}. '
                         'Mend --from and --to.')
    return _by_phase(run, chosen, sorted({_phase(values) for values in steps.values()}))


def _by_phase(run: Path, steps: Mapping[int, Mapping[str, float]], phases: Sequence[int]) -> list[Interference]:
    folder = next((path for path in (run, *run.parents) if path.name not in ('scalars.json', 'vis_data')), run)
    name, found = folder.resolve().name, []
    for phase in phases:
        own = {step: {key: value for key, value in values.items() if key != 'phase'}
               for step, values in steps.items() if _phase(values) == phase}
        if own:
            found.append(Interference(name if phases == [0] else f'{name}, {_PHASES[phase]}', own))
    return found


def _phase(values: Mapping[str, float]) -> int:
    return int(values.get('phase', 0))


def _read(file: Path) -> dict[int, dict[str, float]]:
    """Read the scalars of interference by step."""
    lines = file.read_text().splitlines()
    found = {}
    for number, line in enumerate(lines, 1):
        try:
            values: Any = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):  # of a run that was killed meanwhile
                break
            raise ValueError(f'{file}, line {number} is no JSON ({error}). Name a run of mmengine.') from error
        if not isinstance(values, dict):
            raise ValueError(f'{file}, line {number} is no object of JSON. Name a run of mmengine.')
        own = {key.removeprefix(PREFIX): value for key, value in values.items() if key.startswith(PREFIX)}
        if own:
            found[int(values['step'])] = own
    return found


def ordered_parts(measured: Sequence[Interference]) -> list[str]:
    """Put the parts of several runs in an order: the whole, along the backbone, and the others.

    Args:
        measured (Sequence[Interference]): What was measured.

    Returns:
        list[str]: All parts but those of single tasks.
    """
    parts = dict.fromkeys(part for one in measured for part in one.parts if '.' not in part)

    def _rank(part: str) -> tuple[int, int]:
        number = part.removeprefix('stage')
        order = ('all', 'stem', 'stage', 'output')
        kind = 'stage' if number.isdigit() else part
        return order.index(kind) if kind in order else len(order), int(number) if number.isdigit() else 0

    return sorted(parts, key=_rank)
