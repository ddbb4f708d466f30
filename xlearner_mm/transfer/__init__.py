"""Ways out of X-Learner: backbones and whole models for the libraries that load them."""

from .export import export_backbone
from .export_branch import export_branch
from .exported import Exported
from .norm_statistics import reestimate_norms
from .targets import TARGETS

__all__ = ['Exported', 'TARGETS', 'export_backbone', 'export_branch', 'reestimate_norms']
