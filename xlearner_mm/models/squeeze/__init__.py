"""The squeeze stage: one student learns from the frozen expansion."""

from .batch_standardizer import BatchStandardizer
from .build import build_squeezer
from .hint_loss import HintLoss
from .squeezer import Squeezer

__all__ = ['BatchStandardizer', 'HintLoss', 'Squeezer', 'build_squeezer']
