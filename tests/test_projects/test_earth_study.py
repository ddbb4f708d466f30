import importlib
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from earth import study, study_report
from earth.runs import CONFIGS


@pytest.mark.parametrize('method', [m for m in study.methods() if m.config], ids=lambda m: m.name)
def test_every_backbone_that_is_transferred_sees_the_same_steps_and_images(method):
    cfg = Config.fromfile(CONFIGS / method.config)
    cfg.merge_from_dict({key: json.loads(value) if value.isdigit() else value for key, value in method.options.items()})
    hooks = cfg.get('custom_hooks') or [dict(expansion_iters=0)]
    steps = cfg.train_cfg.max_iters - int(hooks[0]['expansion_iters'])
    assert steps == (2 if method.name == 'hard_sharing_long' else 1) * study.STEPS
    assert sum(cfg.train_dataloader.batch_size.values()) == study.IMAGES
    assert cfg.train_cfg.max_iters % cfg.train_cfg.val_interval == 0
    ends = [scheduler['end'] for scheduler in cfg.param_scheduler]
    assert ends[-1] == (steps if method.config != 'earth_xlearner.py' else study.STEPS)


def test_the_squeezes_differ_in_teachers_and_standardizer_only():
    squeezes = {m.name: m.options for m in study.methods() if m.from_expansion}
    assert set(squeezes) == {'squeeze_own', 'squeeze_all', 'squeeze_own_std'}
    common = {'custom_hooks.0.expansion_iters': '0', **study.duration(study.STEPS)}
    assert squeezes['squeeze_own_std'] == {'model.squeeze.teachers': 'own', **common}
    assert squeezes['squeeze_all'] == {
        'model.squeeze.teachers': 'all', 'model.squeeze.standardizer': 'None', **common}


def write_run(folder: Path, *validations: dict) -> None:
    (folder / 'now/vis_data').mkdir(parents=True)
    records = [dict(lr=0.1, loss=2.0), *validations]
    (folder / 'now/vis_data/scalars.json').write_text('\n'.join(map(json.dumps, records)))


def test_the_table_gives_mean_and_standard_deviation(tmp_path):
    for seed, value in ((0, 50.), (1, 54.)):
        write_run(tmp_path / f'seed_{seed}/squeeze_all_std', {'landcover_cls/accuracy/top1': 10 + seed},
                  {'landcover_cls/accuracy/top1': value})
        write_run(tmp_path / f'seed_{seed}/transfer_det_scratch', {'coco/bbox_mAP_50': 0.25})
    text = study_report.write_report(tmp_path, [0, 1])
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines() if '|' in line]
    rows = {title: values for title, *values in cells}
    assert '52.0 ± 2.8' in rows['squeeze, all teachers, standardizer']
    assert '10.5 ± 0.7' in rows['the expansion (200 steps of its own; three sub-backbones)']
    assert rows['scratch'] == ['–', '25.0 ± 0.0', '–']
    stored = json.loads((tmp_path / 'study.json').read_text())
    assert stored['figures']['scratch'][1] == {'transfer tree_det': 25.0}


def test_a_finished_run_is_not_done_again_and_an_unfinished_one_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(CONFIGS.parent / 'tools'))
    tool = importlib.import_module('study')
    started = []

    def start(command, data, log):
        started.append(command)
        log.parent.mkdir(parents=True)
        log.write_text('')
        return None

    monkeypatch.setattr(tool, 'start', start)
    monkeypatch.setattr(tool, 'finish', lambda *_: None)
    monkeypatch.setattr(tool, 'train_command', lambda config, folder, **options: [config, folder])
    (tmp_path / 'run.unfinished').mkdir()
    (tmp_path / 'run.unfinished/left_behind').touch()
    for _ in range(2):
        tool.run_once('a.py', tmp_path / 'run', {}, tmp_path)
    assert started == [['a.py', tmp_path / 'run.unfinished']]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['run']
    assert not (tmp_path / 'run/left_behind').exists()
