"""Pictures of what the transferred models predict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from matplotlib.patches import Patch, Rectangle  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.registry import DATASETS, MODELS  # noqa: E402
from mmengine.runner import load_checkpoint  # noqa: E402

from earth.report import transfer_folder  # noqa: E402
from xlearner_mm.utils import with_scope  # noqa: E402

MIN_SCORE = 0.3  # boxes below it are not drawn
COLUMNS = 6


@torch.no_grad()
def predict(work_dir: Path, columns: int = COLUMNS) -> tuple[list[Any], dict]:
    """Predict evenly spread validation images of a finished transfer.

    Args:
        work_dir (Path): Work folder of the transfer.
        columns (int): Number of images.

    Returns:
        tuple: Pairs of an RGB image ``(H, W, 3)`` and its stock data sample with labels and predictions; metainfo.
    """
    config = Config.fromfile(next(work_dir.glob('*.py')))
    model = MODELS.build(with_scope(config.model))
    checkpoint = (work_dir / 'last_checkpoint').read_text()
    load_checkpoint(model, checkpoint, map_location='cpu')
    model.eval()
    dataset = DATASETS.build(with_scope(config.val_dataloader.dataset))
    dataset.full_init()
    pairs = []
    for index in np.linspace(0, len(dataset) - 1, columns).round().astype(int):
        sample = dataset[int(index)]
        (result, ) = model.val_step(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
        pairs.append((sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1], result))
    return pairs, dataset.metainfo


def draw_classification(axes: Sequence[Any], pairs: list[Any], metainfo: dict) -> None:
    """Draw images with true and predicted class as title, green if they agree."""
    for axis, (image, sample) in zip(axes, pairs, strict=True):
        truth, guess = int(sample.gt_label), int(sample.pred_label)
        axis.imshow(image)
        names = [metainfo['classes'][i].replace('_', ' ') for i in (guess, truth)]
        title = names[0] if truth == guess else f'{names[0]}\n(is {names[1]})'
        axis.set_title(title, fontsize=8, color='darkgreen' if truth == guess else 'firebrick')


def draw_detection(axes: Sequence[Any], pairs: list[Any], _: dict) -> None:
    """Draw true boxes dashed and predicted ones with their score."""
    for axis, (image, sample) in zip(axes, pairs, strict=True):
        axis.imshow(image)
        scale = np.tile(np.asarray(sample.scale_factor), 2)
        for box in np.asarray(sample.gt_instances.bboxes) * scale:  # read after the resize, so not resized
            _add_box(axis, box, 'white', '--')
        predicted = sample.pred_instances[sample.pred_instances.scores > MIN_SCORE]
        for box, score in zip(np.asarray(predicted.bboxes) * scale, predicted.scores, strict=True):
            _add_box(axis, box, 'orangered', '-')
            axis.text(box[0] + 1, box[1] + 2, f'{score:.2f}', color='orangered', fontsize=6, va='top')
        axis.set_title(f'{len(predicted)} found, {len(sample.gt_instances)} there', fontsize=8)


def draw_segmentation(axes: Sequence[Any], pairs: list[Any], metainfo: dict, truths: Sequence[Any]) -> set[int]:
    """Draw predicted label maps on ``axes`` and true ones on ``truths``.

    Returns:
        set[int]: Labels that are seen, for the legend.
    """
    palette = np.asarray(metainfo['palette'], np.uint8)
    seen: set[int] = set()
    for axis, truth_axis, (_, sample) in zip(axes, truths, pairs, strict=True):
        guess, truth = sample.pred_sem_seg.data[0].numpy(), sample.gt_sem_seg.data[0].numpy()
        axis.imshow(palette[guess])
        truth_axis.imshow(palette[truth])
        axis.set_title(f'{100 * np.mean(guess == truth):.0f} % of pixels right', fontsize=8)
        seen |= set(np.unique(guess).tolist()) | set(np.unique(truth).tolist())
    return seen


def _add_box(axis: Any, box: np.ndarray, color: str, style: str) -> None:
    x, y, right, bottom = box
    axis.add_patch(
        Rectangle((x, y), right - x, bottom - y, fill=False, edgecolor=color, linestyle=style, linewidth=1.2))


def draw_predictions(results: Path, path: Path) -> None:
    """Draw one sheet of what the models fine-tuned from the exported backbone predict on held-out images.

    Args:
        results (Path): Folder of the demo.
        path (Path): PNG to write.
    """
    figure, axes = plt.subplots(5, COLUMNS, figsize=(2.1 * COLUMNS, 12.2), layout='constrained')
    names = ('classification', 'detection\n(white: truth)', 'segmentation\nimage', 'truth', 'prediction')
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    draw_classification(axes[0], *predict(transfer_folder(results, 'cls')))
    draw_detection(axes[1], *predict(transfer_folder(results, 'det')))
    pairs, metainfo = predict(transfer_folder(results, 'seg'))
    for axis, (image, _) in zip(axes[2], pairs, strict=True):
        axis.imshow(image)
    seen = draw_segmentation(axes[4], pairs, metainfo, axes[3])
    handles = [Patch(color=np.asarray(metainfo['palette'][i]) / 255, label=metainfo['classes'][i])
               for i in sorted(seen)]
    figure.legend(handles=handles, loc='outside lower center', ncols=5, fontsize=8, frameon=False)
    figure.suptitle('Held-out images, predicted by stock models that started from the exported backbone')
    figure.savefig(path, dpi=110)
    plt.close(figure)
