"""Pickle for checkpoints of runs: of what a file names it calls only what rebuilds tensors, arrays and containers.

It has of the module ``pickle`` what ``torch.load`` uses of its ``pickle_module``.
"""

import builtins
import collections
import pickle
from typing import Any

import numpy as np
import torch

_CONTAINERS = ('bool', 'bytearray', 'bytes', 'complex', 'dict', 'float', 'frozenset', 'int', 'list', 'range', 'set',
               'slice', 'str', 'tuple')
# Logs in mmengine's message hub: nothing that an export needs, and nothing that should run.
_INERT = ('__builtin__.getattr', 'builtins.getattr', 'mmengine.logging.history_buffer.HistoryBuffer',
          'mmengine.config.config.ConfigDict')


class Inert(dict):
    """Stands for an object that is not rebuilt: it takes any arguments and any state, and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Forget the state."""


class Unpickler(pickle.Unpickler):
    """``pickle.Unpickler`` that finds only what checkpoints of runs hold."""

    def find_class(self, module: str, name: str) -> Any:
        """Find a global that a pickle names.

        Args:
            module (str): Its module.
            name (str): Its name there.

        Returns:
            Any: The global, or :class:`Inert`.

        Raises:
            RefusedGlobal: If it is none that checkpoints of runs hold.
        """
        key = f'{module}.{name}'
        if key in _INERT:
            return Inert
        if key in _ALLOWED:
            return _ALLOWED[key]
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module == 'numpy.dtypes' and name.endswith('DType') and isinstance(getattr(np.dtypes, name, None), type):
            return getattr(np.dtypes, name)
        raise RefusedGlobal(key)


class RefusedGlobal(ValueError):
    """A pickle names a global that is not in the checkpoint of a run."""


def load(file: Any, **kwargs: Any) -> Any:
    """Read one pickle, as ``pickle.load`` does.

    Args:
        file (file): An open file.
        **kwargs: Arguments of ``pickle.Unpickler``.

    Returns:
        Any: What it holds.

    Raises:
        RefusedGlobal: If it names another global than checkpoints of runs hold.
    """
    return Unpickler(file, **kwargs).load()


def _encode(text: str, encoding: str) -> bytes:
    """How old pickle protocols write bytes."""
    if encoding != 'latin1':
        raise RefusedGlobal(f'_codecs.encode to {encoding}')
    return text.encode('latin1')


def _allowed() -> dict[str, Any]:
    """What a pickle may name, and what it stands for."""
    found: dict[str, Any] = {
        '_codecs.encode': _encode,
        'collections.OrderedDict': collections.OrderedDict,
        'collections.defaultdict': collections.defaultdict,
        'collections.deque': collections.deque,
        'numpy.dtype': np.dtype,
        'numpy.ndarray': np.ndarray,
        'torch.Size': torch.Size,
        'torch.Tensor': torch.Tensor,
        'torch._utils._rebuild_parameter': torch._utils._rebuild_parameter,
        'torch._utils._rebuild_tensor_v2': torch._utils._rebuild_tensor_v2,
        'torch.device': torch.device,
        'torch.storage.UntypedStorage': torch.UntypedStorage,
    }
    for core in ('numpy.core', 'numpy._core'):  # of numpy 1 and 2, whichever reads the file
        found[f'{core}.multiarray._reconstruct'] = np.zeros(()).__reduce__()[0]
        found[f'{core}.multiarray.scalar'] = np.float64(0).__reduce__()[0]
    for module in ('builtins', '__builtin__'):
        found.update({f'{module}.{name}': getattr(builtins, name) for name in _CONTAINERS})
    return found


_ALLOWED = _allowed()
