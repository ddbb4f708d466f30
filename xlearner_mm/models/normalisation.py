"""What becomes of pixels before a backbone sees them."""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

# What mmengine and mmdet, the classic mmseg, and mmpretrain call it.
_SWAPS = ('_channel_conversion', 'channel_conversion', 'to_rgb')


class Normalisation(NamedTuple):
    """What becomes of a pixel as it was loaded: ``(pixel - mean) / std``, after the channels were swapped or not."""

    swapped: bool
    mean: np.ndarray
    std: np.ndarray

    def then(self, swap: bool, mean: Any, std: Any) -> 'Normalisation':
        """Give this one followed by another.

        Args:
            swap (bool): Whether the other turns the order of the channels round.
            mean (Sequence[float]): Its mean, by channel.
            std (Sequence[float]): Its standard deviation, by channel.

        Returns:
            Normalisation: Both as one.
        """
        own_mean, own_std = (self.mean[::-1], self.std[::-1]) if swap else (self.mean, self.std)
        mean, std = _flat(mean), _flat(std)
        return Normalisation(self.swapped != swap, own_mean + own_std * mean, own_std * std)

    def then_by(self, preprocessor: Any) -> 'Normalisation':
        """Give this one followed by that of a stock data preprocessor.

        Args:
            preprocessor (nn.Module): The preprocessor; mmdet's for several branches holds the one that normalises.

        Returns:
            Normalisation: Both as one.
        """
        preprocessor = getattr(preprocessor, 'data_preprocessor', preprocessor)
        swap = any(getattr(preprocessor, name, False) for name in _SWAPS)
        mean, std = getattr(preprocessor, 'mean', None), getattr(preprocessor, 'std', None)
        return self.then(swap, [0.] if mean is None else mean, [1.] if std is None else std)

    def convert(self, images: Tensor, other: 'Normalisation') -> Tensor:
        """Give images of this normalisation as another one would have given them.

        Args:
            images (Tensor): ``(N, 3, H, W)``.
            other (Normalisation): The other.

        Returns:
            Tensor: The same shape; the same images if both are equal.
        """
        if self.equals(other):
            return images
        images = images * _by_channel(self.std, images) + _by_channel(self.mean, images)
        if self.swapped != other.swapped:
            images = images.flip(1)
        return (images - _by_channel(other.mean, images)) / _by_channel(other.std, images)

    @classmethod
    def none(cls) -> 'Normalisation':
        """Pixels as they were loaded."""
        return cls(False, np.zeros(3), np.ones(3))

    def equals(self, other: 'Normalisation') -> bool:
        """Say whether both do the same, up to rounding.

        Args:
            other (Normalisation): The other.

        Returns:
            bool: Whether they are equal.
        """
        return (self.swapped == other.swapped and self.mean.size == other.mean.size
                and np.allclose(self.mean, other.mean, 1e-5, 1e-5) and np.allclose(self.std, other.std, 1e-5, 1e-5))

    def __str__(self) -> str:
        """As a user writes it."""
        order = 'channels swapped (BGR to RGB)' if self.swapped else 'channels as loaded'
        if np.all(self.mean == 0) and np.all(self.std == 1):
            return f'{order}, no mean and std'
        return f'{order}, mean {_text(self.mean)}, std {_text(self.std)}'


def _flat(values: Any) -> np.ndarray:
    return np.asarray(values.cpu() if hasattr(values, 'cpu') else values, dtype=np.float64).ravel()


def _by_channel(values: np.ndarray, images: Tensor) -> Tensor:
    """Broadcast against ``(N, C, H, W)``."""
    return images.new_tensor(values).view(1, -1, 1, 1)


def _text(values: np.ndarray) -> str:
    return f'({", ".join(f"{value:g}" for value in values)})'
