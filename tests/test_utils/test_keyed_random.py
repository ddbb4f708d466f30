import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from xlearner_mm.utils import derive_seed, keyed_rng, seed_all, seed_cpu

pytestmark = pytest.mark.compat


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_derive_seed_depends_on_every_part():
    keys = [(), (0, ), ('0', ), (0, 0), (0, 1), (1, 0), ('a', 'bc'), ('ab', 'c'), ("a', 'b", ), ('a', 'b'), (10**30, )]
    seeds = [derive_seed(*key) for key in keys]
    assert len(set(seeds)) == len(keys)
    assert all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds)
    values = np.array([derive_seed('x', i) for i in range(2000)], dtype=np.float64) / 2**63
    assert np.abs(np.histogram(values, 10, (0, 1))[0] - 200).max() < 70


def test_derive_seed_is_the_same_in_every_process():
    code = "from xlearner_mm.utils import derive_seed; print(derive_seed(3, 'coco', 1))"
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                         env={'PYTHONHASHSEED': '77', 'PYTHONPATH': ':'.join(sys.path)})
    assert int(out.stdout.split()[-1]) == derive_seed(3, 'coco', 1) == 4341485361365277007


def test_keyed_rng_seeds_and_puts_back():
    seed_all('before')
    expected = draw(), draw()
    seed_all('before')
    assert draw() == expected[0]
    with keyed_rng(1, 'a'):
        one = draw()
    assert draw() == expected[1]
    with keyed_rng(1, 'a'):
        assert draw() == one
    with keyed_rng(1, 'b'):
        assert not set(draw()) & set(one)


def test_keyed_rng_puts_back_after_an_error():
    seed_all(0)
    expected = draw()
    seed_all(0)
    with pytest.raises(KeyError), keyed_rng(1):
        draw()
        raise KeyError
    assert draw() == expected


def test_keyed_rng_can_be_nested():
    with keyed_rng('outer'):
        expected = draw(), draw()
    with keyed_rng('outer'):
        assert draw() == expected[0]
        with keyed_rng('inner'):
            draw()
        assert draw() == expected[1]


def test_seed_all_gives_what_keyed_rng_gives():
    with keyed_rng(4, 'x'):
        inside = draw()
    seed_all(4, 'x')
    assert draw() == inside
    seed_all(4, 'y')
    assert draw() != inside


def test_seed_cpu_gives_what_keyed_rng_gives():
    with keyed_rng(4, 'x'):
        inside = draw()
    seed_cpu(4, 'x')
    assert draw() == inside
