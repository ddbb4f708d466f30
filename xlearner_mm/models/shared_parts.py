"""Parts that all sources of a task have in common."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Optional

from torch import nn

from xlearner_mm.utils import as_dict_by_source

from .branch import ports_of
from .part_difference import first_difference, held_inside

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class _Place(NamedTuple):
    """A module's place in a model: the module that has it, and its name there."""

    parent: nn.Module
    name: str

    @property
    def module(self) -> nn.Module:
        """What is there."""
        return getattr(self.parent, self.name)


class SharedParts:
    """Modules of stock models that all sources of a task share (ours).

    They are those of the task's first source. In the stock models of the others an unregistered reference takes their
    place: parameters stand once in the state dict and in the optimizer, and a copy of the model shares as it does.

    Args:
        paths (Mapping[str, Sequence[str]], optional): By task, dotted paths of modules within the stock models, e.g.
            ``dict(det=('neck', 'roi_head.bbox_head.shared_fcs'))``.
        tasks (Mapping[str, str]): Task by source, in the order of the config.

    Raises:
        TypeError: If the paths are no list of strings by task.
        ValueError: If a task is unknown or has one source only, or a path is within another.
    """

    def __init__(self, paths: Optional[Mapping[str, Sequence[str]]], tasks: Mapping[str, str]) -> None:
        self.tasks = dict(tasks)
        self.paths: dict[str, tuple[str, ...]] = {}
        for task, of_task in ({} if paths is None else as_dict_by_source(paths, 'model.shared', 'Task')).items():
            self._check_task(task)
            self.paths[task] = _check_paths(task, of_task)

    def share(self, branches: Mapping[str, nn.Module], setting: str) -> None:
        """Let the models of a task share their parts.

        Args:
            branches (Mapping[str, nn.Module]): Stock models by source, not all sources need one; they are changed.
            setting (str): How errors name them, e.g. ``model.branches``.

        Raises:
            ValueError: If a model lacks a part or cannot share it, or the parts are not built alike.
        """
        for task, paths in self.paths.items():
            sources = self._sources(task, branches)
            for source in sources[1:]:
                names = [f'{setting}.{name}' for name in (sources[0], source)]
                _share(branches[sources[0]], branches[source], paths, names, f'model.shared.{task}')

    def owner(self, source: str, branches: Iterable[str]) -> str:
        """Name the source whose parts a source uses.

        Args:
            source (str): The source.
            branches (Iterable[str]): Sources among whose models it shares.

        Returns:
            str: The first source of its task.
        """
        return self._sources(self.tasks[source], branches)[0]

    def borrowed(self, source: str, branch: nn.Module) -> list[nn.Module]:
        """Give the parts of a model that are another source's.

        Args:
            source (str): The source of the model.
            branch (nn.Module): The model.

        Returns:
            list[nn.Module]: The parts.
        """
        return [place.module for place in self._places(source, branch)]

    @contextmanager
    def whole(self, source: str, branch: nn.Module) -> Iterator[nn.Module]:
        """Have all parts in the state dict of a model for a while, those of another source included.

        Args:
            source (str): The source of the model.
            branch (nn.Module): The model.

        Yields:
            nn.Module: The model.
        """
        places = self._places(source, branch)
        for place in places:
            place.parent._modules[place.name] = place.module
        try:
            yield branch
        finally:
            for place in places:
                del place.parent._modules[place.name]

    @contextmanager
    def copied(self, *branches: Mapping[str, nn.Module]) -> Iterator[None]:
        """Give models copies of the parts of another source for a while: what happens to these is forgotten.

        The initialisation of a stock model reaches the parts of its modules by name, so each source would initialise
        the shared parts anew.

        Args:
            *branches (Mapping[str, nn.Module]): Stock models by source.
        """
        kept = [(place, place.module) for models in branches for source, model in models.items()
                for place in self._places(source, model)]
        for place, module in kept:
            object.__setattr__(*place, copy.deepcopy(module))
        try:
            yield
        finally:
            for place, module in kept:
                object.__setattr__(*place, module)

    def _places(self, source: str, branch: nn.Module) -> list[_Place]:
        """Find the references to parts of another source."""
        places = []
        for path in self.paths.get(self.tasks[source], ()):
            *through, name = path.split('.')
            parent: Any = branch
            for step in through:
                parent = getattr(parent, step, None)
            if name in getattr(parent, '__dict__', ()):
                places.append(_Place(parent, name))
        return places

    def _sources(self, task: str, among: Iterable[str]) -> list[str]:
        return [source for source, own in self.tasks.items() if own == task and source in set(among)]

    def _check_task(self, task: str) -> None:
        sources = self._sources(task, self.tasks)
        if not sources:
            raise ValueError(f'model.shared names the task {task!r}, which no source has. Tasks of the sources: '
                             f'{", ".join(dict.fromkeys(self.tasks.values()))}. Mend its name.')
        if len(sources) == 1:
            raise ValueError(f'model.shared.{task}: {sources[0]!r} is the only source of the task, there is none to '
                             f'share with. Take {task} out of model.shared, or give the task another source.')


def _check_paths(task: str, paths: Any) -> tuple[str, ...]:
    """Refuse what is no list of paths, and paths within each other."""
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, str) for path in paths):
        raise TypeError(f"model.shared.{task} must be a list of paths such as ['neck', 'rpn_head'], got {paths!r}.")
    if not paths:
        raise ValueError(f'model.shared.{task} is empty: name what is shared, or take {task} out of model.shared.')
    for i, path in enumerate(paths):
        for other in (*paths[:i], *paths[i + 1:]):
            if f'{path}.'.startswith(f'{other}.'):
                raise ValueError(f'model.shared.{task}: {path!r} is shared with {other!r} already. Take one of them '
                                 'out.')
    return tuple(paths)


def _share(owner: nn.Module, branch: nn.Module, paths: Sequence[str], names: Sequence[str], what: str) -> None:
    """Replace parts of a model by references to those of the owner."""
    pairs = []
    for path in paths:
        part, place = _find(owner, path, names[0], what).module, _find(branch, path, names[1], what)
        difference = first_difference(part, place.module, path)
        if difference:
            raise ValueError(f'{what}: {path!r} is not built alike in {names[0]} and {names[1]}: {difference}. One '
                             'module serves both: give both the same settings, or share less.')
        pairs.append((part, place))
    replaced = [module for _, place in pairs for module in place.module.modules()]
    for part, place in pairs:
        del place.parent._modules[place.name]
        # Past nn.Module's own bookkeeping: registered, the part would stand in the state dict once for each source.
        object.__setattr__(*place, part)
    left = held_inside(branch, {id(x) for module in replaced for x in _with_tensors(module)}, names[1])
    if left:
        raise ValueError(f'{what}: {names[1]} holds a part of {", ".join(map(repr, paths))} a second time, as {left}, '
                         'which would not be shared. Share that as well, or a module that holds both.')


def _with_tensors(module: nn.Module) -> list[Any]:
    """Give a module and its tensors; nothing of one without any, which may well be held in two places."""
    tensors = [*module.parameters(), *module.buffers()]
    return [module, *tensors] if tensors else []


def _find(model: nn.Module, path: str, name: str, what: str) -> _Place:
    """Find the place of a part, and refuse what cannot be shared."""
    *through, last = path.split('.')
    parent = model
    for step in through:
        parent = _child(parent, step, path, name, what)
    part = _child(parent, last, path, name, what)
    if isinstance(parent, _CONTAINERS):
        raise ValueError(f'{what}: {path!r} is an element of a {type(parent).__name__}, which holds no references. '
                         f'Share the whole of it, {".".join(through)!r}, or modules within its elements.')
    if ports_of(part):
        raise ValueError(f'{what}: {path!r} of {name} holds a port; the backbone is shared anyway. Share the neck and '
                         'parts of the heads.')
    return _Place(parent, last)


def _child(parent: nn.Module, step: str, path: str, name: str, what: str) -> nn.Module:
    child = parent._modules.get(step)
    if child is None:
        found = getattr(parent, step, None)
        told = f'no module {step!r}' if found is None else f'a {type(found).__name__} as {step!r}, which is no module'
        has = ', '.join(key for key, module in parent._modules.items() if module is not None) or 'none'
        raise ValueError(f'{what}: there is no {path!r} in {name}, whose {type(parent).__name__} has {told}. Its '
                         f'modules: {has}.')
    return child
