"""The image of a training sample, as people look at images."""

from typing import Any

import numpy as np
import torch

# Transforms that swap red and blue if the attribute is true. In others (Expand) it swaps a constant.
_SWAPS = dict(Normalize='to_rgb', NumpyToPIL='to_rgb', PILToNumpy='to_bgr')


def sample_image(inputs: Any, rgb: bool = False) -> np.ndarray:
    """Turn what a pipeline packs into an image (ours).

    Grey images become three equal channels. Of images with other than one or three channels the first three are shown,
    or the first one where there are two. What is not uint8 is stretched from its least to its greatest value.

    Args:
        inputs (Tensor): ``(C, H, W)``.
        rgb (bool): Whether red comes first; the libraries' loaders give blue first.

    Returns:
        ndarray: ``(H, W, 3)``, RGB, uint8.

    Raises:
        TypeError: If ``inputs`` is no such Tensor.
    """
    if not isinstance(inputs, torch.Tensor) or inputs.dim() != 3:
        got = f'a Tensor {tuple(inputs.shape)}' if isinstance(inputs, torch.Tensor) else type(inputs).__name__
        raise TypeError(f'an image must be a Tensor (C, H, W), got {got}')
    image = inputs.permute(1, 2, 0).numpy()
    image = image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)
    if image.dtype != np.uint8:
        image = _stretched(image.astype(np.float64))
    return np.ascontiguousarray(image if rgb else image[..., ::-1])


def is_rgb(dataset: Any) -> bool:
    """Tell whether a data set's pipeline ends with red as the first channel (ours).

    Images are loaded with blue first; transforms may swap that.

    Args:
        dataset (Dataset): A stock data set; of wrappers, the first one inside is looked at too.

    Returns:
        bool: Whether red comes first.
    """
    rgb = False
    while dataset is not None:
        pipeline = getattr(dataset, 'pipeline', None) or ()
        for transform in getattr(pipeline, 'transforms', pipeline):
            rgb ^= bool(getattr(transform, _SWAPS.get(type(transform).__name__, ''), False))
        inside = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
        dataset = inside[0]
    return rgb


def _stretched(image: np.ndarray) -> np.ndarray:
    """Scale the finite values of an image to those of uint8."""
    image = np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = image.min(), image.max()
    return ((image - low) * (255 / (high - low) if high > low else 0)).round().astype(np.uint8)
