"""Backbones as the command line names them."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from xlearner_mm.models.pooled_network import LIBRARIES, check_name
from xlearner_mm.transfer.safe_checkpoint import sha256_of
from xlearner_mm.transfer.trained_model import read_run

from .backbone import Backbone
from .pixels import IMAGENET, Pixels
from .run_backbone import RunBackbone
from .scratch_backbone import ScratchBackbone
from .zoo_backbone import ZooBackbone, pixels_of_timm

FORMS = 'run:CHECKPOINT[#PART], torchvision:MODEL[@WEIGHTS], timm:MODEL[@WEIGHTS] or scratch:NAME'


def parse_backbones(words: Sequence[str]) -> list[Backbone]:
    """Read the backbones that a suite compares.

    Args:
        words (Sequence[str]): Each ``NAME=`` and one of: ``run:CHECKPOINT`` of an X-Learner run, with ``#PART`` for
            another part than the student; ``torchvision:MODEL`` or ``timm:MODEL``, with ``@WEIGHTS`` for a file;
            ``scratch:NAME``, the architecture of another one with random weights.

    Returns:
        list[Backbone]: In the order of the words.

    Raises:
        FileNotFoundError: If a checkpoint or a file with weights does not exist.
        ValueError: If a word is none of these, or a name comes twice.
    """
    found: dict[str, Backbone] = {}
    for word in sorted(words, key=lambda w: '=scratch:' in w):  # what they are like must be known
        name, _, form = word.partition('=')
        if not re.fullmatch(r'[\w.-]+', name) or ':' not in form:
            raise ValueError(f'--backbone {word}: it must be NAME={FORMS}, the name of letters, digits, "_", "-", ".".')
        if name in found:
            raise ValueError(f'--backbone {word}: there is another backbone {name!r}. Give it a name of its own.')
        kind, _, what = form.partition(':')
        found[name] = _parse(word, name, kind, what, found)
    return [found[word.partition('=')[0]] for word in words]


def _parse(word: str, name: str, kind: str, what: str, known: dict[str, Backbone]) -> Backbone:
    if kind == 'run':
        path, _, part = what.partition('#')
        return _run(name, _existing(word, path), part or 'student')
    if kind in LIBRARIES:
        model, _, weights = what.partition('@')
        return _zoo(word, name, kind, model, weights or None)
    if kind == 'scratch':
        if what not in known:
            raise ValueError(f'--backbone {word}: {what!r} is no other backbone; there are '
                             f'{", ".join(known) or "none"}.')
        like = known[what]
        return ScratchBackbone(name, like.pixels, _digest('scratch', like.digest), like)
    raise ValueError(f'--backbone {word}: {kind!r} must be one of run, torchvision, timm, scratch: NAME={FORMS}.')


def _run(name: str, checkpoint: Path, part: str) -> RunBackbone:
    branches = read_run(checkpoint)[0].model.branches
    found = {Pixels.read(branch.model.get('data_preprocessor') or {}) for branch in branches.values()}
    if len(found) > 1:
        raise ValueError(f'--backbone {name}: the sources of {checkpoint} were normalised differently: '
                         f'{", ".join(map(str, found))}. One backbone wants one normalisation.')
    return RunBackbone(name, found.pop(), _digest('run', sha256_of(checkpoint), part), checkpoint, part)


def _zoo(word: str, name: str, library: str, model: str, weights: Optional[str]) -> ZooBackbone:
    path = None if weights is None else _existing(word, weights)
    check_name(library, model)  # now, not after hours
    pixels = IMAGENET if library == 'torchvision' else Pixels(*pixels_of_timm(model))
    digest = _digest(library, model, '' if path is None else sha256_of(path))
    return ZooBackbone(name, pixels, digest, library, model, None if path is None else str(path))


def _existing(word: str, path: str) -> Path:
    if not Path(path).is_file():
        raise FileNotFoundError(f'--backbone {word}: there is no file {path}.')
    return Path(path).resolve()


def _digest(*parts: str) -> str:
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()

