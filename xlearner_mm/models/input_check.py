"""Images with another number of channels than a source's preprocessor is made for."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def check_channels(source: str, batch: Mapping[str, Any], preprocessor: nn.Module) -> None:
    """Refuse images that the mean of a data preprocessor does not fit; some would be broadcast to it silently (ours).

    Args:
        source (str): Name of the source.
        batch (Mapping[str, Any]): Its batch: ``inputs``, Tensors ``(C, H, W)``, and ``data_samples``.
        preprocessor (nn.Module): Its stock data preprocessor.

    Raises:
        ValueError: If an image has another number of channels.
    """
    mean = getattr(preprocessor, 'mean', None)
    if not isinstance(mean, Tensor) or mean.numel() == 1:  # one value is for all channels
        return
    for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
        if isinstance(image, Tensor) and image.ndim == 3 and len(image) != mean.numel():
            where = getattr(sample, 'img_path', None) or 'unknown path'
            raise ValueError(
                f'Source {source!r}: the image {where} has {len(image)} channels, and the mean of its '
                f'{type(preprocessor).__name__} {mean.numel()} values. Load images with color_type=\'color\' (the '
                'default of LoadImageFromFile), or give data_preprocessor the mean and std of these channels.')
