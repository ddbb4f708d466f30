"""The formats of exported files."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import torch
from torch import Tensor

from xlearner_mm.utils import optional

FORMATS = ('pth', 'safetensors')


def encode(state: Mapping[str, Tensor], meta: Mapping[str, Any], form: str) -> bytes:
    """Write weights and what is known of them.

    Args:
        state (Mapping[str, Tensor]): The weights.
        meta (Mapping): Of plain values. Safetensors keep texts only: other values stand there as JSON.
        form (str): One of ``FORMATS``.

    Returns:
        bytes: The content of a file.

    Raises:
        ImportError: If safetensors is not installed.
    """
    if form == 'safetensors':
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in meta.items()}
        tensors = {key: value.contiguous() for key, value in state.items()}
        return optional('safetensors.torch', 'This export').save(tensors, texts)
    buffer = io.BytesIO()
    torch.save(dict(state_dict=dict(state), meta=dict(meta)), buffer)
    return buffer.getvalue()


def decode(path: Union[str, Path], form: str) -> dict[str, Tensor]:
    """Read the weights of a file, as the line that :func:`reading` gives does.

    Args:
        path (str or Path): The file.
        form (str): Its format.

    Returns:
        dict[str, Tensor]: The weights.
    """
    if form == 'safetensors':
        return optional('safetensors.torch', 'This export').load_file(path)
    return torch.load(path, weights_only=True)['state_dict']


def reading(path: Union[str, Path], form: str) -> str:
    """Say how a user reads the weights of a file.

    Args:
        path (str or Path): The file.
        form (str): Its format.

    Returns:
        str: A Python expression.
    """
    if form == 'safetensors':
        return f'safetensors.torch.load_file({str(path)!r})'
    return f"torch.load({str(path)!r}, weights_only=True)['state_dict']"
