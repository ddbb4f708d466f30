"""Stock models that cannot act as a branch, each with the reason."""

from collections.abc import Mapping
from typing import Any, Optional

from mmengine.registry import MODELS

from .stock_source import StockSource

_TEXT = 'reads text beside the image'
_REACHES = 'reaches into its backbone, which a branch shares with others'
_TEACHER = 'distils from a network of its own; teachers belong into model.squeeze.external'
_VIDEO = 'works on videos'

# By class of the model, or of a base of it.
REFUSED = {
    'BaseMOTModel': _VIDEO,
    'BaseReID': 'learns from groups of images',
    'SemiBaseDetector': 'is semi-supervised and trains two copies of a detector',
    'GroundingDINO': _TEXT,
    'GLIP': _TEXT,
    'MultimodalEncoderDecoder': _TEXT,
    'TridentFasterRCNN': _REACHES,
    'LAD': _REACHES,
    'KnowledgeDistillationSingleStageDetector': _TEACHER,
    'Detectron2Wrapper': 'is a model of detectron2 with a backbone of its own',
    'BaseSelfSupervisor': 'is self-supervised: it learns without labels and changes what its backbone does',
    'BaseRetriever': 'retrieves images and has no supervised loss for single ones',
    'TimmClassifier': 'is a whole model of timm with a backbone of its own',
    'HuggingFaceClassifier': 'is a whole model of transformers with a backbone of its own',
}
# By class of the backbone.
REFUSED_BACKBONES = {
    'DetectoRS_ResNet': _REACHES,
    'DetectoRS_ResNeXt': _REACHES,
    'VPD': 'is a text-to-image model that is loaded from the network',
}
_MULTIMODAL = 'is no detector, segmentor or classifier of single images'


def check_model(source: StockSource, model: Mapping[str, Any]) -> None:
    """Refuse a stock model that is no single-image supervised branch, or that reaches into its backbone.

    Args:
        source (StockSource): The source.
        model (Mapping): Config of its model, the type with its prefix.

    Raises:
        ValueError: If the model cannot be a branch; says why.
    """
    kind = str(model['type'])
    cls = MODELS.get(kind)
    if cls is None:
        raise ValueError(f'Source {source.name!r}: {kind} is not registered. If it is a class of yours, let '
                         f'custom_imports of {source.config} name its module.')
    if not isinstance(cls, type):  # what mmpretrain registers for its multimodal models where transformers is missing
        reason: Optional[str] = _MULTIMODAL
    else:
        named = next((REFUSED[base.__name__] for base in cls.__mro__ if base.__name__ in REFUSED), None)
        reason = named or _backbone_reason(model) or _kind_reason(cls) or _head_reason(cls, model)
    if reason is not None:
        raise ValueError(f'Source {source.name!r}: {kind} of {source.config} cannot be a branch: it {reason}.')


def _backbone_reason(model: Mapping[str, Any]) -> Optional[str]:
    backbone = model.get('backbone')
    if not isinstance(backbone, Mapping):
        return 'has no backbone of its own in model.backbone'
    return REFUSED_BACKBONES.get(str(backbone.get('type')).rpartition('.')[2])


def _head_reason(cls: type, model: Mapping[str, Any]) -> Optional[str]:
    is_classifier = 'BaseClassifier' in {base.__name__ for base in cls.__mro__}
    return 'has no head, and so no loss' if is_classifier and not model.get('head') else None


def _kind_reason(cls: type) -> Optional[str]:
    """Ask for a base class of supervised models of single images; a config may name a model of another library."""
    bases = {base.__name__ for base in cls.__mro__}
    return None if bases & {'BaseDetector', 'BaseSegmentor', 'BaseClassifier'} else _MULTIMODAL
