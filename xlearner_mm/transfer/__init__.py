"""Ways out of X-Learner: backbones for the libraries that load them."""

from .export import export_backbone
from .targets import TARGETS

__all__ = ['TARGETS', 'export_backbone']
