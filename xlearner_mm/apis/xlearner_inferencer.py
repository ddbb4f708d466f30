"""Predictions of a trained X-Learner."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer

from xlearner_mm.models import Phase
from xlearner_mm.models.branch import class_head_of
from xlearner_mm.registry import INFERENCERS
from xlearner_mm.transfer.trained_model import load_model

from .list_images import Image, list_images
from .plain_prediction import plain_prediction
from .prediction_visualizer import PredictionVisualizer
from .source_pipeline import SourcePipeline

LOADERS = ('test_dataloader', 'val_dataloader')
"""Where a config has the pipeline of a source; the first one that it has is taken."""


@INFERENCERS.register_module()
class XLearnerInferencer(BaseInferencer):
    """Predict images by the branches of a run, in the phase of its checkpoint (ours).

    All it needs is in the checkpoint: weights (the averaged ones of a run with ``EMAHook``), the config with the test
    pipeline of each source, names and colours of the classes. The data sets need not exist.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run. Nothing in it is executed.
        device (str, optional): Such as ``cpu`` or ``cuda:0``; the best one that is there by default.
        show_progress (bool): Show a progress bar.

    Attributes:
        tasks (dict[str, str]): Task by source.
        classes (dict[str, tuple[str, ...]]): Names of the classes by source.
        phase (Phase): Phase of the model.

    Raises:
        OSError: If the checkpoint cannot be read.
        ValueError: If it is no checkpoint of an X-Learner run, or the device is not there.
    """

    preprocess_kwargs = {'sources'}
    visualize_kwargs = {'return_vis', 'pred_score_thr'}

    def __init__(self, checkpoint: Union[str, Path], device: Optional[str] = None, show_progress: bool = False) -> None:
        if device is not None and torch.device(device).type == 'cuda' and not torch.cuda.is_available():
            raise ValueError(f'device={device!r}: there is no GPU that torch can use. Take device="cpu".')
        model, cfg, loaded = load_model(checkpoint)
        self._loaded_model = model
        self.tasks = model.tasks
        self.phase: Phase = model.phase
        metainfo = loaded['meta'].get('dataset_meta')
        self._metainfo: Mapping[str, Any] = metainfo if isinstance(metainfo, Mapping) else {}
        self.classes = {source: self._classes_of(source) for source in self.tasks}
        super().__init__(cfg, device=device, show_progress=show_progress)

    def __call__(self,
                 inputs: Any,
                 return_datasamples: bool = False,
                 batch_size: int = 1,
                 sources: Optional[Sequence[str]] = None,
                 return_vis: bool = False,
                 pred_score_thr: float = 0.3) -> dict[str, Any]:
        """Predict images. All predictions are held in memory: give a large folder in parts.

        Args:
            inputs (str or Path or ndarray or list): Images, see :func:`list_images`; arrays are BGR.
            return_datasamples (bool): Give stock data samples instead of plain predictions.
            batch_size (int): Images that are predicted together. Padded as in a validation with this batch size.
            sources (Sequence[str], optional): Sources whose branches predict; all by default.
            return_vis (bool): Give pictures, too.
            pred_score_thr (float): Boxes with a lower score are left out of the pictures.

        Returns:
            dict: ``predictions``, by source a list as :func:`plain_prediction` gives them, or of data samples;
            ``visualization``, by source a list of RGB pictures ``(H, W, 3)``, or None.

        Raises:
            OSError: If there is no image.
            SampleError: If an image cannot be read.
            ValueError: If a source is unknown, or the config has no pipeline for it.
        """
        return super().__call__(inputs, return_datasamples, batch_size, sources=sources, return_vis=return_vis,
                                pred_score_thr=pred_score_thr)

    def preprocess(self, inputs: Any, batch_size: int = 1, sources: Optional[Sequence[str]] = None,
                   **_: Any) -> Iterator[dict[str, Any]]:
        """Give batches of one source after the other.

        Args:
            inputs (list): Images.
            batch_size (int): Images of a batch.
            sources (Sequence[str], optional): Sources to predict.

        Yields:
            dict: ``{source: stock batch}``.
        """
        for source in self.checked_sources(sources):
            samples = (self.pipeline[source](image, index) for index, image in enumerate(inputs))
            for batch in self._get_chunk_data(samples, batch_size):
                yield {source: self.collate_fn(batch)}

    def visualize(self, inputs: Sequence[Image], preds: Sequence[Any], return_vis: bool = False,
                  pred_score_thr: float = 0.3, **_: Any) -> Optional[dict[str, list[np.ndarray]]]:
        """Draw predictions.

        Args:
            inputs (Sequence): Images.
            preds (Sequence): Data samples of all images, source by source.
            return_vis (bool): Whether to draw.
            pred_score_thr (float): Boxes with a lower score are left out.

        Returns:
            dict or None: By source the pictures ``(H, W, 3)``, RGB.
        """
        if not return_vis:
            return None
        return {source: [self.visualizer[source].draw(_to_rgb(self.pipeline[source].read(image)), sample,
                                                      pred_score_thr)
                         for image, sample in zip(inputs, samples, strict=True)]
                for source, samples in _by_source(preds).items()}

    def postprocess(self, preds: Sequence[Any], visualization: Any, return_datasamples: bool = False,
                    **_: Any) -> dict[str, Any]:
        """Put predictions and pictures together.

        Args:
            preds (Sequence): Data samples of all images, source by source.
            visualization (dict, optional): Pictures by source.
            return_datasamples (bool): Whether to leave the samples as they are.

        Returns:
            dict: See :meth:`__call__`.
        """
        predictions = {source: samples if return_datasamples else [plain_prediction(sample, self.classes[source])
                                                                   for sample in samples]
                       for source, samples in _by_source(preds).items()}
        return dict(predictions=predictions, visualization=visualization)

    def checked_sources(self, sources: Optional[Sequence[str]]) -> list[str]:
        """Check which sources are to predict.

        Args:
            sources (Sequence[str], optional): Their names; all by default.

        Returns:
            list[str]: Their names.

        Raises:
            ValueError: If one is unknown, or the config has no pipeline for it.
        """
        wanted = list(self.tasks) if sources is None else list(dict.fromkeys(sources))
        unknown = [source for source in wanted if source not in self.tasks]
        if unknown:
            raise ValueError(f'There is no source {", ".join(map(repr, unknown))} in the checkpoint; it has '
                             f'{", ".join(self.tasks)}.')
        for source in wanted:
            if source not in self.pipeline:
                raise ValueError(f'The config in the checkpoint has no pipeline for images of source {source!r}: '
                                 f'{" and ".join(LOADERS)} leave it out. Sources with one: '
                                 f'{", ".join(self.pipeline) or "none"}.')
        return wanted

    def _inputs_to_list(self, inputs: Any) -> list[Image]:
        return list_images(inputs)

    def _init_model(self, cfg: Config, weights: Optional[str], device: str = 'cpu') -> Any:
        return self._loaded_model.to(device)

    def _init_pipeline(self, cfg: Config) -> dict[str, SourcePipeline]:
        pipelines = {}
        for source, task in self.tasks.items():
            loader = next((name for name in LOADERS if source in (cfg.get(name) or {})), None)
            if loader is not None:
                pipelines[source] = SourcePipeline(
                    source, task, cfg[loader][source]['dataset'], f'{loader}.{source}.dataset')
        return pipelines

    def _init_collate(self, cfg: Config) -> Any:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> Any:
        return {source: PredictionVisualizer(source, classes, self._metainfo.get(source, {}).get('palette'))
                for source, classes in self.classes.items()}

    def _classes_of(self, source: str) -> tuple[str, ...]:
        """Names of the data set's classes, or numbers if the run knew none."""
        classes = self._metainfo.get(source, {}).get('classes')
        if classes:
            return (classes, ) if isinstance(classes, str) else tuple(map(str, classes))
        head = class_head_of(self._loaded_model.branch(source))
        return tuple(f'class {i}' for i in range(getattr(head, 'num_classes', None) or 0))


def _by_source(samples: Sequence[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for sample in samples:
        grouped.setdefault(sample.source, []).append(sample)
    return grouped


def _to_rgb(image: np.ndarray) -> np.ndarray:
    """Give an image that a stock loader read, BGR or grey, as RGB of uint8."""
    image = image.clip(0, 255).astype(np.uint8).reshape(*image.shape[:2], -1)
    return image[..., 2::-1] if image.shape[2] >= 3 else image[..., :1].repeat(3, axis=2)
