"""A backbone out of a checkpoint of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from xlearner_mm.transfer import export_backbone

from .backbone import Backbone


@dataclass(frozen=True)
class RunBackbone(Backbone):
    """The student, or another part, of an X-Learner run; it goes the way that a user's own transfer goes, by export.

    Attributes:
        checkpoint (Path): Checkpoint of the run.
        part (str): What to export.
    """

    checkpoint: Path
    part: str

    def stock_config(self, library: str, folder: Path) -> dict[str, Any]:
        """Give the config of a stock backbone, see :class:`Backbone`."""
        return dict(_exported(self, library, folder))


@cache
def _exported(backbone: RunBackbone, library: str, folder: Path) -> Mapping[str, Any]:
    """Export once, for all sets and seeds."""
    path = folder / f'{backbone.name}_{library}.pth'
    return cast(Mapping[str, Any], export_backbone(backbone.checkpoint, path, library, backbone.part).config)
