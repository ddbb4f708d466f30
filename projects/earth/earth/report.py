"""The table of the demo, and its rows."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from earth.runs import last_metrics
from earth.sources import SOURCES
from earth.trivial import trivial_baseline

MAIN_METRIC = dict(cls='accuracy/top1', det='coco/bbox_mAP_50', seg='mIoU')
TRANSFERS = dict(cls='landcover_cls', det='tree_det', seg='landcover_seg')
XLEARNER = 'xlearner'  # the backbone in the results of the transfers


def transfer_folder(results: Path, task: str, backbone: str = XLEARNER) -> Path:
    """Folder of a finished transfer.

    Args:
        results (Path): Folder of the demo.
        task (str): Its task.
        backbone (str): What it started from, ``scratch`` or ``xlearner``.
    """
    return results / 'transfer' / 'jobs' / 'full' / f'earth_transfer_{task}' / backbone / 'seed0'


@dataclass(frozen=True)
class Row:
    """A line of the table; all figures in percent.

    Attributes:
        where (str): ``transfer`` (held-out region or photograph) or ``pre-training`` (validation of the run itself).
        source (str): The source.
        metric (str): Stock key of the metric.
        trivial (float): What needs no learning.
        scratch (float or None): A stock model from scratch; only for transfers.
        xlearner (float): From the exported backbone, or the squeezed student itself.
    """

    where: str
    source: str
    metric: str
    trivial: float
    scratch: float | None
    xlearner: float

    @property
    def beats_trivial(self) -> bool:
        """Whether what was learned is better than the trivial baseline."""
        return self.xlearner > self.trivial


def percent(task: str, value: float) -> float:
    """Bring a metric to percent: mmdet counts in fractions, mmpretrain and mmseg in percent."""
    return 100 * value if task == 'det' else value


def make_rows(data: Path, results: Path) -> list[Row]:
    """Collect the figures of a finished demo.

    Args:
        data (Path): Data root.
        results (Path): Folder of the demo.
    """
    rows, compared = [], json.loads((results / 'transfer' / 'results.json').read_text())
    for task, source in TRANSFERS.items():
        key = MAIN_METRIC[task]
        trivial = trivial_baseline(data, source, 'transfer_train', 'transfer_val')[key]
        found = {r['backbone']: r['percent'] for r in compared if r['set'] == f'earth_transfer_{task}'}
        rows.append(Row('transfer', source, key, percent(task, trivial), found['scratch'], found[XLEARNER]))
    upstream = last_metrics(results / 'xlearner')
    for source, spec in SOURCES.items():
        key = MAIN_METRIC[spec.task]
        trivial = trivial_baseline(data, source)[key]
        rows.append(Row('pre-training', source, key, percent(spec.task, trivial), None,
                        percent(spec.task, upstream[f'{source}/{key}'])))
    return rows


def markdown(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ['| | source | metric | trivial | scratch | X-Learner |', '|---|---|---|---:|---:|---:|']
    for row in rows:
        scratch = '–' if row.scratch is None else f'{row.scratch:.1f}'
        lines.append(f'| {row.where} | {row.source} | {row.metric} | {row.trivial:.1f} | {scratch} | '
                     f'{row.xlearner:.1f} |')
    return '\n'.join(lines) + '\n'


def write_table(rows: list[Row], results: Path) -> Path:
    """Write ``table.md`` and ``table.json``.

    Returns:
        Path: The Markdown file.
    """
    (results / 'table.json').write_text(json.dumps([asdict(row) for row in rows], indent=2))
    path = results / 'table.md'
    path.write_text(markdown(rows))
    return path
