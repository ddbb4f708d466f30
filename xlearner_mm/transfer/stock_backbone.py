"""A backbone of mmdet, mmseg or mmpretrain that loads the weights of a trained one."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from xlearner_mm.compose.config_text import assignment
from xlearner_mm.models.expansion import StagedBackbone, build_staged_backbone

from .counterpart import Counterpart
from .file_format import decode, reading
from .quiet import quiet

STOCK = ('mmdet', 'mmseg', 'mmpretrain')


class StockBackbone(Counterpart):
    """A stock backbone that starts from a file by its ``init_cfg``.

    Args:
        target (str): The library.
        cfg (Mapping): Config of the backbone, as its library reads it.
        state (Mapping[str, Tensor]): The weights.
        prefix (str): What the backbone wants before every key of the file.
        exact (bool): See :class:`Counterpart`.
        sizes (Sequence[int]): See there.
        notes (Sequence[str]): See there.
    """

    def __init__(self, target: str, cfg: Mapping[str, Any], state: Mapping[str, Tensor], prefix: str = '',
                 exact: bool = True, sizes: Sequence[int] = (64, ), notes: Sequence[str] = ()) -> None:
        super().__init__(target, state, exact, sizes, notes)
        self.cfg, self.prefix = dict(cfg), prefix

    @property
    def foreign(self) -> str:
        """Library of the class where that is not the target's own, else empty."""
        return str(self.cfg['type']).rpartition('.')[0]

    def build(self) -> nn.Module:
        """Build the backbone as its library does.

        Returns:
            nn.Module: The backbone, with random weights.

        Raises:
            ValueError: If the library cannot build it.
        """
        try:
            return _build(self.target, self.cfg)
        except (AssertionError, KeyError, TypeError) as error:
            raise ValueError(f'{self.target} has no {self.cfg["type"]} with these settings: {error}.') from error

    def file_state(self, form: str) -> dict[str, Tensor]:
        """Give the weights under the keys that a file has.

        Args:
            form (str): Format of the file; only ``init_cfg`` wants the prefix, and it reads ``pth``.

        Returns:
            dict[str, Tensor]: The weights.
        """
        return {self.prefix + key: value for key, value in self.state.items()} if form == 'pth' else self.state

    def load(self, path: Path, form: str) -> nn.Module:
        """Start the backbone from a file: by ``init_cfg`` where it can read the format.

        Args:
            path (Path): The file.
            form (str): Its format.

        Returns:
            nn.Module: The backbone.
        """
        if form == 'pth':
            network: Any = _build(self.target, dict(self.cfg, init_cfg=self._init_cfg(path)))
            with quiet():
                network.init_weights()
            return network
        network = self.build()
        network.load_state_dict(decode(path, form))
        return network

    def usage(self, path: Path, form: str) -> list[str]:
        """Say how a config, or code, starts the backbone from a file.

        Args:
            path (Path): The file.
            form (str): Its format.

        Returns:
            list[str]: Lines to paste.
        """
        lines = []
        if self.foreign:
            kind = self.cfg['type'].rpartition('.')[2]
            lines.append(f"# {self.target} has no such {kind}: it builds {self.foreign}'s, which must be installed")
            lines.append(f'custom_imports = dict(imports=[{self.foreign + ".models"!r}], allow_failed_imports=False)')
        if form == 'pth':
            return [*lines, _argument(dict(self.cfg, init_cfg=self._init_cfg(path)))]
        return [*lines, _argument(self.cfg), f'model.backbone.load_state_dict({reading(path, form)})']

    def config(self, path: Path, form: str) -> dict[str, Any]:
        """Give the config of a backbone that starts from a file, for a config of any library.

        Args:
            path (Path): The file.
            form (str): Its format; only ``pth`` has an ``init_cfg``.

        Returns:
            dict: The config, its type with the prefix of its library.
        """
        kind = self.cfg['type'] if self.foreign else f'{self.target}.{self.cfg["type"]}'
        return dict(self.cfg, type=kind) | (dict(init_cfg=self._init_cfg(path)) if form == 'pth' else {})

    def compare(self, network: Any, staged: StagedBackbone, images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Compare the maps of all stages, and what the backbone returns.

        Args:
            network (nn.Module): The loaded backbone, in eval mode.
            staged (StagedBackbone): The trained backbone, in eval mode.
            images (Tensor): ``(N, 3, H, W)``.

        Returns:
            dict[str, tuple[Tensor, Tensor]]: What both give, by place.
        """
        own = build_staged_backbone(network)
        found, features = own.features(images), staged.features(images)
        both = {f'stage {i}': (own.map_of(a), staged.map_of(b))
                for i, (a, b) in enumerate(zip(found, features, strict=True))}
        out_indices = getattr(network, 'out_indices', own.emits())
        returned = zip(tensors(network(images)), tensors(staged.emit(features, out_indices, own.stock_output)),
                       strict=True)
        return both | {f'output {i}': pair for i, pair in enumerate(returned)}

    def _init_cfg(self, path: Path) -> dict[str, str]:
        return dict(type='Pretrained', checkpoint=str(path)) | (dict(prefix=self.prefix) if self.prefix else {})


def tensors(value: Any) -> Iterator[Tensor]:
    """Give the tensors in what a network returns.

    Args:
        value (Tensor or dict or Sequence): What it returns.

    Yields:
        Tensor: Each tensor.
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors(item)


def _build(target: str, cfg: Mapping[str, Any]) -> nn.Module:
    """Build a backbone as a config of its library does: some read their ``init_cfg`` as a ConfigDict only."""
    with DefaultScope.overwrite_default_scope(target):
        network = importlib.import_module(f'{target}.registry').MODELS.build(ConfigDict(cfg))
    return network


def _argument(cfg: Mapping[str, Any]) -> str:
    return assignment('backbone', cfg).strip().replace(' = ', '=', 1)
