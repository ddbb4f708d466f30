"""Starting a source from a checkpoint of its stock model."""

from collections.abc import Mapping
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

_BACKBONE = 'backbone.'


def load_stock_checkpoint(source: str, checkpoint: str, branch: nn.Module, backbone: nn.Module) -> None:
    """Load a stock detector, segmentor or classifier into a source's branch and the backbone of its task (ours).

    Args:
        source (str): Name of the source.
        checkpoint (str): File or address of the checkpoint, as mmengine reads them.
        branch (nn.Module): The branch, its backbone a port.
        backbone (nn.Module): Stock backbone of the source's task.

    Raises:
        ValueError: If a key or a shape does not fit; then nothing is loaded.
    """
    state = _read(checkpoint)
    parts = {
        'backbone': (backbone, {k[len(_BACKBONE):]: v for k, v in state.items() if k.startswith(_BACKBONE)}),
        'branch': (branch, {k: v for k, v in state.items() if not k.startswith(_BACKBONE)})
    }
    problems = [f'{what}: {problem}' for what, (module, part) in parts.items()
                for problem in _problems(module.state_dict(), part)]
    if problems:
        raise ValueError(
            f'The checkpoint {checkpoint} does not fit source {source!r}, {len(problems)} problems, e.g. '
            f'{"; ".join(problems[:4])}. Use a checkpoint of the same stock model, or load the backbone alone: '
            f"init_cfg=dict(type='Pretrained', checkpoint='{checkpoint}', prefix='backbone.') in its sub-backbone.")
    for module, part in parts.values():
        module.load_state_dict(part)


def load_stock_backbone(what: str, checkpoint: str, backbone: nn.Module) -> None:
    """Load the backbone out of a stock model's checkpoint, or out of one of the backbone alone (ours).

    Args:
        what (str): How the error names what is loaded into.
        checkpoint (str): File or address of the checkpoint, as mmengine reads them.
        backbone (nn.Module): The stock backbone.

    Raises:
        ValueError: If a key or a shape does not fit; then nothing is loaded.
    """
    state = _read(checkpoint)
    if any(key.startswith(_BACKBONE) for key in state):
        state = {key[len(_BACKBONE):]: value for key, value in state.items() if key.startswith(_BACKBONE)}
    problems = _problems(backbone.state_dict(), state)
    if problems:
        raise ValueError(f'The checkpoint {checkpoint} does not fit the backbone of {what}, {len(problems)} problems, '
                         f'e.g. {"; ".join(problems[:4])}. Use a checkpoint of the same stock model or backbone.')
    backbone.load_state_dict(state)


def _read(checkpoint: str) -> dict[str, Tensor]:
    loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    return {key.removeprefix('module.'): value for key, value in loaded.get('state_dict', loaded).items()}


def _problems(own: Mapping[str, Any], found: Mapping[str, Tensor]) -> list[str]:
    """Compare keys and shapes."""
    problems = [f'{key} is missing' for key in own if key not in found]
    problems += [f'{key} is not in the model' for key in found if key not in own]
    return problems + [f'{key} has the shape {tuple(found[key].shape)} instead of {tuple(own[key].shape)}'
                       for key in own if key in found and found[key].shape != own[key].shape]
