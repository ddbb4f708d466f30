"""What an evaluation found, by source."""

from collections.abc import Collection, Mapping
from typing import Any


class SourceMetrics(dict[str, Any]):
    """Metrics as ``<source>/<stock key>``; those of a source that was left out this time read as None (ours).

    mmengine's ``CheckpointHook`` passes over a best metric that is None, and ends in a bare KeyError for one that is
    not there. No other hook sees a difference: what was left out is not in the dict.

    Args:
        metrics (Mapping[str, Any]): What was found.
        left_out (Collection[str]): Sources, and other keys, that were left out.
    """

    def __init__(self, metrics: Mapping[str, Any], left_out: Collection[str] = ()) -> None:
        super().__init__(metrics)
        self.left_out = set(left_out)

    def __missing__(self, key: str) -> None:
        """Give None for a metric that was left out.

        Raises:
            KeyError: If there is no such metric.
        """
        if key.split('/', 1)[0] not in self.left_out:
            raise KeyError(f'There is no metric {key!r}. This evaluation found {", ".join(self) or "none"}. Mend '
                           'save_best of the checkpoint hook.')
