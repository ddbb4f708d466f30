import pytest
import torch
from torch import nn

from xlearner_mm.engine.param_groups import group_table, keep_for_resume, merge_groups

pytestmark = pytest.mark.compat

A, B, C = (nn.Parameter(torch.zeros(n)) for n in (1, 2, 3))
NAMES = {A: 'backbone.sub_backbones.cls.a', B: 'branches.photos.b', C: 'squeeze.student.c'}


def groups(*pairs):
    return [dict(params=[parameter], lr=lr, betas=[lr, 0.9]) for parameter, lr in pairs]


def ids(merged):
    return [[id(parameter) for parameter in group['params']] for group in merged]


def optimizer(*pairs, **kwargs):
    made = torch.optim.SGD(merge_groups(groups(*pairs), NAMES), lr=1.0, momentum=0.9, **kwargs)
    keep_for_resume(made, NAMES)
    return made


def test_equal_settings_are_one_group_in_the_order_of_the_model():
    merged = merge_groups(groups((A, 0.1), (B, 0.2), (C, 0.1)), NAMES)
    assert ids(merged) == [[id(A), id(C)], [id(B)]]
    assert [(group['lr'], group['betas']) for group in merged] == [(0.1, [0.1, 0.9]), (0.2, [0.2, 0.9])]
    assert ids(merge_groups([dict(params=[A]), dict(params=[B], lr=0.1)], NAMES)) == [[id(A)], [id(B)]]


def test_a_parameter_of_two_modules_counts_once():
    assert ids(merge_groups(groups((A, 0.1), (B, 0.1), (A, 0.1)), NAMES)) == [[id(A), id(B)]]
    with pytest.raises(ValueError, match="Two modules hold 'backbone.sub_backbones.cls.a', with the settings "
                                         r"{'lr': 0.1, .* and {'lr': 0.2, .*bypass_duplicate=True"):
        merge_groups(groups((A, 0.1), (A, 0.2)), NAMES)


def test_the_table():
    table = group_table(optimizer((A, 0.125), (B, 0.1), (C, 0.125), weight_decay=0.05), NAMES)
    assert table[0].split() == ['parts', 'lr', 'weight', 'decay', 'tensors', 'parameters']
    assert table[2].split() == ['sub_backbones,', 'student', '0.125', '0.05', '2', '4']
    assert table[3].split() == ['branches', '0.1', '0.05', '1', '2']


@pytest.mark.parametrize('pairs', [
    ((A, 0.1), (B, 0.1), (C, 0.2)), ((B, 0.1), (A, 0.2), (C, 0.2)), ((A, 0.1), (B, 0.2), (C, 0.3)),
], ids=['other sizes', 'other parameters', 'another number'])
def test_state_of_other_groups_is_refused(pairs):
    saved = optimizer((A, 0.1), (B, 0.2), (C, 0.2)).state_dict()
    optimizer((A, 0.1), (B, 0.2), (C, 0.2)).load_state_dict(saved)
    with pytest.raises(ValueError, match=r'The 2 parameter groups of the optimizer in the checkpoint are not the \d of '
                                         'this run: optim_wrapper .* was changed. Resume with the settings'):
        optimizer(*pairs).load_state_dict(saved)


def test_state_of_another_constructor():
    saved = torch.optim.SGD([dict(params=[A]), dict(params=[B, C], lr=0.3)], lr=1.0, momentum=0.9).state_dict()
    own = optimizer((A, 0.1), (B, 0.2), (C, 0.2))
    members = [group['members'] for group in own.param_groups]
    own.load_state_dict(saved)
    assert [group['lr'] for group in own.param_groups] == [1.0, 0.3]
    assert [group['members'] for group in own.param_groups] == members


def test_whether_to_run_fused_is_not_taken_from_a_checkpoint():
    made = torch.optim.AdamW(merge_groups(groups((A, 0.1)), NAMES))
    keep_for_resume(made, NAMES)
    saved = made.state_dict()
    saved['param_groups'][0].update(fused=True, eps=0.5)
    made.load_state_dict(saved)
    assert made.param_groups[0]['fused'] is None and made.param_groups[0]['eps'] == 0.5
