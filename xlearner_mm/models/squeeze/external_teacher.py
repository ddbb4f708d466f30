"""A teacher that was trained elsewhere."""

from collections.abc import Mapping
from typing import Any, Optional

from mmengine.model import BaseModule
from torch import Tensor

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import with_scope

from ..expansion import StagedBackbone, build_staged_backbone
from ..normalisation import Normalisation
from ..stock_checkpoint import load_stock_backbone


class ExternalTeacher(BaseModule):
    """The backbone of a stock model, frozen (ours).

    Its weights stand in the checkpoints of the run, so that a resumed run does not need its file. It is given images as
    its own data preprocessor would have normalised them.

    Args:
        name (str): Its name among the teachers.
        model (dict): Config of a stock detector, segmentor or classifier, with ``backbone`` and, if it normalises,
            ``data_preprocessor``; the rest is not built.
        checkpoint (str): Checkpoint of that model, or of its backbone alone.

    Raises:
        TypeError: If the config has no backbone.
        ValueError: If the backbone is not supported.
    """

    def __init__(self, name: str, model: Mapping[str, Any], checkpoint: str) -> None:
        super().__init__()
        if not isinstance(model, Mapping) or 'backbone' not in model:
            raise TypeError(f'squeeze.external.{name}.model must be the config of a stock model with a backbone, got '
                            f'{model!r}.')
        self.name, self.checkpoint = name, checkpoint
        model = with_scope(model)
        scope = model.get('_scope_')
        self.backbone: Any = MODELS.build(_scoped(model['backbone'], scope))
        self.backbone.requires_grad_(False)
        self.staged: StagedBackbone = build_staged_backbone(self.backbone)
        preprocessor = model.get('data_preprocessor')
        self._normalisation = Normalisation.none() if preprocessor is None else Normalisation.none().then_by(
            MODELS.build(_scoped(preprocessor, scope)))
        self.train(False)

    def init_weights(self) -> None:
        """Load the checkpoint.

        Raises:
            ValueError: If it does not fit.
        """
        load_stock_backbone(f'squeeze.external.{self.name}', self.checkpoint, self.backbone)

    def train(self, mode: bool = True) -> 'ExternalTeacher':
        """Stay in eval mode.

        Args:
            mode (bool): Not used.

        Returns:
            ExternalTeacher: The teacher itself.
        """
        super().train(False)
        return self

    def forward(self, x: Tensor, normalisation: Normalisation, last_level: Optional[int] = None) -> list[Tensor]:
        """Run the backbone.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            normalisation (Normalisation): How they were normalised.
            last_level (int, optional): Last level to run to; all by default.

        Returns:
            list[Tensor]: Maps of the levels, each ``(N, C, H, W)``.
        """
        last = None if last_level is None else self.staged.levels[last_level]
        x = normalisation.convert(x, self._normalisation)
        return self.staged.level_maps(self.staged.features(x, last))


def _scoped(cfg: Mapping[str, Any], scope: Optional[str]) -> dict[str, Any]:
    """A config that is looked up in its own library, or in that of the model around it."""
    cfg = dict(cfg)
    if scope is not None and '.' not in cfg['type']:
        cfg['type'] = f'{scope}.{cfg["type"]}'
    return with_scope(cfg)
