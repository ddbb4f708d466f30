"""In which stage of its backbone a parameter is."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from xlearner_mm.models import StagedBackbone
from xlearner_mm.models.expansion import StagedHRNet, plain_pass
from xlearner_mm.utils import kind_of

STEM = -1
# Backbones with absolute positions want the size of their pre-training, and not all of them keep it.
_SIZES = (224, 256, 384, 512)
_HR_MODULE = re.compile(r'(layer|stage|transition)(\d)')


def param_stages(staged: StagedBackbone) -> dict[str, int]:
    """Find the stage of every parameter of a backbone, by running the adapter stage by stage (ours).

    Args:
        staged (StagedBackbone): Adapter of the backbone.

    Returns:
        dict[str, int]: By name of the parameter, ``STEM`` for what runs before stage 0, the number of stages for what
            no stage runs, such as output norms.

    Raises:
        ValueError: If the adapter does not run the backbone by stages, or not at any size that was tried.
    """
    net = staged.backbone
    if isinstance(staged, StagedHRNet):
        return {name: _hr_stage(name) for name, _ in net.named_parameters()}
    called = _stages_of_modules(staged)
    named = {name: called[module] for name, module in net.named_modules() if module in called}
    stages = {}
    for name, _ in net.named_parameters():
        # A module may use a part of it without calling it, as nn.MultiheadAttention does with out_proj.
        within = [name.rsplit('.', steps)[0] for steps in range(1, name.count('.') + 1)]
        uncalled = staged.num_stages if within else STEM  # the backbone's own are positions and class tokens
        stages[name] = next((named[module] for module in within if module in named), uncalled)
    return stages


def _stages_of_modules(staged: StagedBackbone) -> dict[nn.Module, int]:
    """Run the stages one by one, and note in which of them each module is called first."""
    errors = []
    for size in dict.fromkeys([_own_size(staged), (staged.probe_size, ) * 2, *((size, size) for size in _SIZES)]):
        image = next(staged.backbone.parameters()).new_zeros(1, staged.image_channels, *size)
        try:
            return _watch(staged, image)
        except NotImplementedError as error:
            raise ValueError(f'paramwise_cfg.layer_decay: {type(staged).__name__} does not run a '
                             f'{kind_of(staged.backbone)} stage by stage. Define stem() and stage() in it, or take '
                             'layer_decay out.') from error
        except (AssertionError, RuntimeError, ValueError) as error:  # what backbones raise that want another size
            errors.append(f'{size[0]}×{size[1]}: {error}')
    raise ValueError(f'paramwise_cfg.layer_decay: {kind_of(staged.backbone)} runs on none of the images that were '
                     f'tried to see its stages. Take layer_decay out. {"; ".join(errors)}')


def _own_size(staged: StagedBackbone) -> tuple[int, int]:
    size = getattr(staged.backbone, 'img_size', staged.probe_size)
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def _watch(staged: StagedBackbone, image: Tensor) -> dict[nn.Module, int]:
    """Run the stages on an image ``(1, C, H, W)``, without touching any state."""
    called: dict[nn.Module, int] = {}
    now = STEM

    def _note(module: nn.Module, _: Any) -> None:
        called.setdefault(module, now)

    hooks = [module.register_forward_pre_hook(_note) for module in staged.backbone.modules()]
    try:
        with torch.no_grad(), plain_pass(staged.backbone):
            state = staged.stem(image)
            for now in range(staged.num_stages):
                state = staged.stage(now, state)
    finally:
        for hook in hooks:
            hook.remove()
    return called


def _hr_stage(name: str) -> int:
    """Give the stage of a parameter of an HRNet by its name: the resolutions of a stage run side by side."""
    found = _HR_MODULE.match(name)
    if found is None:
        return STEM
    return int(found[2]) - (0 if found[1] == 'transition' else 1)  # transition 1 makes what stage 2 reads
