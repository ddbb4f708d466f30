"""Monocular depth as a task of X-Learner: what the libraries do not have of it."""

from .depth_head import DepthHead

__all__ = ['DepthHead']
