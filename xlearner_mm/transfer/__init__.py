"""Ways out of X-Learner: backbones for the libraries that load them."""

from .export import export_backbone
from .norm_statistics import reestimate_norms
from .targets import TARGETS

__all__ = ['TARGETS', 'export_backbone', 'reestimate_norms']
