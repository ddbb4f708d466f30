"""Files of features that are taken only for what they were computed from."""

import hashlib
import io
import json
import logging
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import mmcv
import numpy as np
import torch
from mmengine.logging import print_log
from torch import nn

from xlearner_mm.utils import atomic_write
from xlearner_mm.version import __version__

from .features import Features

_SETTINGS = (bool, int, float, str, tuple, list, dict, type(None))
_NO_SETTINGS = ('training', 'init_cfg')  # the mode is always that of evaluation, and weights are there


class FeatureCache:
    """The file of a data set's features by a backbone (ours).

    Its name holds a digest of the backbone's weights and settings, of both configs, of every sample's entry in the data
    set and of the size and date of its file, and of the versions of what computes. Other features have another file.

    Args:
        folder (Path): Folder of the file.
        name (str): Name of the data set.
        backbone (nn.Module): The backbone.
        dataset (Mapping): Config of the data set.
        data_preprocessor (Mapping): Config of the data preprocessor.
        stock (Dataset): The data set, built.
    """

    def __init__(self, folder: Path, name: str, backbone: nn.Module, dataset: Mapping[str, Any],
                 data_preprocessor: Mapping[str, Any], stock: Any) -> None:
        digest = hashlib.blake2b(digest_size=16)
        configs = json.dumps([dataset, data_preprocessor, __version__, torch.__version__, mmcv.__version__],
                             sort_keys=True, default=repr)
        for part in (configs.encode(), *_backbone_parts(backbone), *_sample_parts(stock)):
            digest.update(len(part).to_bytes(8, 'big'))
            digest.update(part)
        self.path = Path(folder) / f'{name}-{digest.hexdigest()}.npz'

    def read(self) -> Optional[Features]:
        """Read the file.

        Returns:
            Features or None: None where there is no such file, or a broken one; this is told.
        """
        try:
            with np.load(self.path, allow_pickle=False) as file:
                return Features(torch.from_numpy(file['vectors']), torch.from_numpy(file['labels']))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print_log(f'{self.path} is broken ({error}): its features are computed anew.', 'current', logging.WARNING)
            return None

    def write(self, features: Features) -> None:
        """Write the file.

        Args:
            features (Features): The features, on the CPU.
        """
        buffer = io.BytesIO()
        np.savez(buffer, vectors=features.vectors.numpy(), labels=features.labels.numpy())
        atomic_write(self.path, buffer.getbuffer())


def _backbone_parts(backbone: nn.Module) -> Iterator[bytes]:
    """Weights, and the settings that the modules keep: one that changes what is computed may have no weights."""
    for name, module in backbone.named_modules():
        settings = {key: value for key, value in vars(module).items()
                    if isinstance(value, _SETTINGS) and key not in _NO_SETTINGS and not key.startswith('_')}
        yield f'{name}: {type(module).__module__}.{type(module).__qualname__} {sorted(settings.items())!r}'.encode()
    for name, value in backbone.state_dict().items():
        yield f'{name} {value.dtype} {tuple(value.shape)}'.encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _sample_parts(stock: Any) -> Iterator[bytes]:
    for index in range(len(stock)):
        for key, value in sorted(stock.get_data_info(index).items()):
            yield f'{key} {getattr(value, "shape", "")}'.encode()
            yield value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            if key == 'img_path' and os.path.isfile(value):
                state = os.stat(value)
                yield f'{state.st_size} {state.st_mtime_ns}'.encode()
