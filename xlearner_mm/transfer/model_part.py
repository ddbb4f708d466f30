"""A backbone within the checkpoint of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Union

from mmengine.config import Config
from mmengine.registry import MODELS

from xlearner_mm.models import Phase
from xlearner_mm.models.expansion import StagedBackbone, build_staged_backbone
from xlearner_mm.utils import with_scope


class ModelPart(NamedTuple):
    """A backbone that can be exported.

    Attributes:
        name (str): ``student``, a task, or ``backbone``.
        prefix (str): What its keys in the state dict begin with.
        cfg (Mapping): Its config.
    """

    name: str
    prefix: str
    cfg: Mapping[str, Any]

    def load(self, checkpoint: Union[str, Path], state: Mapping[str, Any]) -> StagedBackbone:
        """Build the backbone with its trained weights.

        Args:
            checkpoint (str or Path): Checkpoint of the run, for errors.
            state (Mapping): Its state dict.

        Returns:
            StagedBackbone: The backbone, in eval mode.

        Raises:
            ValueError: If it cannot be built, or does not fit its config.
        """
        own = {key[len(self.prefix):]: value for key, value in state.items() if key.startswith(self.prefix)}
        cfg = {key: value for key, value in self.cfg.items() if key not in ('init_cfg', 'pretrained', 'frozen_stages')}
        try:
            staged = build_staged_backbone(MODELS.build(with_scope(cfg)))
            staged.backbone.load_state_dict(own)
        except (AssertionError, KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f'The {self.name} of {checkpoint} does not fit its config: {error}') from error
        staged.backbone.eval()
        return staged


def find_part(checkpoint: Union[str, Path], cfg: Config, state: Mapping[str, Any], part: str) -> ModelPart:
    """Find a backbone in a run.

    Args:
        checkpoint (str or Path): Checkpoint of the run, for errors.
        cfg (Config): Config of the run.
        state (Mapping): State dict of the checkpoint.
        part (str): ``student``, a task, or ``backbone`` for the shared backbone of a run without expansion.

    Returns:
        ModelPart: The part.

    Raises:
        ValueError: If there is no such part, or the student is untrained.
    """
    model, parts = cfg.model, {}
    if not isinstance(model.get('backbone'), Mapping):
        raise ValueError(f'{checkpoint} holds no X-Learner: model.backbone is {model.get("backbone")!r}.')
    if 'sub_backbones' in model.backbone:
        parts = {task: ModelPart(task, f'backbone.sub_backbones.{task}.', backbone)
                 for task, backbone in model.backbone.sub_backbones.items()}
    else:
        parts['backbone'] = ModelPart('backbone', 'backbone.', model.backbone)
    if model.get('squeeze') is not None:
        parts['student'] = ModelPart('student', 'squeeze.student.', model.squeeze.student)
    if part not in parts:
        raise ValueError(f'The checkpoint has no part {part!r}; it has {", ".join(parts)}.')
    if part == 'student' and int(state.get('squeeze.phase', Phase.EXPANSION)) != Phase.SQUEEZE:
        raise ValueError(f'{checkpoint} was saved before the squeeze: its student is untrained. Export a task '
                         f'({", ".join(key for key in parts if key != "student")}) or a later checkpoint.')
    return parts[part]
