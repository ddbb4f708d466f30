"""Images brought to one height."""

import cv2
import numpy as np

# Wider ones are as wide as this, and lower; narrower ones stay narrow.
_MAX_ASPECT = 2


def fit_image(image: np.ndarray, height: int) -> np.ndarray:
    """Scale an image to a height, or to twice that as its width if it is very wide (ours).

    Enlarged by two or more, pixels stay squares with sharp edges: small images are shown as they are.

    Args:
        image (ndarray): ``(H, W, 3)``, uint8.
        height (int): Pixels.

    Returns:
        ndarray: ``(H', W', 3)``; the image itself if it fits already.
    """
    scale = min(height / image.shape[0], _MAX_ASPECT * height / image.shape[1])
    rows, columns = (max(1, round(side * scale)) for side in image.shape[:2])
    if (rows, columns) == image.shape[:2]:
        return image
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC if scale < 2 else cv2.INTER_NEAREST
    return cv2.resize(image, (columns, rows), interpolation=way)
