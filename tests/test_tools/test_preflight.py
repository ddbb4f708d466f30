import sys

import pytest

import toy
from xlearner_mm.tools import preflight

pytestmark = pytest.mark.compat


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, toy_data):
    """Run the tool on the toy config with changes; gives its exit code, what it printed and what it complained of."""

    def _run(*options, **changes):
        path = tmp_path / 'mine.py'
        if not path.exists():
            toy.config(toy_data, tmp_path / 'run', **changes).dump(path)
        monkeypatch.setattr(sys, 'argv', ['preflight.py', str(path), *options])
        monkeypatch.chdir(tmp_path)
        code = 0
        try:
            preflight.main()
        except SystemExit as stop:
            code = stop.code  # a message, for which Python exits with 1 and prints it to stderr
        return code, capsys.readouterr().out

    return _run


def test_the_toy_run_passes_and_nothing_is_written(run, tmp_path):
    code, printed = run()
    assert code == 0
    lines = printed[printed.index('  source'):].splitlines()
    assert [line.split()[:6] for line in lines[2:5]] == [
        ['boxes', 'det', 'mmdet', '5', '2', '2.40'],
        ['maps', 'seg', 'mmseg', '6', '2', '2'],
        ['photos', 'cls', 'mmpretrain', '7', '2', '1.71'],
    ]
    assert lines[5:] == ['preflight passed']
    assert [path.name for path in tmp_path.iterdir()] == ['mine.py']


def test_a_finding_fails_and_can_be_allowed(run):
    option = 'model.branches.photos.model.head.num_classes=5'
    code, printed = run('--cfg-options', option)
    assert code.startswith('preflight failed: Preflight found 1 problem') and 'passed' not in printed
    assert "LinearClsHead of model.branches.photos.model has num_classes=5; its data has 3: 'class0'" in code
    toy.clear_mmengine()
    code, printed = run('--cfg-options', option, 'train_cfg.preflight_allow=[classes]')
    assert code == 0 and printed.endswith('preflight passed\n')


@pytest.mark.parametrize('option, message', [
    ('train_dataloader.batch_size.maps=0', 'train_dataloader.batch_size.maps=0'),
    ('param_scheduler.0.by_epoch=True', 'PolyLR counts epochs'),
    ('custom_hooks.0.expansion_iters=6', 'expansion_iters=6 leaves no iterations for the squeeze'),
    ('val_dataloader.maps.dataset.data_prefix.img_path=nowhere', 'maps'),
    ('train_cfg.type=IterBasedTrainLoop', 'preflight checks X-Learner runs'),
])
def test_a_user_error_is_told_without_traceback(option, message, run):
    code, _ = run('--cfg-options', option)
    assert code.startswith('preflight failed: ') and message in code


def test_a_config_that_is_not_there_or_no_config(run, tmp_path):
    (tmp_path / 'mine.py').write_text('model = dict(')
    assert run()[0].startswith('preflight failed: ')
    (tmp_path / 'mine.py').unlink()
    (tmp_path / 'mine.py').mkdir()
    assert run()[0] == (f'preflight failed: The config {tmp_path}/mine.py does not exist, and none of that name is '
                        'installed with xlearner_mm. Mend its path.')


def test_an_error_of_ours_keeps_its_traceback(run, monkeypatch):
    monkeypatch.setattr(preflight, 'check_config', lambda cfg: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run()


def test_logging_services_and_resuming_are_left_out(toy_data, tmp_path, monkeypatch):
    cfg = toy.config(toy_data, tmp_path / 'run', visualizer=dict(
        type='Visualizer', vis_backends=[dict(type='WandbVisBackend')]), resume=True)
    cfg.dump(tmp_path / 'mine.py')
    monkeypatch.setattr(sys, 'argv', ['preflight.py', str(tmp_path / 'mine.py')])
    cfg = preflight._quiet_config(preflight.parse_args(), str(tmp_path / 'other'))
    assert cfg.visualizer.vis_backends is None and cfg.resume is False and cfg.work_dir == str(tmp_path / 'other')
