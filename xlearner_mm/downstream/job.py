"""One figure of a suite, and the folder that it is made in."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from xlearner_mm.utils import atomic_write

from .backbone import Backbone
from .downstream_set import DownstreamSet
from .fine_tune_config import fine_tune_config
from .results import Result


@dataclass(frozen=True)
class Job:
    """A backbone on a set, in a variant and with a seed.

    A finished job leaves ``result.json``; it counts as long as set, weights and settings are the same (``key``).

    Attributes:
        downstream (DownstreamSet): The set.
        backbone (Backbone): The backbone.
        variant (str): ``full``, ``low_data`` or ``knn``.
        seed (int): The seed.
        root (Path): Folder of the suite.
    """

    downstream: DownstreamSet
    backbone: Backbone
    variant: str
    seed: int
    root: Path

    @property
    def folder(self) -> Path:
        """Folder of the job."""
        return self.root / 'jobs' / self.variant / self.downstream.name / self.backbone.name / f'seed{self.seed}'

    @property
    def title(self) -> str:
        """How the job is told of."""
        variant = '' if self.variant == 'full' else f' ({self.variant})'
        return f'{self.downstream.name}{variant}, {self.backbone.name}, seed {self.seed}'

    @property
    def key(self) -> str:
        """Changes with all that the figure depends on."""
        # Not its pretty_text, which takes seconds.
        parts = (self.downstream.cfg.to_dict(), self.backbone.digest, self.variant, self.seed)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def result(self) -> Optional[Result]:
        """Read the figure of a finished job.

        Returns:
            Result or None: None where it is not finished, or what it depends on has changed.
        """
        path = self.folder / 'result.json'
        record = json.loads(path.read_text()) if path.is_file() else {}
        return Result(**record['result']) if record.get('key') == self.key else None

    def prepare(self) -> Path:
        """Write the job's config.

        Returns:
            Path: The config, a stock one where the model is fine-tuned.

        Raises:
            ValueError: If the backbone cannot be put into the set's config.
        """
        exports = self.root / 'backbones'
        how = self.downstream
        if how.protocol == 'fine_tune':
            backbone = self.backbone.stock_config(how.library, exports)
            cfg = fine_tune_config(how, backbone, self.backbone.pixels, self.variant, self.seed)
        else:
            cfg = Config(how.cfg.to_dict())
            cfg.backbone = self.backbone.probe_config(exports)
            cfg.data_preprocessor = dict(type='mmpretrain.ClsDataPreprocessor',
                                         **self.backbone.pixels.settings('mmpretrain', how.rgb_images))
        cfg.job = dict(key=self.key, result=self._record(), features=str(self.root / 'features'))
        path = self.folder / 'config.py'
        if path.is_file() and Config.fromfile(path).job.key != self.key:
            shutil.rmtree(self.folder)  # nothing of other weights or settings is left
        atomic_write(path, Config(cfg.to_dict(), format_python_code=False).pretty_text.encode())
        return path

    def _record(self) -> dict[str, Any]:
        how = self.downstream
        return dict(variant=self.variant, set=how.name, metric=how.metric, backbone=self.backbone.name, seed=self.seed)


def write_result(cfg: Config, folder: Path, percent: float) -> None:
    """Leave the figure of a job.

    Args:
        cfg (Config): The job's config.
        folder (Path): Its folder.
        percent (float): The figure.
    """
    result = Result(**cfg.job.result, percent=percent)
    atomic_write(folder / 'result.json', json.dumps(dict(key=cfg.job.key, result=asdict(result))).encode())
