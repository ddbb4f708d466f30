"""Checkpoints read without running anything that they hold."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Union

import torch
from torch import Tensor

from . import restricted_pickle
from .restricted_pickle import RefusedGlobal


def read_checkpoint(checkpoint: Union[str, Path]) -> dict[str, Any]:
    """Read a checkpoint to the CPU (ours: stock loaders fall back to plain pickle, which runs what a file asks for).

    Args:
        checkpoint (str or Path): File that ``torch.save`` wrote.

    Returns:
        dict: What it holds; logs of mmengine's message hub are left out.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is damaged, no checkpoint, or names code.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {checkpoint}: give the path of a file.')
    with open(path, 'rb') as file:
        loaded = _load(checkpoint, file)
    if not isinstance(loaded, Mapping):
        raise ValueError(f'{checkpoint} is no checkpoint: it holds a {type(loaded).__name__}.')
    return dict(loaded)


def _load(checkpoint: Union[str, Path], file: BinaryIO) -> Any:
    try:
        return torch.load(file, map_location='cpu', pickle_module=sys.modules[restricted_pickle.__name__],
                          weights_only=False)
    except RefusedGlobal as error:
        raise ValueError(f'{checkpoint} names {error}, which no checkpoint of a run holds: reading it could run code. '
                         'Nothing was run. Take a checkpoint that this package wrote.') from error
    except Exception as error:  # whatever torch stumbles over in bytes that are no checkpoint, OSError among it
        raise ValueError(f'{checkpoint} is damaged, cut off or no checkpoint ({type(error).__name__}: {error}). Copy '
                         'it anew, or take another one.') from error


def is_state_dict(value: Any) -> bool:
    """Say whether a value is a state dict.

    Args:
        value (Any): The value.

    Returns:
        bool: Whether it holds tensors by name, and nothing else.
    """
    return isinstance(value, Mapping) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def sha256_of(path: Union[str, Path]) -> str:
    """Give the SHA-256 of a file.

    Args:
        path (str or Path): The file.

    Returns:
        str: Its 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
