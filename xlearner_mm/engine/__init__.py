"""What runs the training: loops, hooks, the distributed wrapper and safe checkpoints."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .atomic_local_backend import AtomicLocalBackend
from .expansion_squeeze_hook import ExpansionSqueezeHook
from .multi_source_distributed import MultiSourceDistributed
from .multi_source_train_loop import MultiSourceTrainLoop
from .multi_source_val_loop import MultiSourceValLoop
from .source_loaders import SourceLoaders

__all__ = [
    'AtomicCheckpointHook', 'AtomicLocalBackend', 'ExpansionSqueezeHook', 'MultiSourceDistributed',
    'MultiSourceTrainLoop', 'MultiSourceValLoop', 'SourceLoaders'
]
