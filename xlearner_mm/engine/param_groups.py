"""Parameter groups of an optimizer: merged where their settings are equal, shown, and checked on a resume."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from xlearner_mm.utils import text_table

from .param_multipliers import part_of

MEMBERS = 'members'  # key of a group that says which parameters are in it


def merge_groups(groups: Sequence[Mapping[str, Any]], names: Mapping[nn.Parameter, str]) -> list[dict[str, Any]]:
    """Make one group of all parameters with equal settings (ours).

    Groups come in the order of their first parameters in the model, parameters within a group in the model's order. A
    parameter that several modules hold counts once.

    Args:
        groups (Sequence[Mapping]): Groups in the order of the model, each ``params`` and settings.
        names (Mapping[nn.Parameter, str]): Names of the parameters, for errors.

    Returns:
        list[dict]: The merged groups.

    Raises:
        ValueError: If a parameter is in two groups with different settings.
    """
    by_parameter: dict[nn.Parameter, dict[str, Any]] = {}
    for group in groups:
        settings = {key: value for key, value in group.items() if key != 'params'}
        for parameter in group['params']:
            if by_parameter.setdefault(parameter, settings) != settings:
                raise ValueError(f'Two modules hold {names[parameter]!r}, with the settings {by_parameter[parameter]} '
                                 f'and {settings}. Set the same for both, or paramwise_cfg.bypass_duplicate=True: then '
                                 'those of the first are taken.')
    merged: list[tuple[dict[str, Any], list[nn.Parameter]]] = []
    for parameter, settings in by_parameter.items():
        parameters = next((own for known, own in merged if known == settings), None)
        if parameters is None:
            merged.append((settings, [parameter]))
        else:
            parameters.append(parameter)
    return [dict(params=parameters, **settings) for settings, parameters in merged]


def group_table(optimizer: Optimizer, names: Mapping[nn.Parameter, str]) -> list[str]:
    """Lay out the parameter groups of an optimizer.

    Args:
        optimizer (Optimizer): The optimizer.
        names (Mapping[nn.Parameter, str]): Names of the parameters.

    Returns:
        list[str]: Lines of a table.
    """
    rows = []
    for group in optimizer.param_groups:
        parts = dict.fromkeys(part_of(names[parameter]) for parameter in group['params'])
        rates = [f'{group[key]:.4g}' if key in group else '' for key in ('lr', 'weight_decay')]
        sizes = [parameter.numel() for parameter in group['params']]
        rows.append((', '.join(parts), *rates, f'{len(sizes):,}', f'{sum(sizes):,}'))
    return text_table(rows, ('parts', 'lr', 'weight decay', 'tensors', 'parameters'), 1)


def keep_for_resume(optimizer: Optimizer, names: Mapping[nn.Parameter, str]) -> None:
    """Let an optimizer refuse the state of other groups: torch goes by position, and equal sizes would let it pass.

    Args:
        optimizer (Optimizer): The optimizer; its groups get a key, which stands in checkpoints.
        names (Mapping[nn.Parameter, str]): Names of the parameters.
    """
    for group in optimizer.param_groups:
        own = '\n'.join(names[parameter] for parameter in group['params'])
        group[MEMBERS] = hashlib.sha256(own.encode()).hexdigest()[:16]
    optimizer.register_load_state_dict_pre_hook(_check_groups)


def _check_groups(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Compare groups with those of a checkpoint; whether to run fused is a matter of this machine, not of that one."""
    saved, own = state_dict['param_groups'], optimizer.param_groups
    members = [group.get(MEMBERS) for group in own]
    # Of another constructor only the number is known here; torch compares the sizes.
    if len(saved) != len(own) or any(group.get(MEMBERS, known) != known
                                     for group, known in zip(saved, members, strict=True)):
        raise ValueError(f'The {len(saved)} parameter groups of the optimizer in the checkpoint are not the {len(own)} '
                         'of this run: optim_wrapper (its constructor, paramwise_cfg) or what is frozen was changed. '
                         'Resume with the settings of the checkpoint, or use load_from for a new run.')
    groups = [{**group, **{key: known[key] for key in ('fused', ) if key in group and key in known},
               MEMBERS: known[MEMBERS]} for group, known in zip(saved, own, strict=True)]
    return dict(state_dict, param_groups=groups)
