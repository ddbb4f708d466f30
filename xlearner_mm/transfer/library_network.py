"""A network of torchvision or timm that loads the weights of a trained backbone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import torch
from torch import Tensor, nn

from xlearner_mm.models.expansion import StagedBackbone
from xlearner_mm.utils import optional

from .call import Call
from .counterpart import Counterpart
from .file_format import decode, reading


class LibraryNetwork(Counterpart):
    """A network of a library without ``init_cfg``: made by a call, and loaded by ``load_state_dict``.

    Args:
        call (Call): What makes the network; the first part of its name is the library.
        state (Mapping[str, Tensor]): The weights.
        stages (Sequence[str]): Names of the modules whose outputs are those of the stages.
        to_map (Callable): Turns such an output into a map ``(N, C, H, W)``.
        head (str, optional): Name of the classifier, which a backbone has none of; an identity takes its place.
        pooled (Callable, optional): Gives what the network returns without its head, ``(N, C)``, out of the trained
            backbone and its features; by default its ``vector``.
        exact (bool): See :class:`Counterpart`.
        sizes (Sequence[int]): See there.
        notes (Sequence[str]): See there.
    """

    def __init__(self, call: Call, state: Mapping[str, Tensor], stages: Sequence[str],
                 to_map: Callable[[Tensor], Tensor] = lambda x: x, head: Optional[str] = None,
                 pooled: Optional[Callable[[StagedBackbone, list[Any]], Tensor]] = None, exact: bool = True,
                 sizes: Sequence[int] = (64, ), notes: Sequence[str] = ()) -> None:
        super().__init__(call.path.split('.', 1)[0], state, exact, sizes, notes)
        self.call, self.stages, self.to_map, self.head = call, tuple(stages), to_map, head
        self.pooled = pooled or _vector

    def build(self) -> nn.Module:
        """Make the network, without its head.

        Returns:
            nn.Module: The network, with random weights.

        Raises:
            ImportError: If the library is not installed.
        """
        optional(self.target, 'This export')
        network = self.call.value()
        if self.head:
            parent, _, name = self.head.rpartition('.')
            setattr(network.get_submodule(parent), name, nn.Identity())
        return network

    def load(self, path: Path, form: str) -> nn.Module:
        """Make the network and load a file.

        Args:
            path (Path): The file.
            form (str): Its format.

        Returns:
            nn.Module: The network.
        """
        network = self.build()
        network.load_state_dict(decode(path, form))
        return network

    def usage(self, path: Path, form: str) -> list[str]:
        """Say how code loads a file.

        Args:
            path (Path): The file.
            form (str): Its format.

        Returns:
            list[str]: Lines to paste.
        """
        reader = 'safetensors.torch' if form == 'safetensors' else 'torch'
        lines = [f'import {", ".join(sorted({*self.call.modules, reader, "torch"}))}', f'model = {self.call!r}']
        if self.head:
            steps = [f'[{step}]' if step.isdigit() else f'.{step}' for step in self.head.split('.')]
            lines.append(f'model{"".join(steps)} = torch.nn.Identity()  # a backbone has no classifier')
        return [*lines, f'model.load_state_dict({reading(path, form)})']

    def compare(self, network: Any, staged: StagedBackbone, images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Compare the maps of all stages, and what the network returns.

        Args:
            network (nn.Module): The loaded network, in eval mode.
            staged (StagedBackbone): The trained backbone, in eval mode.
            images (Tensor): ``(N, 3, H, W)``.

        Returns:
            dict[str, tuple[Tensor, Tensor]]: What both give, by place.
        """
        outputs: list[Tensor] = []
        hooks = [network.get_submodule(name).register_forward_hook(lambda module, args, output: outputs.append(output))
                 for name in self.stages]
        with torch.no_grad():
            returned, features = network(images), staged.features(images)
        for hook in hooks:
            hook.remove()
        both = {f'stage {i}': (self.to_map(a), staged.map_of(b))
                for i, (a, b) in enumerate(zip(outputs, features, strict=True))}
        return both | {'output': (returned, self.pooled(staged, features))}


def _vector(staged: StagedBackbone, features: list[Any]) -> Tensor:
    """What a classifier reads."""
    return staged.emit(features, (staged.num_stages - 1, ), 'vector')[0]
