import pytest

from xlearner_mm.benchmarking import StepRecord, Turn, benchmark_table, summarise, summarise_turns

pytestmark = pytest.mark.compat

PARTS = {('forward', 'a'): 0.2, ('backward', 'a'): 0.3, ('forward', 'b'): 0.1, ('backward', 'b'): 0.1,
         ('optimizer', ''): 0.1, ('reduce', ''): 0.05}
RECORDS = [StepRecord(0.1, 0.9, dict(a=4, b=2), PARTS, 8), StepRecord(0.3, 0.9, dict(a=4, b=2), PARTS, 8),
           StepRecord(0.1, 0.7, dict(a=4), {k: v for k, v in PARTS.items() if k[1] != 'b'}, 6)]


def test_medians_rates_and_shares():
    found = summarise(RECORDS, RECORDS, processes=2)
    assert (found['data'], found['step'], found['reduced_bytes']) == (0.1, 0.9, 8)
    assert found['images_per_step'] == dict(a=8, b=pytest.approx(8 / 3))
    assert found['images_per_second'] == dict(a=pytest.approx(24 / 3), b=pytest.approx(8 / 3))
    assert found['sources'] == dict(a=dict(forward=0.2, backward=0.3), b=dict(forward=0.1, backward=0.1))
    assert found['parts'] == pytest.approx(dict(forward=0.3, backward=0.4, reduce=0.05, optimizer=0.1, other=0.05))
    assert found['shares'] == pytest.approx(
        dict(data=0.5 / 3, forward=0.8 / 3, backward=1.1 / 3, reduce=0.05, optimizer=0.1, other=0.15 / 3))
    assert sum(found['shares'].values()) == pytest.approx(1)


def test_shares_are_of_the_steps_whose_parts_were_told_apart():
    quick = [StepRecord(0.0, 0.5, dict(a=4, b=2), {})]
    found = summarise(quick, RECORDS[:1])
    assert found['step'] == 0.5 and found['images_per_second'] == dict(a=8, b=4)
    assert found['shares']['data'] == pytest.approx(0.1) and sum(found['shares'].values()) == pytest.approx(1)


def test_a_ratio_is_of_one_turn():
    turns = [Turn(1.0, dict(a=0.5, b=0.5), dict(a=2, b=1)), Turn(6.0, dict(a=3.0), dict(a=3)),
             Turn(3.0, dict(a=1.0, b=1.0), dict(a=2, b=1))]
    found = summarise_turns(turns)
    assert found['raw']['ratio'] == [1.0, 2.0, 1.5] and found['ratio'] == 1.5
    assert found['joint'] == 3.0 and found['sum'] == 2.0 and found['step'] == dict(a=1.0, b=0.75)
    assert found['images_per_second'] == dict(a=2.0, b=1.5) and found['raw']['stock']['b'] == [0.5, 1.0]


def test_the_table_tells_what_was_not_measured():
    result = dict(config='x/c.py', phase='expansion', steps=3, warmup=1, sources=['a', 'b'], notes=['A note.'],
                  environment=dict(device='cpu', device_name='chip', threads=2, processes=2, versions=dict(torch='t')),
                  memory=dict(joint=None, how='not measured on this platform', stock=dict(a=None)),
                  joint=summarise(RECORDS, RECORDS, 2), stock=summarise_turns([Turn(1.0, dict(a=0.5), dict(a=2))]))
    lines = [' '.join(line.split()) for line in benchmark_table(result).splitlines()]
    assert lines[:2] == ['c.py, expansion: medians of 3 steps after 1 of warm-up',
                         'cpu (chip), 2 threads, 2 processes; t']
    assert 'a 8 8.0 200.0 300.0 500.0 4.0 –' in lines and 'b 2.66667 2.7 100.0 100.0 – – –' in lines
    assert 'backward 400.0 36.7 %' in lines and 'Gradients averaged over the ranks: 0.00 MB a step.' in lines
    assert lines[-3:] == ['Joint step in ratio to the stock steps of its sources alone, in turn: 2.00 (1000.0 ms to '
                          '500.0 ms)', 'Peak memory: not measured on this platform', 'A note.']
