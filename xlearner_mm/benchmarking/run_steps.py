"""Joint train steps, measured one by one."""

import time

from xlearner_mm.utils import StepTimer

from .joint_side import JointSide
from .seconds_of import seconds_of
from .step_record import StepRecord


def run_steps(joint: JointSide, steps: int, by_parts: bool) -> list[StepRecord]:
    """Train as the train loop does, and nothing besides: workers fetch ahead while a step goes on (ours).

    Args:
        joint (JointSide): The X-Learner.
        steps (int): Number of steps.
        by_parts (bool): Whether parts are told apart; on a GPU the steps are slower then, see :class:`StepTimer`.

    Returns:
        list[StepRecord]: Measures of each step.
    """
    records = []
    for _ in range(steps):
        begin = time.perf_counter()
        batch = joint.next_batch()
        data = time.perf_counter() - begin
        images = {source: len(part['data_samples']) for source, part in batch.items()}
        parts: dict[tuple[str, str], float] = {}
        if by_parts:
            with StepTimer() as timer:
                seconds = seconds_of(joint.step, batch)
            parts = dict(timer.seconds)
        else:
            seconds = seconds_of(joint.step, batch)
        records.append(StepRecord(data, seconds, images, parts, joint.reduced_bytes))
    return records
