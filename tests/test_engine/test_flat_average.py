import pytest
import torch
import torch.distributed as dist

from xlearner_mm.engine.flat_average import FlatAverage

pytestmark = pytest.mark.compat


@pytest.fixture
def messages(monkeypatch):
    """What is sent to three more ranks, which are as this one; it is there after the wait and not before."""
    sent = []

    class Work:
        def __init__(self, tensor):
            self.tensor = tensor
            sent.append(tensor.clone())

        def wait(self):
            self.tensor.mul_(4)

    monkeypatch.setattr(dist, 'get_world_size', lambda *args: 4)
    monkeypatch.setattr(dist, 'all_reduce', lambda tensor, *args, async_op, **kwargs: Work(tensor))
    return sent


def test_tensors_go_in_one_message_and_come_back_in_their_shapes(messages):
    tensors = [torch.arange(6.).view(2, 3).t(), None, torch.tensor(8.)]
    like = [torch.ones(3, 2), torch.ones(2, 1, 2), torch.ones(())]
    average = FlatAverage(tensors, like, None)
    assert [m.tolist() for m in messages] == [[0, 0.75, 0.25, 1, 0.5, 1.25, 0, 0, 0, 0, 2]]
    assert average.nbytes == 11 * 4
    found = average.wait()
    assert torch.equal(found[0], tensors[0]) and torch.equal(found[1], torch.zeros(2, 1, 2)) and found[2] == 8
    assert torch.equal(tensors[0], torch.arange(6.).view(2, 3).t())  # what was sent stays as it was
    assert all(one.data_ptr() != 0 and one.untyped_storage().data_ptr() == found[0].untyped_storage().data_ptr()
               for one in found)


def test_nothing_on_this_rank_is_zeros(messages):
    found = FlatAverage([None, None], [torch.ones(2), torch.ones(1)], None).wait()
    assert [value.tolist() for value in found] == [[0, 0], [0]]


def test_a_short_type_is_divided_before_the_sum(messages):
    average = FlatAverage([torch.full((3, ), 40_000.)], [torch.zeros(3)], torch.float16)  # 4 of them are beyond it
    assert average.nbytes == 6 and messages[0].dtype == torch.float16
    assert average.wait()[0].tolist() == [40_000] * 3


def test_the_tensors_decide_the_type_otherwise(messages):
    assert FlatAverage([torch.ones(3).double()], [torch.ones(3).double()], None).nbytes == 24
