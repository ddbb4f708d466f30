"""The table of the study: mean and standard deviation over seeds."""

import json
from pathlib import Path
from statistics import mean, stdev

from earth.report import MAIN_METRIC, TRANSFERS, percent
from earth.runs import last_metrics, validations
from earth.sources import SOURCES
from earth.study import FULL, STEPS, methods, run_folder

EXPANSION = 'expansion'  # the teachers themselves: three sub-backbones, not one


def figures(out: Path, seed: int, name: str) -> dict[str, float]:
    """Figures of a finished method, in percent: of its own validation, and of its transfers.

    Args:
        out (Path): Folder of the study.
        seed (int): Seed of the runs.
        name (str): Name of the method.
    """
    found = {}
    run = run_folder(out, seed, FULL if name == EXPANSION else name)
    if run.is_dir():
        validated = validations(run)[0 if name == EXPANSION else -1]
        for source, spec in SOURCES.items():
            key = f'{source}/{MAIN_METRIC[spec.task]}'
            if key in validated:
                found[source] = percent(spec.task, validated[key])
    for task, source in TRANSFERS.items():
        run = run_folder(out, seed, f'transfer_{task}_{name}')
        if run.is_dir():
            found[f'transfer {source}'] = percent(task, last_metrics(run)[MAIN_METRIC[task]])
    return found


def collect(out: Path, seeds: list[int]) -> dict[str, list[dict[str, float]]]:
    """Figures of all methods, a dictionary a seed."""
    names = [EXPANSION, *(method.name for method in methods())]
    return {name: [figures(out, seed, name) for seed in seeds] for name in names}


def cell(values: list[float]) -> str:
    """Mean and standard deviation; a dash where a method has no such figure."""
    if not values:
        return '–'
    return f'{mean(values):.1f}' + (f' ± {stdev(values):.1f}' if len(values) > 1 else '')


def table(found: dict[str, list[dict[str, float]]], columns: list[str], names: dict[str, str]) -> str:
    """A Markdown table: a row a method."""
    lines = ['| pre-training | ' + ' | '.join(c.removeprefix('transfer ') for c in columns) + ' |',
             '|---' + '|---:' * len(columns) + '|']
    for name, title in names.items():
        cells = [cell([seed[c] for seed in found[name] if c in seed]) for c in columns]
        lines.append(f'| {title} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def write_report(out: Path, seeds: list[int]) -> str:
    """Write ``study.json`` and ``study.md``.

    Returns:
        str: The Markdown.
    """
    found = collect(out, seeds)
    names = {method.name: method.title for method in methods()}
    own = {name: title for name, title in names.items() if name != 'scratch'} | {
        EXPANSION: f'the expansion ({STEPS} steps of its own; three sub-backbones)'}
    text = (f'Transfers, {len(seeds)} seeds:\n\n{table(found, [f"transfer {s}" for s in TRANSFERS.values()], names)}\n'
            f'Validation of the pre-training, {len(seeds)} seeds:\n\n{table(found, list(SOURCES), own)}')
    (out / 'study.json').write_text(json.dumps(dict(seeds=seeds, figures=found), indent=1))
    (out / 'study.md').write_text(text)
    return text
