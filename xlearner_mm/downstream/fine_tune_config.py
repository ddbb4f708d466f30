"""The stock config of a fine-tuning run, with the backbone to be compared in it."""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from xlearner_mm.models.expansion import StagedBackbone, build_staged_backbone
from xlearner_mm.transfer.branch_backbone import dilated
from xlearner_mm.utils import with_scope

from .downstream_set import DownstreamSet
from .pixels import Pixels

LOW_DATA = 0.1  # paper's team: gv-benchmark's share of the training data
_INNER = ('dataset', 'datasets')  # where wrappers of data sets keep what they wrap


def fine_tune_config(downstream: DownstreamSet, backbone: Mapping[str, Any], pixels: Pixels, variant: str,
                     seed: int) -> Config:
    """Put a backbone into a set's stock config.

    Stages, numbers of channels, the normalisation and the output stride follow the backbone; all else is the set's.

    Args:
        downstream (DownstreamSet): The set.
        backbone (Mapping): Config of the stock backbone in the set's library.
        pixels (Pixels): Its normalisation.
        variant (str): ``full`` or ``low_data``: a tenth of the training data, the backbone frozen.
        seed (int): Seed of the run, and of the choice of the data.

    Returns:
        Config: The config, which the set's library trains.

    Raises:
        ValueError: If the config lacks a field that ``downstream`` names, or brings weights, or the backbone does not
            fit.
    """
    cfg = copy.deepcopy(downstream.cfg)
    named = [key for key, value in (('load_from', cfg.get('load_from')), ('model.init_cfg', cfg.model.get('init_cfg')))
             if value]
    if named:
        raise ValueError(f'The set {downstream.name!r} has {" and ".join(named)}, whose weights would replace those of '
                         'every backbone that is compared. Take it out of its config.')
    staged = _build(backbone)
    own = cfg.model.backbone
    last = len(staged.levels) - 1
    default = (last, ) if downstream.library == 'mmpretrain' else range(last + 1)  # what their backbones give
    levels = tuple(staged.levels[i] for i in own.get('out_indices', default))
    settings = {key: own[key] for key in ('frozen_stages', 'norm_eval', 'with_cp')
                if key in own and key in inspect.signature(type(staged.backbone).__init__).parameters}
    cfg.model.backbone = {**backbone, **settings, 'out_indices': levels,
                          **_dilated(staged, downstream.cfg.downstream.get('output_stride'))}
    _set_channels(cfg, staged, downstream)
    cfg.model.setdefault('data_preprocessor', {}).update(pixels.settings(downstream.library))
    cfg.model.data_preprocessor.pop('rgb_to_bgr', None)
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
    if variant == 'low_data':
        cfg.train_dataloader.dataset = with_share(cfg.train_dataloader.dataset, LOW_DATA, seed)
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='xlearner_mm.FrozenBackboneHook')]
    return cfg


def with_share(dataset: Mapping[str, Any], share: float, seed: int) -> dict[str, Any]:
    """Take a part of each stock data set in a config; what wraps them, such as ``RepeatDataset``, stays.

    Args:
        dataset (Mapping): Config of the data set.
        share (float): Part of the samples.
        seed (int): Which ones.

    Returns:
        dict: The config of the part.
    """
    inner = next((key for key in _INNER if key in dataset), None)
    if inner is None:
        return dict(type='xlearner_mm.ShareOfDataset', dataset=dict(dataset), share=share, seed=seed)
    held = dataset[inner]
    parts = with_share(held, share, seed) if isinstance(held, Mapping) else [with_share(d, share, seed) for d in held]
    return {**dataset, inner: parts}


def _build(backbone: Mapping[str, Any]) -> StagedBackbone:
    return build_staged_backbone(MODELS.build(with_scope({k: v for k, v in backbone.items() if k != 'init_cfg'})))


def _dilated(staged: StagedBackbone, output_stride: Any) -> dict[str, Any]:
    """Settings of mmseg's ResNets with dilation instead of stride; other families keep their strides."""
    if output_stride is None or 'contract_dilation' not in inspect.signature(type(staged.backbone).__init__).parameters:
        return {}
    return dilated(staged.shapes(), output_stride)


def _set_channels(cfg: Config, staged: StagedBackbone, downstream: DownstreamSet) -> None:
    """Write the backbone's numbers of channels where the set's config needs them."""
    channels = [shape.channels for shape in staged.level_shapes()]
    for field, levels in downstream.cfg.downstream.get('channels', {}).items():
        *path, last = field.split('.')
        holder: Any = cfg
        for key in path:
            holder = holder[int(key)] if isinstance(holder, (list, tuple)) else holder.get(key)
            if holder is None:
                raise ValueError(f'{downstream.name}: downstream.channels names {field}, which the config does not '
                                 'have.')
        holder[last] = channels[levels] if isinstance(levels, int) else [channels[i] for i in levels]
