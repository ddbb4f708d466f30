"""What is checked before the first step: what would otherwise train wrongly and say nothing."""

from .checks import CHECKS, preflight

__all__ = ['CHECKS', 'preflight']
