"""X-Learner for OpenMMLab: learn one visual backbone across sources and tasks.

Only mmengine is imported here and in :mod:`xlearner_mm.registry`: mmengine swallows an ``ImportError`` raised by
either and reports the class as "not in the registry", so nothing that may be missing is imported at this level.
"""

from mmengine.config.utils import MODULE2PACKAGE

from .version import __version__

# Lets ``_base_ = 'xlearner_mm::...'`` and ``get_config('xlearner_mm::...')`` resolve in users' projects.
MODULE2PACKAGE.setdefault('xlearner_mm', 'xlearner_mm')

__all__ = ['__version__']
