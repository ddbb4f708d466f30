"""Pictures of predictions."""

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer, get_palette
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

STOCK: dict[type, type] = {
    DetDataSample: DetLocalVisualizer,
    SegDataSample: SegLocalVisualizer,
    DataSample: UniversalVisualizer
}

LEGIBLE = 224
"""Pixels of the shorter side to which smaller images of a classifier are enlarged, to have room for the text."""


class PredictionVisualizer:
    """Draw predictions of a source by the visualizer of its library (ours).

    Args:
        source (str): Name of the source.
        classes (Sequence[str]): Names of its classes.
        palette (Sequence, optional): Their colours, RGB. Random ones where there are too few.
    """

    def __init__(self, source: str, classes: Sequence[str], palette: Optional[Sequence[Any]]) -> None:
        self.source = source
        if palette is None or len(palette) < len(classes):
            palette = get_palette('random', len(classes))
        colours = [tuple(map(int, colour)) for colour in palette]  # of Python's int, which OpenCV asks for
        self._metainfo = dict(classes=tuple(classes), palette=colours) if classes else {}
        self._stock: dict[type, Any] = {}

    def draw(self, image: np.ndarray, sample: Any, score_thr: float = 0.3) -> np.ndarray:
        """Draw a prediction.

        Args:
            image (ndarray): The image ``(H, W, 3)``, RGB, of uint8.
            sample (DetDataSample or SegDataSample or DataSample): Its prediction.
            score_thr (float): Boxes with a lower score are left out.

        Returns:
            ndarray: The picture ``(H, W, 3)``, RGB; a depth map stands below the image.

        Raises:
            TypeError: If the sample is of none of the three libraries.
        """
        kind = next((kind for kind in STOCK if isinstance(sample, kind)), None)
        if kind is None:
            raise TypeError(f'Source {self.source!r}: there is no visualizer for {type(sample).__name__}.')
        if kind not in self._stock:
            self._stock[kind] = STOCK[kind](name=f'{self.source} predictions')
            self._stock[kind].dataset_meta = self._metainfo
        visualizer = self._stock[kind]
        image = np.ascontiguousarray(image)  # what OpenCV draws on
        if kind is DataSample:
            small = min(image.shape[:2]) < LEGIBLE
            visualizer.visualize_cls(image, sample, draw_gt=False, resize=LEGIBLE if small else None)
        elif kind is DetDataSample:
            visualizer.add_datasample(self.source, image, sample, draw_gt=False, pred_score_thr=score_thr)
        else:
            visualizer.add_datasample(self.source, image, sample, draw_gt=False)
        return visualizer.get_image()
