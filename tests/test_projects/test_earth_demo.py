import json

import pytest

from earth import report, runs
from earth.curves import draw_curves, loss_series
from earth.report import Row, make_rows, markdown, write_table
from xlearner_mm.downstream import Result, write_results

RECORDS = [
    {'lr': 0.1, 'loss': 3.0, 'tree_det.loss_cls': 1.0, 'tree_det.loss_bbox': 2.0, 'tree_det.acc': 9.0, 'step': 20},
    {'lr': 0.1, 'loss': 3.5, 'tree_det.loss_cls': 1.0, 'tree_det.loss_bbox': 1.0, 'tree_det.loss_hint.cls': 1.5,
     'step': 40},
    {'tree_det/coco/bbox_mAP_50': 0.25, 'step': 40},
]


@pytest.fixture
def work_dir(tmp_path):
    for stamp, records in (('20240101', [{'lr': 1.0, 'step': 1}]), ('20240102', RECORDS)):
        path = tmp_path / stamp / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(map(json.dumps, records)))
    return tmp_path


def test_the_latest_log_is_read(work_dir):
    assert runs.read_log(work_dir) == RECORDS
    assert runs.last_metrics(work_dir) == {'tree_det/coco/bbox_mAP_50': 0.25, 'step': 40}


def test_runs_without_results_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='holds no vis_data'):
        runs.read_log(tmp_path)
    path = tmp_path / 'a' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({'lr': 1.0, 'step': 1}))
    with pytest.raises(ValueError, match='holds no validation'):
        runs.last_metrics(tmp_path)


def test_a_failing_command_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / 'log'
    process = runs.start(['sh', '-c', 'echo $EARTH_DATA; echo broken; exit 3'], tmp_path, log)
    message = f'Training failed with exit code 3.\n{tmp_path}\nbroken\nThe whole log: {log}'
    with pytest.raises(RuntimeError, match=message):
        runs.finish(process, 'Training', log)


def test_the_cause_stands_before_the_traceback_of_mim(tmp_path):
    head = 'Traceback (most recent call last):\n  File '
    (tmp_path / 'log').write_text(f'{head}"train.py"\nKeyError: 1\n{head}"/venv/bin/mim"\nCalledProcessError\n')
    assert runs.cause(tmp_path / 'log') == f'{head}"train.py"\nKeyError: 1'


def test_losses_are_summed_by_source_and_kind(work_dir, tmp_path):
    assert loss_series(RECORDS, 'tree_det') == dict(supervised=([20, 40], [3.0, 2.0]), hints=([40], [1.5]))
    draw_curves(work_dir, tmp_path / 'losses.png')
    assert (tmp_path / 'losses.png').stat().st_size > 10_000


def test_rows_are_in_percent_and_say_whether_they_beat_the_trivial_one(monkeypatch, tmp_path):
    monkeypatch.setattr(report, 'trivial_baseline', lambda data, source, *splits: {
        'accuracy/top1': 20.0, 'mIoU': 5.0, 'coco/bbox_mAP_50': 0.02 if splits else 0.01})

    monkeypatch.setattr(report, 'last_metrics', lambda run: {
        f'{s}/{k}': v for s in report.SOURCES
        for k, v in (('accuracy/top1', 10.0), ('mIoU', 6.0), ('coco/bbox_mAP_50', 0.5))})
    write_results([Result('full', f'earth_transfer_{task}', 'any', backbone, 0, percent + 10 * (backbone == 'xlearner'))
                   for task, percent in dict(cls=60.0, det=30.0, seg=10.0).items()
                   for backbone in ('scratch', 'xlearner')], tmp_path / 'transfer')
    rows = make_rows(tmp_path, tmp_path)
    assert [row.where for row in rows] == ['transfer'] * 3 + ['pre-training'] * 6
    assert rows[1] == Row('transfer', 'tree_det', 'coco/bbox_mAP_50', 2.0, 30.0, 40.0)
    worse = [row.source for row in rows if not row.beats_trivial]
    assert worse == ['landcover_cls', 'digits_cls']
    table = write_table(rows, tmp_path).read_text()
    assert table == markdown(rows)
    assert '| transfer | tree_det | coco/bbox_mAP_50 | 2.0 | 30.0 | 40.0 |' in table
    assert json.loads((tmp_path / 'table.json').read_text())[3]['scratch'] is None
