"""Randomness that depends on a key and on nothing that happened before (decision of this project).

A generator that is seeded from what is being done, e.g. ``(seed, source, epoch, index)``, gives the same numbers with
any number of workers, after a resume and on another number of ranks.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Union

import numpy as np
import torch

Key = Union[int, str]


def derive_seed(*key: Key) -> int:
    """Derive a seed from a key.

    Args:
        *key (int or str): Parts of the key. ``1`` and ``'1'`` are different parts.

    Returns:
        int: A seed in ``[0, 2**63)``, the same in every process and on every machine.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big') >> 1


def seed_all(*key: Key) -> None:
    """Seed the global generators of ``random``, ``numpy`` and ``torch`` (all devices) from a key.

    Args:
        *key (int or str): Parts of the key.
    """
    seed = derive_seed(*key)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.manual_seed(seed)


def seed_cpu(*key: Key) -> None:
    """Seed the global generators of the CPU; much quicker than :func:`seed_all` where there is no device.

    Args:
        *key (int or str): Parts of the key.
    """
    seed = derive_seed(*key)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.default_generator.manual_seed(seed)


@contextmanager
def keyed_rng(*key: Key) -> Iterator[None]:
    """Run a block with the global generators seeded from a key, and put their CPU states back afterwards.

    Args:
        *key (int or str): Parts of the key.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        seed_cpu(*key)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
