"""Weights that stay as the config has them."""

from xlearner_mm.registry import MODELS

from .loss_weighting import LossWeighting


@MODELS.register_module()
class StaticWeighting(LossWeighting):
    """Leave the losses as the ``loss_weight`` of the branches made them; the default (ours)."""
