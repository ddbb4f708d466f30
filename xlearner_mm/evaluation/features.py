"""Frozen features with their labels."""

from typing import NamedTuple

import torch
from torch import Tensor

from .principal_axes import CHUNK


class Features(NamedTuple):
    """One vector and one label for each sample of a data set."""

    vectors: Tensor  # (N, C), floating point
    labels: Tensor  # (N, ), integers

    def take(self, which: Tensor) -> 'Features':
        """Take some of the samples.

        Args:
            which (Tensor): Their indices, or a mask.

        Returns:
            Features: These.
        """
        return Features(self.vectors[which], self.labels[which])

    def join(self, other: 'Features') -> 'Features':
        """Put the samples of another set behind these.

        Args:
            other (Features): The other set.

        Returns:
            Features: Both.
        """
        return Features(torch.cat((self.vectors, other.vectors)), torch.cat((self.labels, other.labels)))


def check_features(**sets: Features) -> None:
    """Refuse features that nothing can be fitted to.

    Args:
        **sets (Features): The sets by the name that an error gives them.

    Raises:
        TypeError: If vectors are not floating point, or labels are no integers.
        ValueError: If shapes do not fit, a set is empty, or a value is not finite.
    """
    for name, (vectors, labels) in sets.items():
        if not vectors.is_floating_point() or labels.is_floating_point() or labels.is_complex():
            raise TypeError(f'The {name} features must be floating point with integer labels, got {vectors.dtype} with '
                            f'{labels.dtype}.')
        if vectors.ndim != 2 or labels.shape != vectors.shape[:1] or vectors.numel() == 0:
            raise ValueError(f'The {name} features must be (N, C) with labels (N, ), neither empty; got '
                             f'{tuple(vectors.shape)} with {tuple(labels.shape)}.')
        _check_finite(name, vectors)
    channels = {name: s.vectors.shape[1] for name, s in sets.items()}
    if len(set(channels.values())) > 1:
        raise ValueError(f'The features differ in their number of channels: {channels}. Take all of one backbone.')


def _check_finite(name: str, vectors: Tensor) -> None:
    finite = torch.cat([part.isfinite().all(1) for part in vectors.split(CHUNK)])  # no mask as large as all features
    if not finite.all():
        row = int(torch.nonzero(~finite)[0])
        bad = torch.nonzero(~vectors[row].isfinite()).flatten().tolist()
        raise ValueError(f'The {name} features are not finite: sample {row} has {vectors[row, bad[0]].item()} in '
                         f'channel {bad[0]}, and {len(bad) - 1} more such channels. Mend the image, or the backbone: '
                         'it may have diverged.')
