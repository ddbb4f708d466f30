"""How a backbone wants its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RGB_KEYS = dict(mmpretrain='to_rgb', mmdet='bgr_to_rgb', mmseg='bgr_to_rgb')


@dataclass(frozen=True)
class Pixels:
    """Normalisation of RGB images of values from 0 to 255, in the channel order that the network reads.

    Attributes:
        mean (tuple[float]): Mean by channel.
        std (tuple[float]): Standard deviation by channel.
        rgb (bool): Whether the network reads RGB; else BGR.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    rgb: bool = True

    @classmethod
    def read(cls, preprocessor: Mapping[str, Any]) -> 'Pixels':
        """Read the config of a stock data preprocessor for images that were loaded as BGR, as the libraries do.

        Args:
            preprocessor (Mapping): The config.

        Returns:
            Pixels: What it does to pixels.
        """
        return cls(tuple(preprocessor.get('mean') or (0., ) * 3), tuple(preprocessor.get('std') or (1., ) * 3),
                   any(preprocessor.get(key, False) for key in RGB_KEYS.values()))

    def settings(self, library: str, rgb_images: bool = False) -> dict[str, Any]:
        """Write it as settings of a stock data preprocessor.

        Args:
            library (str): ``mmdet``, ``mmseg`` or ``mmpretrain``.
            rgb_images (bool): Whether the images are RGB as they are loaded; the libraries load BGR.

        Returns:
            dict: The settings.
        """
        return {'mean': list(self.mean), 'std': list(self.std), RGB_KEYS[library]: self.rgb != rgb_images}


IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
