"""A backbone out of a checkpoint of ours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        exported = export_backbone(self.checkpoint, folder / f'{self.name}_{library}.pth', library, self.part)
        return exported.config
