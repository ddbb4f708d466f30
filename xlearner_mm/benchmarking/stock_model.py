"""The stock model of a source, with a plain backbone of its own."""

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel

from xlearner_mm.models import Phase, XLearner
from xlearner_mm.models.backbone_port import BackbonePort
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.registry import MODELS
from xlearner_mm.transfer.branch_backbone import dilated, returning
from xlearner_mm.transfer.run_facts import branch_models
from xlearner_mm.utils import with_scope


def stock_model(cfg: Config, model: XLearner, source: str) -> BaseModel:
    """Build the stock model of a source as if there were no other source (ours).

    Its backbone is that of the config for the source's images in the model's phase: the sub-backbone of its task
    without links, the shared backbone, or the student.

    Args:
        cfg (Config): Config of the run.
        model (XLearner): Its model, for the phase and the tasks.
        source (str): The source.

    Returns:
        BaseModel: The model with new weights.

    Raises:
        ValueError: If its library cannot build such a model.
    """
    settings = with_scope(copy.deepcopy(branch_models(cfg.model, model.phase is Phase.SQUEEZE)[source]))
    backbone = _backbone_of(cfg, model, source)
    stride = (cfg.model.get('output_stride') or {}).get(model.tasks[source])
    try:
        stock = MODELS.build(_replace_ports(settings, source, backbone, stride))
        stock.init_weights()
    except (AssertionError, KeyError, TypeError) as error:
        raise ValueError(f'The stock model of source {source!r} cannot be built with a backbone of its own: {error}. '
                         'Leave it out with --no-stock.') from error
    return stock


def _backbone_of(cfg: Config, model: XLearner, source: str) -> Any:
    if model.phase is Phase.SQUEEZE:
        return cfg.model.squeeze.student
    return (cfg.model.backbone.get('sub_backbones') or {}).get(model.tasks[source], cfg.model.backbone)


def _replace_ports(settings: Any, source: str, backbone: Mapping[str, Any], stride: Any) -> Any:
    """Put a backbone into every place where a branch has a port."""
    if isinstance(settings, (list, tuple)):
        return type(settings)(_replace_ports(part, source, backbone, stride) for part in settings)
    if not isinstance(settings, Mapping):
        return settings
    if str(settings.get('type')).split('.')[-1] == BackbonePort.__name__:
        port = BackbonePort(**{key: value for key, value in settings.items() if key not in ('type', '_scope_')})
        return with_scope(ConfigDict(_returning(port, source, backbone, stride)))
    return ConfigDict({key: _replace_ports(value, source, backbone, stride) for key, value in settings.items()})


def _returning(port: BackbonePort, source: str, backbone: Mapping[str, Any], stride: Any) -> dict[str, Any]:
    """Let a backbone return what a port does."""
    plain = MODELS.build(with_scope(copy.deepcopy(backbone)))
    settings: dict[str, Any] = dict(copy.deepcopy(backbone))
    if stride is not None:  # only mmseg's ResNet has contract_dilation
        settings.update(dilated(build_staged_backbone(plain).shapes(), stride),
                        type='mmseg.' + settings['type'].split('.')[-1])
    settings.update(returning(plain, port))
    found = build_staged_backbone(MODELS.build(with_scope(ConfigDict(copy.deepcopy(settings))))).stock_output
    if found != port.output:
        raise ValueError(f'The port of source {source!r} has output={port.output!r}, and a stock {settings["type"]} '
                         f'returns {found!r}: there is no stock model to compare with. Leave it out with --no-stock.')
    return settings
