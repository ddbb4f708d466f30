"""Rotations that spread the variance evenly over all channels."""

from functools import lru_cache
from typing import Optional

import torch
from torch import Tensor


def equalising_rotation(variances: Tensor) -> Tensor:
    """Find a rotation R such that ``R diag(variances) R^T`` has equal numbers on its diagonal.

    A normalised Hadamard matrix does it for any variances (arXiv 2410.01680). For a width of which none is constructed
    here (odd ones have none), a chain of plane rotations does it for these ones (the Schur-Horn theorem; ours).

    Args:
        variances (Tensor): Of shape ``(C, )``, double precision.

    Returns:
        Tensor: Orthogonal, ``(C, C)``.
    """
    signs = hadamard(len(variances))
    if signs is not None:
        return signs.to(variances) / len(variances)**0.5
    return _plane_rotations(variances)


@lru_cache(maxsize=8)
def hadamard(size: int) -> Optional[Tensor]:
    """Construct a Hadamard matrix: by doubling (Sylvester), or from quadratic residues (Paley I and II).

    Args:
        size (int): Its size.

    Returns:
        Tensor or None: Of 1 and -1, ``(size, size)``; None if these constructions do not reach the size.
    """
    if size == 1:
        return torch.ones(1, 1)
    if size == 2:
        return torch.tensor([[1., 1.], [1., -1.]])
    if size % 4:
        return None
    if _is_prime(size - 1):
        return _paley_one(size - 1)
    if _is_prime(size // 2 - 1) and (size // 2 - 1) % 4 == 1:
        return _paley_two(size // 2 - 1)
    half = hadamard(size // 2)
    return None if half is None else torch.kron(torch.tensor([[1., 1.], [1., -1.]]), half)


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _jacobsthal(q: int) -> Tensor:
    """``(q, q)`` of the quadratic characters of column minus row."""
    character = torch.full((q, ), -1.)
    character[torch.arange(1, q).square() % q] = 1.
    character[0] = 0.
    index = torch.arange(q)
    return character[(index[None] - index[:, None]) % q]


def _paley_one(q: int) -> Tensor:
    """Of size q + 1, for a prime q of the form 4k + 3."""
    skew = torch.zeros(q + 1, q + 1)
    skew[0, 1:], skew[1:, 0], skew[1:, 1:] = 1., -1., _jacobsthal(q)
    return skew + torch.eye(q + 1)


def _paley_two(q: int) -> Tensor:
    """Of size 2 (q + 1), for a prime q of the form 4k + 1."""
    symmetric = torch.zeros(q + 1, q + 1)
    symmetric[0, 1:], symmetric[1:, 0], symmetric[1:, 1:] = 1., 1., _jacobsthal(q)
    ones, diagonal = torch.tensor([[1., 1.], [1., -1.]]), torch.tensor([[1., -1.], [-1., -1.]])
    return torch.kron(symmetric, ones) + torch.kron(torch.eye(q + 1), diagonal)


def _plane_rotations(variances: Tensor) -> Tensor:
    """Turn one channel below the mean and one above it until the first has the mean; then go on without it."""
    rotation = torch.diag(torch.ones_like(variances))
    diagonal = variances.tolist()
    mean, open_ = sum(diagonal) / len(diagonal), set(range(len(diagonal)))
    rows = rotation.numpy()  # shares the memory: thousands of tiny torch operations would be slow
    while len(open_) > 1:
        low, high = min(open_, key=diagonal.__getitem__), max(open_, key=diagonal.__getitem__)
        spread = diagonal[high] - diagonal[low]
        # Open channels stay uncorrelated with each other (only done ones correlate with them), so variances add up.
        sine2 = (mean - diagonal[low]) / spread if spread > 0 else 0.
        sine, cosine = min(max(sine2, 0.), 1.)**0.5, (1 - min(max(sine2, 0.), 1.))**0.5
        rows[low], rows[high] = cosine * rows[low] + sine * rows[high], cosine * rows[high] - sine * rows[low]
        diagonal[high] += diagonal[low] - mean
        diagonal[low] = mean
        open_.remove(low)
    return rotation
