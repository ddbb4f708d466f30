"""A plain backbone out of an X-Learner checkpoint, proved against the library that will load it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config

from xlearner_mm.version import __version__

from .exported import Exported
from .file_format import FORMATS, encode
from .model_part import find_part
from .proof import check_keys, prove
from .run_facts import branch_models, input_sizes_of, normalisation_of, unit_normalisation_of
from .safe_checkpoint import sha256_of
from .staging import staged
from .stock_backbone import STOCK, StockBackbone
from .targets import find_counterpart
from .trained_model import read_run


def export_backbone(checkpoint: Union[str, Path], out: Union[str, Path], target: str, part: str = 'student',
                    form: str = 'pth') -> Exported:
    """Export the student, or the sub-backbone of a task, as a plain backbone.

    The file is written only when the network of the target has loaded it, the way that a user does, and has every
    weight and the features of the trained backbone. A sub-backbone leaves its links behind.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.
        out (str or Path): File to write.
        target (str): One of ``TARGETS``.
        part (str): ``student``, a task, or ``backbone`` for the shared backbone of a run without expansion.
        form (str): Format of the file, ``pth`` or ``safetensors``.

    Returns:
        Exported: The file that was written, and how it is used.

    Raises:
        ImportError: If an optional library that the export needs is not installed.
        OSError: If a file cannot be read or written.
        ValueError: If the checkpoint has no such part, or the target cannot load it.
    """
    check_format(form)
    out, (cfg, loaded) = Path(out), read_run(checkpoint)
    found = find_part(checkpoint, cfg, loaded['state_dict'], part)
    trained = found.load(checkpoint, loaded['state_dict'])
    counterpart = find_counterpart(target, trained.backbone, found.cfg)
    check_keys(counterpart, trained.backbone, f'{part} of {checkpoint}')
    models = branch_models(cfg.model, squeezed=part == 'student')
    meta = dict(part=part, target=target, backbone=str(Config(dict(backbone=found.cfg)).to_dict()['backbone']),
                **facts_of(checkpoint, cfg, loaded, models, part == 'student'))
    content = encode(counterpart.file_state(form), meta, form)
    with staged({out: content}) as written:
        agreement = prove(counterpart, written[out], form, trained)
    config = counterpart.config(out, form) if isinstance(counterpart, StockBackbone) else {}
    notes = [*counterpart.notes, f'Images were normalised by {meta["normalisation"]}.']
    unit = unit_normalisation_of(models)
    if target not in STOCK and unit:
        notes.append(f'In the terms of {target}: {unit}.')
    notes.append('Sizes in training: ' + '; '.join(f'{key}: {text}' for key, text in meta['input_sizes'].items()) + '.')
    return Exported(out, target, agreement, counterpart.usage(out, form), notes, config)


def check_format(form: str) -> None:
    """Refuse a format that is not known.

    Args:
        form (str): The format.

    Raises:
        ValueError: If it is not one of ``FORMATS``.
    """
    if form not in FORMATS:
        raise ValueError(f'Format {form!r} must be one of {", ".join(FORMATS)}.')


def facts_of(checkpoint: Union[str, Path], cfg: Config, loaded: Mapping[str, Any], models: Mapping[str, Any],
             squeezed: bool) -> dict[str, Any]:
    """Give what an exported file says of where it comes from.

    Args:
        checkpoint (str or Path): Checkpoint of the run.
        cfg (Config): Config of the run.
        loaded (Mapping): What the checkpoint holds.
        models (Mapping): Config of the stock model by source.
        squeezed (bool): Whether the weights are those of the squeeze.

    Returns:
        dict: Of plain values.
    """
    return dict(
        source_checkpoint=Path(checkpoint).name, source_sha256=sha256_of(checkpoint),
        source_iter=int(loaded['meta'].get('iter', -1)), normalisation=normalisation_of(models),
        input_sizes=input_sizes_of(cfg, models, squeezed), xlearner_mm=__version__)
