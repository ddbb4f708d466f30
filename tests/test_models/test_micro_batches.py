import pytest
import torch
from mmengine.optim import OptimWrapper

from ranks import build
from tiny import batch, xlearner
from xlearner_mm.models.micro_batches import micro_batches

pytestmark = pytest.mark.compat


def test_parts_are_in_order_and_about_equal():
    samples = list('abcdefg')
    parts = micro_batches('photos', dict(inputs=torch.arange(7), data_samples=samples), 3)
    assert [''.join(part['data_samples']) for part, _ in parts] == ['ab', 'cd', 'efg']
    assert [part['inputs'].tolist() for part, _ in parts] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [share for _, share in parts] == [2 / 7, 2 / 7, 3 / 7]


def test_one_part_is_the_batch_itself():
    whole = batch('photos')
    (part, share), = micro_batches('photos', whole, 1)
    assert share == 1 and part['inputs'] is whole['inputs'] and part is not whole


def build_split(number, source):
    branches = xlearner().branches
    branches.maps.model.decode_head.dropout_ratio = 0  # it would be drawn anew for each part
    branches[source].micro_batches = number
    return build(branches=branches, expanded=False)


@pytest.mark.parametrize('source', ['photos', 'maps'])
def test_parts_give_the_gradient_and_the_scalars_of_the_whole(source):
    data = {source: batch(source, n=5)}
    whole, split = build_split(1, source), build_split(3, source)
    passes = []
    split.branches[source].register_forward_hook(lambda module, args, losses: passes.append(len(args[0])))
    logs = [m.train_step(data, OptimWrapper(torch.optim.SGD(m.parameters(), lr=1.), accumulative_counts=2))
            for m in (whole, split)]
    assert passes == [1, 2, 2]
    gradients = [torch.cat([p.grad.flatten() for p in m.parameters() if p.grad is not None]) for m in (whole, split)]
    assert gradients[0].norm() > 0 and (gradients[1] - gradients[0]).norm() < 1e-6 * gradients[0].norm()
    assert set(logs[0]) == set(logs[1]) and len(logs[0]) >= 2
    for key, value in logs[0].items():
        torch.testing.assert_close(logs[1][key], value, rtol=1e-5, atol=1e-6, msg=key)
        assert not logs[1][key].requires_grad


def test_parts_are_one_iteration_and_one_step():
    model = build_split(2, 'maps')  # the last source of the step
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.), accumulative_counts=2)
    for count in (1, 2):
        start = model.branches['photos'].head.fc.weight.clone()
        model.train_step(dict(photos=batch('photos'), maps=batch('maps')), optim)
        assert optim.inner_count == count
        assert torch.equal(model.branches['photos'].head.fc.weight, start) == (count == 1)


def test_fewer_images_than_parts_are_refused_by_name():
    model = build_split(3, 'maps')
    with pytest.raises(ValueError, match=r"Source 'maps' has 2 image\(s\) in this step, fewer than micro_batches=3. "
                                         'Lower model.branches.maps.micro_batches, or raise .*batch_size.maps'):
        model.train_step(dict(photos=batch('photos'), maps=batch('maps')),
                         OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.)))


@pytest.mark.parametrize('number', [0, -1, 1.5, '2'])
def test_a_number_of_parts_that_is_none(number):
    with pytest.raises(ValueError, match=f"micro_batches={number!r} of source 'maps' must be a positive integer"):
        build_split(number, 'maps')
