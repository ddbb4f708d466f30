"""A whole stock model out of an X-Learner checkpoint: a source's branch with its backbone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

from mmengine.model import BaseModel

from xlearner_mm.models import Phase, XLearner
from xlearner_mm.models.backbone_port import BackbonePort
from xlearner_mm.models.branch import ports_of
from xlearner_mm.utils import kind_of, library_of
from xlearner_mm.version import __version__

from .branch_backbone import branch_backbone
from .branch_proof import build_stock_model, prove_branch
from .export import facts_of
from .exported import Exported
from .file_format import encode
from .run_facts import branch_models
from .staging import staged
from .stock_backbone import STOCK
from .stock_config import stock_config
from .trained_model import load_model

# Module of each library's inferencer, and what of it takes a config and a checkpoint.
_INFERENCERS = dict(mmdet=('mmdet.apis', 'DetInferencer'), mmseg=('mmseg.apis', 'MMSegInferencer'),
                    mmpretrain=('mmpretrain', 'ImageClassificationInferencer'))


def export_branch(checkpoint: Union[str, Path], out: Union[str, Path], source: str,
                  target: Optional[str] = None) -> Exported:
    """Export the stock model of a source, its backbone included; its config is written beside it, as a ``.py`` file.

    Both are written only when the stock model that they give predicts exactly what the branch does.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.
        out (str or Path): File to write, a ``.pth``.
        source (str): The source.
        target (str, optional): Library that the caller expects the model to be of.

    Returns:
        Exported: The checkpoint that was written, and how it is used.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If no stock model computes what the branch does.
    """
    out = Path(out)
    if out.suffix == '.py':
        raise ValueError(f'{out} is to hold weights: its config will be {out} beside them. Give it another suffix, '
                         'such as .pth.')
    model, cfg, loaded = load_model(checkpoint)
    branch, port = _find_branch(model, source, target)
    library, squeezed = library_of(branch), model.phase is Phase.SQUEEZE
    own = branch_models(cfg.model, squeezed)[source]
    backbone = branch_backbone(model, cfg, source, port, library)
    text = stock_config(cfg, source, own, backbone.cfg, library,
                        f'{source}, exported from {Path(checkpoint).name!r} by xlearner_mm {__version__}.')
    with model.shared.whole(source, branch):
        state = {**{f'backbone.{key}': value for key, value in backbone.state.items()}, **branch.state_dict()}
    facts = facts_of(checkpoint, cfg, loaded, {source: own}, squeezed)
    meta = dict(cfg=text, dataset_meta=_plain((loaded['meta'].get('dataset_meta') or {}).get(source, {})),
                export=dict(facts, source=source))
    config = out.with_suffix('.py')
    with staged({config: text.encode(), out: encode(state, meta, 'pth')}) as written:
        stock = build_stock_model(written[config], written[out], library)
        agreement = prove_branch(model, source, port, stock, library, backbone.sizes[-1])
    module, call = _INFERENCERS[library]
    return Exported(out, library, agreement,
                    [f'import {module}', f'inferencer = {module}.{call}({str(config)!r}, {str(out)!r})'],
                    [f'Its config: {config}', f'Sizes in training: {facts["input_sizes"][source]}.'])


def _find_branch(model: XLearner, source: str, target: Optional[str]) -> tuple[BaseModel, BackbonePort]:
    """Find the stock model of a source, and its port."""
    if source not in model.tasks:
        raise ValueError(f'The checkpoint has no source {source!r}; it has {", ".join(model.tasks)}.')
    branch = model.branch(source)
    library, ports = library_of(branch), ports_of(branch)
    if library not in STOCK:
        raise ValueError(f'The model of source {source!r} is a {kind_of(branch)}, of no library that is exported: '
                         f'{", ".join(STOCK)}.')
    if target not in (None, library):
        raise ValueError(f'The model of source {source!r} is a {kind_of(branch)}: export it to {library}, not to '
                         f'{target}.')
    if len(ports) != 1 or getattr(branch, 'backbone', None) is not ports[0]:
        raise ValueError(f'The {kind_of(branch)} of source {source!r} has {len(ports)} ports, and not one as its '
                         'backbone: it cannot be written as a stock model.')
    return branch, ports[0]


def _plain(value: Any) -> Any:
    """Keep of the metainfo of a data set what any reader of checkpoints takes."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, 'tolist') else value
