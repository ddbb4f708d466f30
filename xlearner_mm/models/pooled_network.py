"""Classifiers of other libraries as backbones that give one vector an image."""

from typing import Any, Optional

import torch
import torchvision
from mmengine.model import BaseModule
from torch import Tensor, nn

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import optional

LIBRARIES = ('torchvision', 'timm')
_HEADS = ('fc', 'classifier', 'head', 'heads')  # torchvision's names of what classifies


@MODELS.register_module()
class PooledNetwork(BaseModule):
    """A classifier of torchvision or timm without its last layer: what it classifies is what it gives (ours).

    It never reads the network; weights come from a file.

    Args:
        library (str): ``torchvision`` or ``timm``.
        name (str): Model in that library, such as ``resnet50``.
        weights (str, optional): File with the weights of the whole classifier, as the library publishes it (``.pth`` or
            ``.safetensors``); random ones by default.

    Raises:
        ImportError: If timm, or safetensors for such a file, is not installed.
        ValueError: If the library has no such model, or the file is not of it.
    """

    def __init__(self, library: str, name: str, weights: Optional[str] = None) -> None:
        super().__init__()
        self.network = build_classifier(library, name)
        if weights is not None:
            load_strictly(self.network, weights, f'{library}:{name}')
        _drop_last_layer(self.network, library)

    def init_weights(self) -> None:
        """Keep the weights: mmengine would call timm's own ``init_weights`` over those of the file."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Run the network.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            tuple[Tensor]: One vector an image, ``(N, C)``.
        """
        return (self.network(x), )


def build_classifier(library: str, name: str) -> Any:
    """Build a classifier with random weights.

    Args:
        library (str): ``torchvision`` or ``timm``.
        name (str): Model in that library.

    Returns:
        nn.Module: The classifier.

    Raises:
        ImportError: If timm is not installed.
        ValueError: If the library has no such model.
    """
    check_name(library, name)
    if library == 'torchvision':
        return torchvision.models.get_model(name, weights=None)
    return optional('timm', f'timm:{name}').create_model(name, pretrained=False)


def check_name(library: str, name: str) -> None:
    """Refuse a model that a library has not.

    Args:
        library (str): ``torchvision`` or ``timm``.
        name (str): Model in that library.

    Raises:
        ImportError: If timm is not installed.
        ValueError: If the library has no such model.
    """
    models: Any = torchvision.models if library == 'torchvision' else optional('timm', f'timm:{name}')
    known = name in models.list_models() if library == 'torchvision' else models.is_model(name)  # a tag may follow
    if not known:
        raise ValueError(f'{library} has no model {name!r}; see {models.__name__}.list_models().')


def load_strictly(network: nn.Module, weights: str, what: str) -> None:
    """Load a file that must fit, key by key.

    Args:
        network (nn.Module): The network.
        weights (str): The file.
        what (str): How an error names the network.

    Raises:
        ImportError: If safetensors is needed and not installed.
        ValueError: If the file does not fit, or cannot be read.
    """
    try:
        if weights.endswith('.safetensors'):
            loaded: Any = optional('safetensors.torch', weights).load_file(weights)
        else:
            loaded = torch.load(weights, map_location='cpu', weights_only=True)  # executes no code of the file
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f'{weights} cannot be read: {type(error).__name__}: {error}') from error
    state, own = loaded.get('state_dict', loaded), network.state_dict()
    wrong = [key for key in {**own, **state}
             if key not in own or key not in state or own[key].shape != state[key].shape]
    if wrong:
        raise ValueError(f'{weights} is no file of {what}: {len(wrong)} keys are missing, unexpected or of another '
                         f'shape, the first {wrong[0]}.')
    network.load_state_dict(state)


def _drop_last_layer(network: Any, library: str) -> None:
    if library == 'timm':
        network.reset_classifier(0)
        return
    head = next(name for name in _HEADS if hasattr(network, name))
    module = getattr(network, head)
    if isinstance(module, nn.Sequential):  # all but the last linear layer is what the features pass, e.g. a norm
        module[-1] = nn.Identity()
    else:
        setattr(network, head, nn.Identity())
