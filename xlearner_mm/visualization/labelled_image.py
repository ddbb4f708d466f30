"""What a contact sheet shows of a sample."""

from dataclasses import dataclass, field

import numpy as np

RGB = tuple[int, int, int]


@dataclass
class LabelledImage:
    """An image with its labels drawn (ours).

    Attributes:
        image (ndarray): ``(H, W, 3)``, RGB, uint8.
        caption (list[str]): Lines to be written below it.
        colours (dict[str, RGB]): What its colours mean, for a legend; empty where names are written in the image.
    """

    image: np.ndarray
    caption: list[str] = field(default_factory=list)
    colours: dict[str, RGB] = field(default_factory=dict)
