import socket

import pytest
import torch
import torch.multiprocessing as mp

from ranks import RANKS, STEPS, build, data_of, train_rank, wrap

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    with socket.socket() as s:
        s.bind(('localhost', 0))
        port = s.getsockname()[1]
    mp.spawn(train_rank, args=(port, str(folder)), nprocs=RANKS)
    return [torch.load(folder / f'{rank}.pth') for rank in range(RANKS)]


def test_all_ranks_start_as_the_first(ranks):
    own = build(seed=0).state_dict()
    for rank in ranks:
        assert all(torch.equal(v, own[k]) for k, v in rank['start'].items())


def test_ranks_equal_their_batches_in_turn_on_one_process(ranks):
    model = build(seed=0)
    optim = wrap(model, accumulative_counts=RANKS)
    optim.initialize_count_status(model, 0, RANKS * STEPS)
    for step in range(STEPS):
        for rank in range(RANKS):
            model.train_step(data_of(step, rank), optim, random_key=(step, rank))
    for name, value in model.named_parameters():
        assert torch.equal(ranks[0]['trained'][name], ranks[1]['trained'][name]), name
        torch.testing.assert_close(ranks[0]['trained'][name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_parameters_that_no_rank_uses_are_passed_over(ranks):
    for rank in ranks:
        assert any(name.startswith('branches.maps') for name in rank['without'])
        assert any(name.startswith('backbone.sub_backbones.seg') for name in rank['without'])
        assert not any(name.startswith(('branches.photos', 'branches.boxes')) for name in rank['without'])


def test_ranks_stop_together(ranks):
    assert all("source 'photos' is not finite" in rank['error'] for rank in ranks)
