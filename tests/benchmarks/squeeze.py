"""Measures of the squeeze, each with its limit: ``python tests/benchmarks/squeeze.py [--json FILE]``.

Exits 1 if a limit is missed. One thread; times are medians of interleaved repeats.
"""

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import torch  # noqa: E402
from measure import Measure, report  # noqa: E402
from mmengine.config import Config, ConfigDict  # noqa: E402
from mmengine.registry import MODELS  # noqa: E402

import standardizer_ranks  # noqa: E402
import toy  # noqa: E402
from rank_group import spawn  # noqa: E402
from test_engine.test_resume import run_file  # noqa: E402
from tiny import resnet  # noqa: E402
from xlearner_mm.models import HintLoss, Normalisation  # noqa: E402
from xlearner_mm.models.squeeze import BatchStandardizer, PhiS, RunningStandardizer  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402
from xlearner_mm.transfer import export_backbone  # noqa: E402
from xlearner_mm.utils import with_scope  # noqa: E402

SWITCH, END, REPEATS, TASKS = 3, 6, 15, ('cls', 'det', 'seg')


def config(data: Path, work_dir: Path, switch: int, end: int) -> Config:
    """A run whose squeeze uses what keeps a state: statistics, learned weights, a start by the mean, drawn sizes."""
    cfg = toy.config(data, work_dir, switch, end, save_every=1)
    cfg.model.backbone.sub_backbones = dict.fromkeys(TASKS, resnet())
    cfg.model.squeeze.update(
        start='mean', standardizer=dict(type='xlearner_mm.PhiS'), supervised=[[0, 1.0], [2, 0.5]],
        weights=dict(type='xlearner_mm.UncertaintyTeacherWeights'), hints=dict(sizes=['native', 32]))
    return cfg


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """Weights of a checkpoint."""
    return torch.load(path, weights_only=False)['state_dict']


def differing(one: dict[str, torch.Tensor], path: Path) -> int:
    """Number of tensors that a checkpoint has otherwise; all if it is not there."""
    if not path.is_file():
        return len(one)
    other = tensors(path)
    return sum(key not in other or not torch.equal(value, other[key]) for key, value in one.items())


def runs(work: Path) -> Iterator[Measure]:
    """One run against two, and against runs that are killed around the switch."""
    data = toy.write_data(work / 'data')
    toy.train(config(data, work / 'one', SWITCH, END))
    reference = tensors(work / f'one/iter_{END}.pth')
    cfg = config(data, work / 'two', 0, END - SWITCH)
    cfg.load_from = str(work / 'one/expansion.pth')
    toy.train(cfg)
    different = differing(reference, work / f'two/iter_{END - SWITCH}.pth')
    yield Measure('tensors that differ between one run and two', different, 0, f'{len(reference)} tensors')
    for at in (SWITCH - 1, SWITCH, SWITCH + 1):
        cfg = config(data, work / f'killed_{at}', SWITCH, END)
        cfg.dump(work / 'resumed.py')
        cfg.custom_hooks.append(dict(type='KillHook', at=at))
        cfg.custom_imports = dict(imports=['kill_hook'])
        cfg.dump(work / 'killed.py')
        killed = run_file(work / 'killed.py').returncode
        resumed = run_file(work / 'resumed.py', '--resume').returncode
        ended = killed == -signal.SIGKILL and resumed == 0
        yield Measure(f'tensors that differ after SIGKILL at step {at} of {SWITCH} + {END - SWITCH} and resume',
                      differing(reference, work / f'killed_{at}/iter_{END}.pth') if ended else len(reference), 0,
                      f'{len(reference)} tensors of an undisturbed run')
    yield from exports(work / f'one/iter_{END}.pth', work)


def exports(checkpoint: Path, work: Path) -> Iterator[Measure]:
    """Keys of the exported student."""
    for target in ('mmdet', 'mmseg', 'mmpretrain'):  # the ResNets of torchvision have one width: see foundation.py
        out = export_backbone(checkpoint, work / f'{target}.pth', target).path
        state = torch.load(out, weights_only=True)['state_dict']
        stock = MODELS.build(with_scope(resnet(target))).state_dict()
        yield Measure(f"keys of the student exported to {target} that are not the stock backbone's, or lack",
                      len(state.keys() ^ stock.keys()), 0, f'{len(stock)} keys')


def cost() -> Iterator[Measure]:
    """A squeeze step against its parts."""
    torch.manual_seed(0)
    backbone = dict(type='mmdet.ResNet', depth=18, norm_eval=False)
    expanded = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict.fromkeys(TASKS, backbone)))
    squeeze = MODELS.build(
        ConfigDict(type='xlearner_mm.Squeezer', student=backbone), default_args=dict(expanded=expanded))
    expanded.requires_grad_(False).eval()
    squeeze.train()
    x = torch.randn(8, 3, 128, 128)

    def step() -> None:
        with squeeze.recording() as passes:
            squeeze(x, 'det', 3)
        (_, features), = passes
        sum(squeeze.hint_losses(x, features, 'det', Normalisation.none()).values()).backward()

    def teachers() -> None:
        with torch.no_grad():
            expanded.forward_tasks(x, TASKS)

    parts: dict[str, Callable[[], Any]] = dict(
        step=step, student=lambda: squeeze.staged.features(x)[-1].sum().backward(), teachers=teachers)
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for repeat in range(REPEATS + 1):
        for name, run in parts.items():
            begin = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - begin)
            squeeze.zero_grad()
    ratios = [whole / sum(rest) for whole, *rest in zip(*seconds.values(), strict=True)]
    alone = ', '.join(f'{name} {1000 * statistics.median(values):.0f} ms' for name, values in seconds.items())
    yield Measure('squeeze step, ratio', statistics.median(ratios), 1.10,
                  f'student forward and backward, and teacher forwards, 3 x ResNet-18, 8 images of 128 px: {alone}')


def standardizers(work: Path) -> Iterator[Measure]:
    """Hint loss with a planted mean and scale a channel, and statistics of two ranks."""
    plain = torch.randn(16, 8, 7, 7, generator=torch.Generator().manual_seed(0))
    student = torch.randn(16, 8, 7, 7, generator=torch.Generator().manual_seed(1))
    scale, shift = torch.logspace(-2, 3, 8).view(1, 8, 1, 1), torch.linspace(-300, 300, 8).view(1, 8, 1, 1)
    for kind, planted in ((BatchStandardizer, plain * scale + shift), (RunningStandardizer, plain * scale + shift),
                          (PhiS, plain * 300 + shift)):
        losses = [HintLoss()(student, kind(8, eps=1e-12)(teacher)).item() for teacher in (plain, planted)]
        bare = [HintLoss()(student, teacher).item() for teacher in (plain, planted)]
        what = 'a scale for all channels' if kind is PhiS else 'a scale for each channel'
        yield Measure(f'{kind.__name__}: change of the hint loss by {what} and shifts', abs(losses[1] / losses[0] - 1),
                      0.01, f'without it the loss is {bare[1] / bare[0]:.0f} times as large')
    work.mkdir(parents=True)
    ranks = spawn(standardizer_ranks.update_rank, standardizer_ranks.RANKS, work)[0]
    for name, standardizer in standardizer_ranks.build().items():
        for step in range(standardizer_ranks.STEPS):
            standardizer(torch.cat([standardizer_ranks.maps(step, rank) for rank in range(standardizer_ranks.RANKS)]))
        state = standardizer.state_dict()
        worst = max((ranks[name][key] - value).abs().max().item() for key, value in state.items())
        yield Measure(f'{name}: largest difference of statistics of 2 ranks', worst, 1e-6, 'one process, all features')


def main() -> int:
    """Take all measures.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    args = parser.parse_args()
    torch.set_num_threads(1)
    register_all_modules()
    work = Path(tempfile.mkdtemp(prefix='squeeze-'))
    try:
        measures = [*cost(), *standardizers(work / 'ranks'), *runs(work)]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report(f'Squeeze, {check_libraries()} stack, 1 thread', measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
