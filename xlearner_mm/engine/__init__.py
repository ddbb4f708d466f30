"""What runs the training: loops, hooks, the distributed wrapper and safe checkpoints."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .atomic_local_backend import AtomicLocalBackend
from .bucketed_reducer import BucketedReducer
from .expansion_squeeze_hook import ExpansionSqueezeHook
from .frozen_backbone_hook import FrozenBackboneHook
from .multi_source_distributed import MultiSourceDistributed
from .multi_source_eval_loop import MultiSourceEvalLoop
from .multi_source_optim_wrapper_constructor import MultiSourceOptimWrapperConstructor
from .multi_source_test_loop import MultiSourceTestLoop
from .multi_source_train_loop import MultiSourceTrainLoop
from .multi_source_val_loop import MultiSourceValLoop
from .source_loaders import SourceLoaders
from .task_interference_hook import TaskInterferenceHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'AtomicCheckpointHook', 'AtomicLocalBackend', 'BucketedReducer', 'ExpansionSqueezeHook', 'FrozenBackboneHook',
    'MultiSourceDistributed', 'MultiSourceEvalLoop', 'MultiSourceOptimWrapperConstructor', 'MultiSourceTestLoop',
    'MultiSourceTrainLoop', 'MultiSourceValLoop', 'SourceLoaders', 'TaskInterferenceHook', 'WholeCheckpointHook'
]
