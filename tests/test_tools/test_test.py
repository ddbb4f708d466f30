import json

import pytest
import torch
from mmengine.config import Config

import toy
from xlearner_mm.evaluation import read_baselines
from xlearner_mm.tools import test as tool

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def run(toy_data, tmp_path_factory):
    """Config and checkpoints of a run; the config has no test data."""
    folder = tmp_path_factory.mktemp('run')
    cfg = toy.config(toy_data, folder / 'run', 1, 2)
    toy.train(cfg)
    cfg.dump(folder / 'mine.py')
    return folder / 'mine.py', folder / 'run' / 'iter_2.pth'


@pytest.fixture(autouse=True)
def local_rank(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the tool would set for good


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the tool; gives its exit code and what it printed."""

    def _call(*arguments):
        monkeypatch.setattr('sys.argv', ['test.py', *map(str, arguments)])
        monkeypatch.chdir(tmp_path)
        code = 0
        try:
            tool.main()
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out

    return _call


def test_without_test_data_the_validation_data_is_tested_and_its_metrics_written(run, tmp_path, call):
    code, printed = call(*run, '--out', tmp_path / 'out.json', '--work-dir', tmp_path / 'w', '--cfg-options',
                         'val_cfg.intervals.maps=2', 'val_cfg.max_samples.maps=2')
    assert code == 0 and printed.endswith(f'wrote {tmp_path}/out.json\n')
    metrics = read_baselines(tmp_path / 'out.json')  # what delta_mtl takes
    assert {'photos/accuracy/top1', 'boxes/coco/bbox_mAP', 'maps/mIoU'} <= set(metrics)
    toy.clear_mmengine()
    cfg = Config.fromfile(run[0])
    cfg.update(load_from=str(run[1]), work_dir=str(tmp_path / 'val'))
    validated = toy.Runner.from_cfg(cfg).val()
    assert metrics == {key: float(value) for key, value in validated.items()}


def test_test_data_goes_first(run):
    args = tool.parse_args([*map(str, run), '--cfg-options', 'test_dataloader.a=1', 'test_cfg.type=T'])
    cfg = tool.load_config(args)
    assert (cfg.test_dataloader, cfg.test_cfg.type) == (dict(a=1), 'T') and cfg.get('test_evaluator') is None
    assert (cfg.resume, cfg.load_from) == (False, str(run[1]))


def test_a_stock_config_without_test_data(tmp_path):
    (tmp_path / 'stock.py').write_text("val_dataloader = dict(batch_size=1)\nval_evaluator = dict(type='A')\n"
                                       'val_cfg = dict(fp16=True)\n')
    cfg = tool.load_config(tool.parse_args([str(tmp_path / 'stock.py'), 'a.pth']))
    assert (cfg.test_dataloader, cfg.test_evaluator.type, cfg.test_cfg) == (dict(batch_size=1), 'A', dict(fp16=True))
    (tmp_path / 'stock.py').write_text('a = 1\n')
    with pytest.raises(ValueError, match=r'stock\.py has neither test_dataloader nor val_dataloader'):
        tool.load_config(tool.parse_args([str(tmp_path / 'stock.py'), 'a.pth']))


def test_a_checkpoint_that_does_not_fit_is_refused(run, tmp_path, call):
    code, _ = call(run[0], tmp_path / 'none.pth')
    assert code.startswith('test failed: ') and 'none.pth can not be found' in code
    loaded = torch.load(run[1], weights_only=False)
    state = loaded['state_dict']
    del state['branches.photos.head.fc.bias']
    state['other'] = state['branches.photos.head.fc.weight']
    state['branches.photos.head.fc.weight'] = state['other'][:2]
    torch.save(loaded, tmp_path / 'other.pth')
    toy.clear_mmengine()
    code, _ = call(run[0], tmp_path / 'other.pth')
    assert code == (
        f'test failed: The checkpoint {tmp_path}/other.pth does not fit the model of the config; weights that are 1 '
        'missing (branches.photos.head.fc.bias), 1 unknown (other), 1 differing (branches.photos.head.fc.weight: '
        '(2, 64) instead of (3, 64)). Give the config of its run.')


def test_every_figure_is_written(run, tmp_path, call, monkeypatch):
    monkeypatch.setattr(tool, 'test', lambda cfg: {'a': torch.tensor(0.5), 'b': torch.tensor([1., 2.]), 'c': 3})
    assert call(*run, '--out', tmp_path / 'out.json')[0] == 0
    assert json.loads((tmp_path / 'out.json').read_text()) == dict(a=0.5, b=[1, 2], c=3)
