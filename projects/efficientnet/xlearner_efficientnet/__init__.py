"""EfficientNets as backbones of X-Learner."""

from .staged_efficient_net import StagedEfficientNet

__all__ = ['StagedEfficientNet']
