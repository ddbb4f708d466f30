"""The OpenMMLab registries that xlearner_mm adds its classes to, under the scope ``xlearner_mm``."""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

SCOPE = 'xlearner_mm'

DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, scope=SCOPE, locations=['xlearner_mm.datasets'])
DATA_SAMPLERS = Registry('data sampler', parent=MMENGINE_DATA_SAMPLERS, scope=SCOPE, locations=['xlearner_mm.datasets'])
FUNCTIONS = Registry('function', parent=MMENGINE_FUNCTIONS, scope=SCOPE, locations=['xlearner_mm.datasets'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=SCOPE, locations=['xlearner_mm.engine'])
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope=SCOPE, locations=['xlearner_mm.engine'])
MODEL_WRAPPERS = Registry(
    'model wrapper', parent=MMENGINE_MODEL_WRAPPERS, scope=SCOPE, locations=['xlearner_mm.engine'])
MODELS = Registry('model', parent=MMENGINE_MODELS, scope=SCOPE, locations=['xlearner_mm.models'])

STAGED_BACKBONES = Registry('staged backbone', scope=SCOPE, locations=['xlearner_mm.models'])
"""How the stages of a foreign backbone are run one by one; extend it to support a new family (``library:Class``)."""
