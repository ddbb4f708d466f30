"""Stock configs of mmdet, mmseg and mmpretrain as one X-Learner config."""

from .composer import compose
from .composition import Composition

__all__ = ['Composition', 'compose']
