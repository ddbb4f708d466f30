"""A source's stock model alone, with an optimizer of the same settings."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm

from .build_optim import build_optim
from .joint_side import JointSide
from .options import Options
from .phase_settings import phase_settings
from .stock_model import stock_model


class StockSide:
    """Stock train steps of a source, as the library of its model does them (ours).

    Args:
        cfg (Config): Config of the run.
        options (Options): The phase.
        joint (JointSide): The X-Learner that it is compared with.
        source (str): The source.

    Attributes:
        model (BaseModel): The stock model, on its device, in training mode.
        optim (OptimWrapper): Its optimizer.
    """

    def __init__(self, cfg: Config, options: Options, joint: JointSide, source: str) -> None:
        self.source = source
        self.model = revert_sync_batchnorm(stock_model(cfg, joint.model, source)).to(get_device()).train()
        self.optim = build_optim(self.model, phase_settings(cfg, options.phase)[1], stock=True)

    def step(self, batch: Mapping[str, Any]) -> None:
        """Do a train step on the images of the source.

        Args:
            batch (Mapping): Batch by source; what is in it may be changed.
        """
        self.model.train_step(batch[self.source], self.optim)
