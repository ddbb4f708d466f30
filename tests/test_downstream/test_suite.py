import json
import os
import signal
import subprocess
import sys
import time

import pytest

from xlearner_mm.downstream import markdown, parse_backbones, plan, read_set, run_suite


def jobs_of(paths, backbones, out, variants=('full', ), seeds=(0, )):
    return plan([read_set(p) for p in paths], parse_backbones(backbones), variants, seeds, out)


def test_probes_and_fine_tuning_of_all_libraries_once(toy_sets, weights, tmp_path, capsys):
    backbones = [f'tv=torchvision:resnet18@{weights}']
    jobs = jobs_of(toy_sets.values(), backbones, tmp_path / 'out')
    results = run_suite(jobs, at_once=2)
    assert [(r.set, r.backbone) for r in results] == [(s, 'tv') for s in ('photos', 'boxes', 'maps')]
    assert all(0 <= r.percent <= 100 for r in results)
    assert '3 figures; 0 are there already.' in capsys.readouterr().out
    before = {job.folder: os.stat(job.folder / 'result.json').st_mtime_ns for job in jobs}
    again = run_suite(jobs_of(toy_sets.values(), backbones, tmp_path / 'out'))
    assert markdown(again) == markdown(results) and '3 figures; 3 are there already.' in capsys.readouterr().out
    assert before == {job.folder: os.stat(job.folder / 'result.json').st_mtime_ns for job in jobs}
    weights.write_bytes(weights.read_bytes() + b' ')  # other weights: nothing of it counts any more
    assert [j.result() for j in jobs_of(toy_sets.values(), backbones, tmp_path / 'out')] == [None] * 3


def test_a_job_that_fails_is_told_and_the_others_are_finished(toy_sets, weights, tmp_path):
    broken = tmp_path / 'broken.py'
    broken.write_text((tmp_path / 'maps.py').read_text().replace("'mIoU'", "'aIoU'"))
    jobs = jobs_of([str(broken), toy_sets['photos']], [f'tv=torchvision:resnet18@{weights}'], tmp_path / 'out')
    message = 'broken, tv, seed 0 failed with exit code 1(?s:.*)The whole log: .*output.log'
    with pytest.raises(RuntimeError, match=message):
        run_suite(jobs)
    assert [job.result() is not None for job in jobs] == [False, True]


def test_a_killed_suite_goes_on_where_it_was(toy_sets, weights, tmp_path):
    out, tool = tmp_path / 'out', [sys.executable, '-m', 'xlearner_mm.tools.transfer']
    command = [*tool, '--backbone', f'tv=torchvision:resnet18@{weights}', '--sets', toy_sets['photos'],
               toy_sets['maps'], '--out', str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    done = out / 'jobs/full/photos/tv/seed0/result.json'
    deadline = time.monotonic() + 240
    while not (out / 'jobs/full/maps/tv/seed0/output.log').is_file():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while subprocess.run(['pgrep', '-f', f'run_job {out}'], capture_output=True).stdout:  # it ends by itself
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (out / 'jobs/full/maps/tv/seed0/result.json').exists() and not (out / 'results.json').exists()
    before = os.stat(done).st_mtime_ns
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert '2 figures; 1 are there already.' in text and os.stat(done).st_mtime_ns == before
    records = json.loads((out / 'results.json').read_text())
    assert [(r['set'], r['seed']) for r in records] == [('photos', 0), ('maps', 0)]
    assert {p.name for p in out.glob('*.png')} == {'bars_full.png'}
