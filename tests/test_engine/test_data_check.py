import pytest

import toy
from xlearner_mm.engine import data_check

pytestmark = pytest.mark.compat


@pytest.fixture
def loop(toy_data, tmp_path):
    from mmengine.runner import Runner
    cfg = toy.config(toy_data, tmp_path)
    runner = Runner.from_cfg(cfg)
    return runner.build_train_loop(cfg.train_cfg)


def test_one_rank_checks_and_all_get_its_table(loop, monkeypatch):
    sent = []
    monkeypatch.setattr(data_check, 'broadcast_object_list', lambda objects: sent.append(list(objects)))
    table = loop.preflight()
    assert sent == [[table, None]] and 'photos' in table

    def receive(objects):
        objects[:] = 'the table of rank 0', None

    monkeypatch.setattr(data_check, 'is_main_process', lambda: False)
    monkeypatch.setattr(data_check, 'broadcast_object_list', receive)
    monkeypatch.setattr(data_check, 'preflight', None)
    assert loop.preflight() == 'the table of rank 0'


def test_all_ranks_stop_at_a_finding(loop, monkeypatch):
    sent = []
    monkeypatch.setattr(data_check, 'broadcast_object_list', lambda objects: sent.append(list(objects)))
    loop.model.branches['photos'].head.num_classes = 5
    with pytest.raises(ValueError, match='photos') as error:
        loop.preflight()
    assert sent == [[None, error.value]]

    def receive(objects):
        objects[:] = None, ValueError('found by rank 0')

    monkeypatch.setattr(data_check, 'is_main_process', lambda: False)
    monkeypatch.setattr(data_check, 'broadcast_object_list', receive)
    with pytest.raises(ValueError, match='found by rank 0'):
        loop.preflight()
