import pytest
import torch
from mmengine.registry import MODELS

import toy
from tiny import resnet, xlearner
from xlearner_mm.models import Phase
from xlearner_mm.transfer.resolution_sweep import HintError, resolution_sweep, sweep, sweep_picture, sweep_table

pytestmark = pytest.mark.compat


def perfect(**squeeze):
    """A student that is the sub-backbone of det, with connectors that pass it on."""
    torch.manual_seed(0)
    model = MODELS.build(xlearner(
        backbone=dict(type='xlearner_mm.ExpandedBackbone', reconciliation=dict(wiring='none'),
                      sub_backbones={task: resnet() for task in ('cls', 'det', 'seg')}),
        squeeze=dict(student=resnet(), start='det', **squeeze)))
    model.init_weights()
    model.squeeze.start_student()
    for by_level in model.squeeze.connectors.values():
        torch.nn.init.dirac_(by_level['3'].projection.weight)
        torch.nn.init.zeros_(by_level['3'].projection.bias)
    model.set_phase(Phase.SQUEEZE)
    return model.eval()


def images():
    return [('photos', torch.randn(2, 3, 64, 64)), ('maps', torch.randn(2, 3, 64, 96))]


def test_a_student_that_is_its_teacher_has_no_error_at_any_size():
    errors = sweep(perfect(), images(), (32, 96))
    assert [(e.size, e.teacher) for e in errors] == [(s, t) for s in (32, 96) for t in ('cls', 'det', 'seg')]
    for error in errors:
        if error.teacher == 'det':
            assert error.loss == 0 and abs(error.cosine) < 1e-6
        else:
            assert error.loss > 0.001 and error.cosine > 0.01


def test_a_student_that_is_another_network_at_one_size_shows():
    model = perfect()
    model.squeeze.student.layer4.register_forward_hook(lambda _, __, y: -y if y.shape[-1] == 4 else y)
    errors = {(e.size, e.teacher): e for e in sweep(model, images()[:1], (64, 128, 192))}
    assert errors[64, 'det'].cosine < 1e-6 and errors[192, 'det'].cosine < 1e-6
    assert errors[128, 'det'].cosine == pytest.approx(2, abs=1e-3) and errors[128, 'det'].loss > 0.01


def test_table_and_picture():
    errors = [HintError(size, t, size / 100, 0.5) for size in (64, 128) for t in ('cls', 'expert')]
    lines = sweep_table(errors).splitlines()
    assert [line.split() for line in lines if '/' in line] == [
        ['64', '0.6400', '/', '0.500', '0.6400', '/', '0.500'], ['128', '1.2800', '/', '0.500', '1.2800', '/', '0.500']]
    loss, cosine = sweep_picture(errors).axes
    assert [line.get_label() for line in loss.lines] == ['cls', 'expert']
    assert list(loss.lines[0].get_xydata().flatten()) == [64, 0.64, 128, 1.28]
    assert list(cosine.lines[1].get_ydata()) == [0.5, 0.5]


def test_of_a_run(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path, 1, 2))
    errors = resolution_sweep(tmp_path / 'iter_2.pth', (32, 64), steps=1)
    assert len(errors) == 6 and all(0 < e.loss < 10 for e in errors)
    with pytest.raises(ValueError, match=r'expansion\.pth was saved before a squeeze'):
        resolution_sweep(tmp_path / 'expansion.pth', (32, ))
    with pytest.raises(ValueError, match='--sizes 0 must be numbers of pixels'):
        resolution_sweep(tmp_path / 'iter_2.pth', (0, ))
