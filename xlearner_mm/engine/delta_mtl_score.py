"""One figure for all sources."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Union

from xlearner_mm.evaluation import delta_mtl, read_baselines

from .source_metrics import SourceMetrics


class DeltaMTLScore:
    """Score evaluations against single-task models, see :func:`delta_mtl` (ours).

    Args:
        sources (Collection[str]): Sources that are evaluated.
        baselines (Mapping[str, float] or str or Path): Figures of single-task models as ``<source>/<stock key>``, one
            for each source that counts; or a JSON file that holds them.
        lower_is_better (Collection[str]): The names among them that are errors or losses.

    Raises:
        ValueError: If a baseline belongs to none of the sources, or is wrong in itself.
    """

    KEY = 'delta_mtl'

    def __init__(self, sources: Collection[str], baselines: Union[str, Path, Mapping[str, Any]],
                 lower_is_better: Collection[str] = ()) -> None:
        self.baselines = read_baselines(baselines)
        self.lower_is_better = lower_is_better
        unknown = [key for key in self.baselines if key.split('/', 1)[0] not in sources]
        if unknown:
            raise ValueError(f'delta_mtl.baselines has {", ".join(unknown)}, which begin with none of the evaluated '
                             f'sources {", ".join(sources)}. Write them as <source>/<metric>.')
        delta_mtl(self.baselines, self.baselines, lower_is_better)  # finds now what would be found after hours

    def add_to(self, metrics: SourceMetrics) -> None:
        """Score an evaluation, unless a source that counts was left out: its last figure is one of other weights.

        Args:
            metrics (SourceMetrics): Its metrics; they get the change in percent as ``delta_mtl``.

        Raises:
            ValueError: If a metric is missing although its source was evaluated, or is not finite.
        """
        if any(key.split('/', 1)[0] in metrics.left_out for key in self.baselines):
            metrics.left_out.add(self.KEY)
        else:
            metrics[self.KEY] = delta_mtl(metrics, self.baselines, self.lower_is_better)
