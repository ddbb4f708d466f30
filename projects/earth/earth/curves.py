"""Loss curves of an X-Learner run."""

from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt  # noqa: E402

from earth.runs import read_log  # noqa: E402
from earth.sources import SOURCES  # noqa: E402


def loss_series(records: list[dict], source: str) -> dict[str, tuple[list[int], list[float]]]:
    """Losses of a source over the iterations, summed into ``supervised`` and ``hints``.

    Args:
        records (list[dict]): Records of a log.
        source (str): The source.
    """
    series: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for record in records:
        sums: dict[str, float] = defaultdict(float)
        for key, value in record.items():
            if key.startswith(f'{source}.') and 'loss' in key:
                sums['hints' if 'loss_hint' in key else 'supervised'] += value
        for kind, value in sums.items():
            series[kind][0].append(record['step'])
            series[kind][1].append(value)
    return dict(series)


def draw_curves(work_dir: Path, path: Path) -> None:
    """Draw the losses of every source, with the switch from expansion to squeeze.

    Args:
        work_dir (Path): Work folder of the run.
        path (Path): PNG to write.
    """
    records = read_log(work_dir)
    figure, axes = plt.subplots(2, 3, figsize=(12, 6), sharex=True, layout='constrained')
    for axis, source in zip(axes.flat, SOURCES, strict=True):
        series = loss_series(records, source)
        for kind, (steps, values) in series.items():
            axis.plot(steps, values, label=kind, color='tab:blue' if kind == 'supervised' else 'tab:orange')
        if 'hints' in series:
            before = max((s for s in series['supervised'][0] if s < series['hints'][0][0]), default=0)
            axis.axvline(before, color='grey', linestyle='--', linewidth=1, label='squeeze begins')
        axis.set_title(source)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set_ylabel('loss')
    for axis in axes[1]:
        axis.set_xlabel('iteration')
    axes[0, 0].legend()
    figure.suptitle('Losses by source: expansion, then squeeze')
    figure.savefig(path, dpi=110)
    plt.close(figure)
