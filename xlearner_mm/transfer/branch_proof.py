"""The proof that a stock model predicts what a branch of an X-Learner does."""

import copy
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from mmengine.structures import BaseDataElement
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from xlearner_mm.models import XLearner
from xlearner_mm.models.backbone_port import BackbonePort
from xlearner_mm.utils import keyed_rng

from .proof import check_alive
from .quiet import quiet
from .stock_backbone import tensors

_SAMPLES = dict(mmdet=DetDataSample, mmseg=SegDataSample, mmpretrain=DataSample)


def build_stock_model(config: Path, weights: Path, library: str) -> nn.Module:
    """Build a stock model as its library's tools do.

    Args:
        config (Path): Its config.
        weights (Path): Its checkpoint.
        library (str): Its library.

    Returns:
        nn.Module: The model, in eval mode.

    Raises:
        ValueError: If a key of the checkpoint is missing or unexpected.
    """
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope(library):
        model = importlib.import_module(f'{library}.registry').MODELS.build(cfg.model)
    try:
        with quiet():
            load_checkpoint(model, str(weights), map_location='cpu', strict=True)
    except RuntimeError as error:
        raise ValueError(f'The stock model does not load the weights: {error}. Nothing was written.') from error
    return model.eval()


def prove_branch(model: XLearner, source: str, port: BackbonePort, stock: Any, library: str, size: int) -> str:
    """Compare what a stock model and a branch predict on a random image, and what their backbones give.

    Where nothing is predicted, as a detector that finds no object, what the heads give is compared.

    Args:
        model (XLearner): The trained model, in eval mode.
        source (str): The source of the branch.
        port (BackbonePort): Its port.
        stock (nn.Module): The stock model, in eval mode.
        library (str): Its library.
        size (int): Height and width of the image.

    Returns:
        str: What was found to be equal.

    Raises:
        ValueError: If anything differs, or features prove nothing.
    """
    for mode, what in (('predict', 'predictions'), ('tensor', 'raw outputs')):
        number = _compare(model, source, port, stock, random_batch(library, size, source), mode)
        if number:
            return f'the {what} of the branch, all {number} values on a random image'
    raise ValueError(f'The branch of {source!r} returns nothing on a random image, so nothing is proved. Nothing was '
                     'written.')


def _compare(model: XLearner, source: str, port: BackbonePort, stock: Any, batch: dict[str, Any], mode: str) -> int:
    """Compare a branch and a stock model, and count the values that both return."""
    data = model.data_preprocessor({source: copy.deepcopy(batch)}, False)
    ours, features = _run(model, port, data['inputs'][source], data['data_samples'][source], mode)
    data = stock.data_preprocessor(copy.deepcopy(batch), False)
    theirs, found = _run(stock, stock.backbone, data['inputs'], data['data_samples'], mode)
    check_alive({f'output {i}': feature for i, feature in enumerate(features)})
    same = len(found) == len(features) and all(map(torch.equal, found, features))
    different = [key for key in ours if key not in theirs or not torch.equal(theirs[key], ours[key])]
    if different or not same or ours.keys() != theirs.keys():
        raise ValueError(f'The stock {type(stock).__name__} predicts otherwise than the branch of {source!r}: '
                         f'{", ".join(different) or "other values"}; features of the backbone are '
                         f'{"equal" if same else "different"}. Nothing was written.')
    return sum(value.numel() for value in ours.values())


def random_batch(library: str, size: int, source: str) -> dict[str, Any]:
    """Give a random image as the data set of a library does.

    Args:
        library (str): ``mmdet``, ``mmseg`` or ``mmpretrain``.
        size (int): Its height and width.
        source (str): Source that its sample names.

    Returns:
        dict: A stock batch of one image ``(3, H, W)``.
    """
    image = torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    shape = (size, size)
    sample = _SAMPLES[library](metainfo=dict(
        img_id=0, img_path='', ori_shape=shape, img_shape=shape, pad_shape=shape, batch_input_shape=shape,
        scale_factor=(1., 1.), flip=False, flip_direction=None, source=source))
    return dict(inputs=[image], data_samples=[sample])


def _run(model: Any, backbone: nn.Module, inputs: Tensor, samples: Any,
         mode: str) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Give the tensors that a model returns by name, and those that its backbone does."""
    features: list[Tensor] = []
    hook = backbone.register_forward_hook(lambda module, args, output: features.extend(tensors(output)))
    with torch.no_grad(), keyed_rng(0, 'export'):  # some models draw points
        returned = model(inputs, samples, mode=mode)
    hook.remove()
    return dict(_named(returned, 'output')), features


def _named(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, (bool, int, float)):
        yield name, torch.tensor(value)
    elif isinstance(value, (BaseDataElement, Mapping)):
        for key, item in value.items():
            yield from _named(item, f'{name}.{key}')
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _named(item, f'{name}.{i}')
