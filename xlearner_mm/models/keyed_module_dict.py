"""A dict of modules that are initialised independently of each other."""

import torch
from mmengine.model import ModuleDict

from xlearner_mm.utils import keyed_rng


class KeyedModuleDict(ModuleDict):
    """A ``ModuleDict`` whose children are initialised from a seed that depends on their name only (ours).

    The seed is derived from the seed that is in force and the child's name, so nested dicts give a key of the whole
    path: adding a task or a source changes no other child's start.
    """

    def init_weights(self) -> None:
        """Initialise each child that knows how, under its own key."""
        for name, module in self.items():
            if hasattr(module, 'init_weights'):
                with keyed_rng(torch.initial_seed(), name):
                    module.init_weights()
