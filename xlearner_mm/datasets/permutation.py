"""Shuffling without memory: any part of any epoch's order is computed when it is asked for (ours)."""

import math

import numpy as np

from xlearner_mm.utils import Key, derive_seed

# With fewer, orders of a few samples are visibly not uniform. Even, so that the coordinates end where they began.
ROUNDS = 8
# Odd constants that spread every bit of a factor over the product: the golden ratio, and one found for hashing.
_MULTIPLIERS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


def permute(positions: np.ndarray, size: int, *key: Key) -> np.ndarray:
    """Map positions to indices by a permutation of ``range(size)`` that the key chooses.

    A Feistel network runs over pairs ``(left, right)`` of a rectangle with just over ``size`` cells; a result outside
    of ``range(size)`` is mapped again until it is inside, which keeps the map one to one.

    Args:
        positions (ndarray): Integers of ``range(size)``, of any shape.
        size (int): Length of the permutation, less than ``2**62``.
        *key (int or str): Parts of the key; other keys give other permutations.

    Returns:
        ndarray: Indices, int64, of the shape of ``positions``.

    Raises:
        ValueError: If ``size`` is not positive or a position is outside of ``range(size)``.
    """
    positions = np.asarray(positions)
    if not 1 <= size < 2**62:
        raise ValueError(f'A permutation of size {size} was asked for; it must be positive and less than 2**62.')
    if positions.size and not (positions.min() >= 0 and positions.max() < size):
        raise ValueError(f'Positions {positions.min()} to {positions.max()} are not all in range({size}).')
    width = math.isqrt(size - 1) + 1
    shape = np.uint64(width), np.uint64(-(-size // width))
    keys = [np.uint64(derive_seed(*key, i)) for i in range(ROUNDS)]
    indices = _feistel(positions.astype(np.uint64).ravel(), shape, keys)
    outside = np.flatnonzero(indices >= size)
    while outside.size:
        indices[outside] = _feistel(indices[outside], shape, keys)
        outside = outside[indices[outside] >= size]
    return indices.astype(np.int64).reshape(positions.shape)


def shuffled(positions: np.ndarray, size: int, *key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Look up an endless shuffled order: every ``size`` positions hold each index once, in a new order.

    Args:
        positions (ndarray): Integers from 0 on, of any shape.
        size (int): Number of samples.
        *key (int or str): Parts of the key.

    Returns:
        tuple[ndarray, ndarray]: Epoch and index at each position, int64.
    """
    epochs, offsets = np.divmod(np.asarray(positions, dtype=np.int64), size)
    indices = np.empty_like(offsets)
    for epoch in np.unique(epochs).tolist():
        inside = epochs == epoch
        indices[inside] = permute(offsets[inside], size, *key, epoch)
    return epochs, indices


def _feistel(values: np.ndarray, shape: tuple[np.uint64, np.uint64], keys: list[np.uint64]) -> np.ndarray:
    """Permute the cells of a rectangle: each round turns one coordinate by a hash of the other."""
    left, right = np.divmod(values, shape[1])
    width, height = shape
    for key in keys:
        left += _hash(right, key, width)
        left -= (left >= width) * width
        left, right, width, height = right, left, height, width
    return left * shape[1] + right


def _hash(values: np.ndarray, key: np.uint64, limit: np.uint64) -> np.ndarray:
    """Hash to ``range(limit)``, for ``limit`` up to ``2**32``; the products wrap around on purpose."""
    hashed = values ^ key
    hashed *= _MULTIPLIERS[0]
    hashed ^= hashed >> _HALF
    hashed *= _MULTIPLIERS[1]
    hashed >>= _HALF
    hashed *= limit
    hashed >>= _HALF
    return hashed
