"""A plain backbone out of an X-Learner checkpoint, proved against the library that will load it."""

import io
from pathlib import Path
from typing import Any, Union

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from xlearner_mm.models import Phase
from xlearner_mm.utils import atomic_write
from xlearner_mm.version import __version__

from .targets import build_target, stage_features
from .trained_model import read_run


def export_backbone(checkpoint: Union[str, Path], out: Union[str, Path], target: str, part: str = 'student') -> Path:
    """Export the student, or the sub-backbone of a task, as a plain backbone.

    The file is written only when the stock network of the target has loaded it with no missing and no unexpected key
    and gives exactly the features of the trained backbone. A sub-backbone leaves its links behind.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.
        out (str or Path): File to write.
        target (str): ``mmdet``, ``mmseg``, ``mmpretrain`` or ``torchvision``.
        part (str): ``student``, a task, or ``backbone`` for the shared backbone of a run without expansion.

    Returns:
        Path: The file that was written.

    Raises:
        ValueError: If the checkpoint has no such part, or the target cannot load it.
    """
    cfg_of_run, loaded = read_run(checkpoint)
    model = cfg_of_run.model
    prefix, cfg = _find_part(model, part)
    state = {k[len(prefix):]: v for k, v in loaded['state_dict'].items() if k.startswith(prefix)}
    if part == 'student' and int(loaded['state_dict']['squeeze.phase']) != Phase.SQUEEZE:
        raise ValueError(f'{checkpoint} was saved before the squeeze: its student is untrained. Export a task '
                         f'({", ".join(model.backbone.sub_backbones)}) or a later checkpoint.')
    network = build_target(target, cfg)
    _load_exactly(network, state, f'{part} of {checkpoint}', target)
    _prove(network, state, cfg, target)
    normalisation = _normalisation_of(model)
    print_log(f'The backbone expects images normalised as in its training: {normalisation}', logger='current')
    meta = dict(part=part, target=target, backbone=str(cfg.to_dict()), normalisation=normalisation,
                xlearner_mm=__version__)
    content = state if target == 'torchvision' else dict(state_dict=state, meta=meta)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    atomic_write(out, buffer.getvalue())
    return Path(out)


def _normalisation_of(model: Any) -> str:
    """Say how the images were normalised: each kind with its sources, in the words of a config."""
    sources: dict[str, list[str]] = {}
    for source, branch in model.branches.items():
        cfg = branch.model.get('data_preprocessor') or {}
        sources.setdefault(f'mean={cfg.get("mean")}, std={cfg.get("std")}', []).append(source)
    return '; '.join(f'{values} ({", ".join(names)})' for values, names in sources.items())


def _find_part(model: Any, part: str) -> tuple[str, Any]:
    """Give the prefix of a part in the state dict, and the config of its backbone."""
    parts = {}
    if 'sub_backbones' in model.backbone:
        parts = {task: (f'backbone.sub_backbones.{task}.', cfg) for task, cfg in model.backbone.sub_backbones.items()}
    else:
        parts['backbone'] = 'backbone.', model.backbone
    if model.get('squeeze') is not None:
        parts['student'] = 'squeeze.student.', model.squeeze.student
    if part not in parts:
        raise ValueError(f'The checkpoint has no part {part!r}; it has {", ".join(parts)}.')
    return parts[part]


def _load_exactly(network: nn.Module, state: dict[str, Tensor], what: str, target: str) -> None:
    """Load a state dict, or refuse it with every key that does not fit.

    Only torchvision's classifier may be missing: a backbone has none.
    """
    own = network.state_dict()
    missing = [k for k in own if k not in state and not (target == 'torchvision' and k.startswith('fc.'))]
    unexpected = [k for k in state if k not in own]
    shapes = [f'{k} {tuple(state[k].shape)} into {tuple(own[k].shape)}' for k in state
              if k in own and own[k].shape != state[k].shape]
    if missing or unexpected or shapes:
        raise ValueError(f'{target} cannot load the {what}. Missing keys: {missing or "none"}. Unexpected keys: '
                         f'{unexpected or "none"}. Other shapes: {shapes or "none"}. Nothing was written.')
    network.load_state_dict(state, strict=False)


def _prove(network: nn.Module, state: dict[str, Tensor], cfg: Any, target: str) -> None:
    """Compare the loaded network with the trained backbone, in the library that it was trained in."""
    trained = build_target(str(cfg['type']).split('.', 1)[0], cfg)
    trained.load_state_dict(state)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features, expected = stage_features(network, images), stage_features(trained, images)
    for what, empty in (('not finite', lambda f: not f.isfinite().all()), ('nothing but zeros', lambda f: not f.any())):
        stages = [i for i, f in enumerate(expected) if empty(f)]
        if stages:
            raise ValueError(f'The trained backbone gives features at the stages {stages} that are {what} on random '
                             'images: it has diverged or died, and equal features would prove nothing. Nothing was '
                             'written. Export an earlier checkpoint.')
    different = [i for i, (a, b) in enumerate(zip(features, expected, strict=True)) if not torch.equal(a, b)]
    if different:
        raise ValueError(f'The {type(network).__name__} of {target} loads the weights but gives other features at the '
                         f'stages {different}: its blocks differ from the trained ones. Nothing was written.')
