"""The model of a stock config as a branch, and its backbone as a sub-backbone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from mmengine.logging import print_log
from mmengine.registry import MODELS

from xlearner_mm.models.expansion import StagedBackbone, build_staged_backbone
from xlearner_mm.utils import with_scope

from .refused_models import check_model
from .stock_source import StockSource, plain, with_prefix

# What differs without changing which weights a backbone has: the first source of a task decides.
OPTIONS = ('init_cfg', 'pretrained', 'frozen_stages', 'norm_eval', 'norm_cfg', 'out_indices', 'with_cp',
           'drop_path_rate', 'convert_weights')
_PLAIN_STRIDES = (1, 2, 2, 2)


@dataclass
class TakenModel:
    """What a stock config gives to the model of an X-Learner.

    Attributes:
        branch (dict): The stock model, its backbone a port.
        backbone (dict): The stock backbone.
        out_indices (tuple[int]): Stages that the branch reads.
        output_stride (int, optional): Stride of its images' maps, where the stock backbone is dilated and a plain one
            can be run so.
        left_out (list[str]): What was left out.
    """

    branch: dict[str, Any]
    backbone: dict[str, Any]
    out_indices: tuple[int, ...]
    output_stride: Optional[int] = None
    left_out: list[str] = field(default_factory=list)

    @property
    def starts_from(self) -> Optional[str]:
        """Checkpoint that the stock backbone starts from."""
        return _weights(self.backbone.get('init_cfg'))


def take_model(source: StockSource) -> TakenModel:
    """Turn the model of a stock config into a branch.

    Args:
        source (StockSource): The source.

    Returns:
        TakenModel: Branch and backbone.

    Raises:
        ValueError: If the model cannot be a branch, or its backbone is of no supported family.
    """
    model = with_prefix(plain(source.cfg.model, source.library), source.library)
    check_model(source, model)
    backbone = with_prefix(model.pop('backbone'), source.library)
    _move_weights(model, backbone)
    whole = _weights(model.pop('init_cfg', None))
    left_out = [f'model.init_cfg: the weights of the whole model, {whole}'] if whole else []
    if 'data_preprocessor' not in model and source.cfg.get('data_preprocessor'):  # as mmengine's Runner does
        model['data_preprocessor'] = plain(source.cfg.data_preprocessor, source.library)
    left_out += [f'{key}: epochs are not counted here, so what it begins with lasts for the whole run'
                 for key in _epoch_settings(model)]
    stride = _undilate(backbone)
    staged = build_backbone(source.name, backbone)
    out_indices = tuple(int(i) for i in getattr(staged.backbone, 'out_indices', range(staged.num_stages)))
    port = dict(type='xlearner_mm.BackbonePort', out_indices=out_indices)
    if staged.stock_output != 'maps':
        port['output'] = staged.stock_output
    first = {key: model.pop(key) for key in ('type', 'data_preprocessor') if key in model}
    return TakenModel({**first, 'backbone': port, **model}, backbone, out_indices, stride, left_out)


def build_backbone(owner: str, backbone: Mapping[str, Any]) -> StagedBackbone:
    """Build a backbone without its weights, and its adapter.

    Args:
        owner (str): Source or student that it belongs to, for errors.
        backbone (Mapping): Its config.

    Returns:
        StagedBackbone: Its adapter.

    Raises:
        ValueError: If it cannot be built, or its family is not supported.
    """
    cfg = {key: value for key, value in backbone.items() if key not in ('init_cfg', 'pretrained')}
    try:
        return build_staged_backbone(MODELS.build(with_scope(cfg)))
    except Exception as error:
        raise ValueError(f'The backbone of {owner!r} cannot be used: {error}') from error


def _epoch_settings(cfg: Any, path: str = 'model') -> list[str]:
    """Name the settings by which a stock model changes its loss at an epoch."""
    if isinstance(cfg, Mapping):
        return [name for key, value in cfg.items()
                for name in ([f'{path}.{key}'] if key == 'initial_epoch' else _epoch_settings(value, f'{path}.{key}'))]
    if isinstance(cfg, (list, tuple)):
        return [name for i, value in enumerate(cfg) for name in _epoch_settings(value, f'{path}.{i}')]
    return []


def _move_weights(model: dict[str, Any], backbone: dict[str, Any]) -> None:
    """Bring weights that a stock model gives to its backbone to where the backbone is now."""
    pretrained = model.pop('pretrained', None)
    if pretrained is not None:
        backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained)


def _weights(init_cfg: Any) -> Optional[str]:
    """The checkpoint that an ``init_cfg`` names; for some backbones without the type ``Pretrained``."""
    return init_cfg.get('checkpoint') if isinstance(init_cfg, Mapping) else None


def _undilate(backbone: dict[str, Any]) -> Optional[int]:
    """Write a dilated ResNet as a plain one that the branch's images run through dilated, where that is the same.

    So one student serves dilated and other branches.
    """
    strides, dilations = tuple(backbone.get('strides', ())), tuple(backbone.get('dilations', ()))
    dilated = [(s, d) for s, d in zip(strides, dilations, strict=False) if d > 1]
    if not dilated or len(strides) != len(_PLAIN_STRIDES) or not backbone.get('contract_dilation'):
        return None
    output_stride = 32 // 2**len(dilated)
    undilated = {k: v for k, v in backbone.items() if k not in ('strides', 'dilations', 'contract_dilation')}
    try:
        build_backbone('', undilated).dilated(output_stride)
    except ValueError as error:
        print_log(f'The dilated backbone is kept: {error}', logger='current', level=logging.DEBUG)
        return None
    backbone.clear()
    backbone.update(undilated)
    return output_stride
