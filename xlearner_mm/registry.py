"""The OpenMMLab registries under the scope ``xlearner_mm``.

Some hold nothing of ours: a config that a user inherits by ``_base_ = 'xlearner_mm::...'`` is built in this scope, and
mmengine warns for every kind of object whose registry it does not find there.
"""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

SCOPE = 'xlearner_mm'


def _child(name: str, location: str = 'xlearner_mm.utils') -> Registry:
    """Make our registry under one of mmengine's root registries; ``location`` is what registers into it."""
    parent = getattr(mmengine_registry, name)
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=[location])


DATASETS = _child('DATASETS', 'xlearner_mm.datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'xlearner_mm.datasets')
FUNCTIONS = _child('FUNCTIONS', 'xlearner_mm.datasets')
HOOKS = _child('HOOKS', 'xlearner_mm.engine')
INFERENCERS = _child('INFERENCERS', 'xlearner_mm.apis')
LOOPS = _child('LOOPS', 'xlearner_mm.engine')
MODELS = _child('MODELS', 'xlearner_mm.models')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'xlearner_mm.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'xlearner_mm.engine')

EVALUATOR = _child('EVALUATOR')
LOG_PROCESSORS = _child('LOG_PROCESSORS')
METRICS = _child('METRICS')
OPTIMIZERS = _child('OPTIMIZERS')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS')
RUNNERS = _child('RUNNERS')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS')
TASK_UTILS = _child('TASK_UTILS')
TRANSFORMS = _child('TRANSFORMS')
VISBACKENDS = _child('VISBACKENDS')
VISUALIZERS = _child('VISUALIZERS')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS')

# How the stages of a foreign backbone are run one by one; keys are `library:Class`.
STAGED_BACKBONES = Registry('staged backbone', scope=SCOPE, locations=['xlearner_mm.models'])
