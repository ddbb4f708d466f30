"""Measures of the foundation, each with its limit: ``python tests/benchmarks/foundation.py [--json FILE]``.

Exits 1 if a limit is missed. One thread. The road from a fresh clone is measured by ``foundation_fresh_clone.py``.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import torch  # noqa: E402
import torchvision  # noqa: E402
from measure import Measure, report  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.optim import OptimWrapper  # noqa: E402
from mmengine.registry import MODELS  # noqa: E402

import tiny  # noqa: E402
import toy  # noqa: E402
from test_engine.test_resume import run_file  # noqa: E402
from test_models.test_expansion.test_expanded_backbone import TASKS, build, naive_figure_2a  # noqa: E402
from xlearner_mm.models import Phase, XLearner  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402
from xlearner_mm.transfer import export_backbone  # noqa: E402
from xlearner_mm.utils import with_scope  # noqa: E402


def reconciliation() -> Iterator[Measure]:
    """The links, against Figure 2a written out."""
    model, x = build(zero_init=False).eval().double(), torch.randn(2, 3, 64, 64, dtype=torch.double)
    worst = max((a - b).abs().max().item() for task in TASKS
                for a, b in zip(model(x, task), naive_figure_2a(model, x, task), strict=True))
    yield Measure('reconciliation, largest difference', worst, 1e-6, 'naive Figure 2a, float64')
    model, x = build().train(), torch.randn(2, 3, 64, 64)
    worst = max((a - b).abs().max().item() for task in TASKS
                for a, b in zip(model(x, task), model.sub_backbones[task](x), strict=True))
    yield Measure('features at initialisation, largest difference', worst, 0, 'plain sub-backbones')
    dead = {name for name, _ in model.reconciliation.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        for task in TASKS:
            sum((f * torch.randn_like(f)).mean() for f in model(torch.randn_like(x), task)).backward()
        dead -= {n for n, p in model.reconciliation.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        optimizer.step()
        optimizer.zero_grad()
    yield Measure('link parameters without a gradient after two steps', len(dead), 0, 'all link parameters')
    leaks = 0
    for task in TASKS:
        sum(f.square().mean() for f in model(x, task)).backward()
        leaks += sum(p.grad is not None for other in TASKS if other != task
                     for p in model.sub_backbones[other].parameters())
        model.zero_grad()
    yield Measure("parameters that another task's loss reaches", leaks, 0, "the other tasks' sub-backbones")


def failed(code: int) -> int:
    """1 for any exit code but 0; that of a killed process is negative."""
    return int(code != 0)


def resume(work: Path) -> Iterator[Measure]:
    """Runs that are killed and resumed, against one that is not."""
    data = toy.write_data(work / 'data')
    toy.train(toy.config(data, work / 'reference', 3, 6))
    reference = torch.load(work / 'reference/iter_6.pth', weights_only=False)['state_dict']
    for stage, at in (('expansion', 2), ('squeeze', 4)):
        cfg = toy.config(data, work / stage, 3, 6, save_every=1)
        cfg.dump(work / 'resumed.py')
        cfg.custom_hooks.append(dict(type='KillHook', at=at))
        cfg.custom_imports = dict(imports=['kill_hook'])
        cfg.dump(work / 'killed.py')
        killed = run_file(work / 'killed.py').returncode
        resumed = run_file(work / 'resumed.py', '--resume').returncode
        last = work / stage / 'iter_6.pth'
        different = len(reference)
        if killed == -signal.SIGKILL and resumed == 0 and last.is_file():
            state = torch.load(last, weights_only=False)['state_dict']
            different = sum(not torch.equal(v, state[k]) for k, v in reference.items())
        yield Measure(f'tensors that differ after SIGKILL in the {stage} and resume', different, 0,
                      f'{len(reference)} tensors of an undisturbed run')


def exports(work: Path) -> Iterator[Measure]:
    """Exported students, loaded as their users load them; and a target that cannot load one."""
    full = dict(base_channels=64, stem_channels=64)
    model = save_checkpoint(work / 'run.pth', full)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.squeeze.staged.features(images)[-1].mean((2, 3))
    for target in ('mmdet', 'mmseg', 'mmpretrain', 'torchvision'):
        out = export_backbone(work / 'run.pth', work / f'{target}.pth', target).path
        if target == 'torchvision':
            stock = torchvision.models.resnet18(weights=None)
            stock.fc = torch.nn.Identity()
        else:
            stock = MODELS.build(with_scope(dict(type=f'{target}.ResNet', depth=18)))
        keys = stock.load_state_dict(torch.load(out, weights_only=True)['state_dict'], strict=False)
        unmatched = {*keys.missing_keys, *keys.unexpected_keys}
        stock.eval()
        yield Measure(f'export to {target}: missing and unexpected keys', len(unmatched), 0, f'{target} ResNet-18')
        with torch.no_grad():
            features = stock(images)
        features = features if target == 'torchvision' else features[-1].mean((2, 3))
        yield Measure(f'export to {target}: largest difference of features', (features - expected).abs().max().item(),
                      1e-6, 'the trained student')
    save_checkpoint(work / 'deep.pth', dict(full, deep_stem=True))
    try:
        export_backbone(work / 'deep.pth', work / 'wrong.pth', 'torchvision')
        listed = False
    except ValueError as error:
        listed = 'conv1.weight' in str(error) and 'stem.0.weight' in str(error)
    yield Measure('wrong target: exports that are written, or errors without the keys',
                  int(not listed or (work / 'wrong.pth').exists()), 0, 'a ResNet with a deep stem, for torchvision')


def save_checkpoint(path: Path, student: dict) -> XLearner:
    """Save a checkpoint whose student has the full width, and give its model."""
    cfg = Config(dict(model=tiny.xlearner(
        branches=dict(photos=dict(task='cls', model=tiny.classifier())),
        squeeze=dict(student=tiny.resnet(**student), branches=dict(photos=tiny.classifier(channels=512))))))
    model = MODELS.build(cfg.model)
    model.set_phase(Phase.SQUEEZE)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), path)
    return model.eval()


def bad_inputs(work: Path) -> Iterator[Measure]:
    """Broken data and settings: each must end in an error that names the source and the mend."""
    data = toy.write_data(work / 'good')
    cfg = toy.config(data, work / 'bad', 1, 2)
    toy.train(cfg)
    saved = {name: (work / 'bad' / name).read_bytes() for name in ('expansion.pth', 'iter_2.pth', 'last_checkpoint')}

    def attempt(message: str, change: Callable[[Config], None], root: Path = data) -> bool:
        """Whether a changed run fails with this message."""
        cfg = toy.config(root, work / 'bad', 3, 6)
        change(cfg)
        try:
            toy.train(cfg)
        except Exception as error:
            return re.search(message, str(error), re.DOTALL) is not None
        return False

    def rename(cfg: Config) -> None:
        cfg.model.branches.my_loss = cfg.model.branches.pop('photos')

    def explode(cfg: Config) -> None:
        cfg.optim_wrapper.optimizer.lr = 1e30
        cfg.model.branches = dict(photos=cfg.model.branches.photos)
        cfg.train_dataloader.batch_size = dict(photos=2)
        cfg.train_dataloader.dataset.sources = dict(photos=cfg.train_dataloader.dataset.sources.photos)
        for key in ('val_dataloader', 'val_evaluator'):
            cfg[key] = dict(photos=cfg[key].photos)

    broken = toy.write_data(work / 'broken')
    for path in (broken / 'photos/train').rglob('*.png'):
        path.write_bytes(path.read_bytes()[:200])
    empty = toy.write_data(work / 'empty')
    for path in (empty / 'photos/train').rglob('*.png'):
        path.unlink()
    cases: dict[str, bool] = {
        'no samples': attempt("source 'photos' .*cannot be built.*Mend", lambda cfg: None, empty),
        'name with "loss"': attempt("'my_loss' contains \"loss\".*Rename", rename),
        'unknown task': attempt("'photos' is of task 'depth'.*Mend",
                                lambda cfg: cfg.model.branches.photos.update(task='depth')),
        'label outside the classes': attempt(
            "'photos': LinearClsHead of .*num_classes=2; its data has 3.*Mend num_classes",
            lambda cfg: cfg.model.branches.photos.model.head.update(num_classes=2)),
        'truncated image': attempt("'photos': sample .*cannot be loaded.*Mend or remove", lambda cfg: None, broken),
        'batch size 0': attempt(r'batch_size\.photos=0 must be at least 1.*take it out',
                                lambda cfg: cfg.train_dataloader.batch_size.update(photos=0)),
        'NaN loss': attempt("source 'photos' is not finite.*resume from one", explode),
    }
    for name, named in cases.items():
        yield Measure(f'bad input, {name}: errors that do not name source and mend', int(not named), 0,
                      'one error')
    lost = sum(not (work / 'bad' / name).is_file() or (work / 'bad' / name).read_bytes() != before
               for name, before in saved.items())
    yield Measure('saved files that the failing runs changed or lost', lost, 0, f'{len(saved)} files of a run before')


def commands(work: Path) -> Iterator[Measure]:
    """``mim train`` from a folder outside the repository."""
    data = toy.write_data(work / 'mim')
    toy.config(data, work / 'runs', 1, 2).dump(work / 'path_config.py')
    mine = toy.config(data, work / 'inherited', 1, 2).to_dict()
    for key in ('default_scope', 'default_hooks', 'val_cfg', 'model_wrapper_cfg', 'log_processor', 'randomness'):
        mine.pop(key)
    text = Config(mine).pretty_text
    (work / 'inheriting.py').write_text(f"_base_ = ['xlearner_mm::_base_/default_runtime.py']\n{text}")
    mim = str(Path(sys.executable).with_name('mim'))
    for name, arguments in (
            ('a path', ['path_config.py']),
            ('a config that inherits xlearner_mm::', ['inheriting.py']),
            ('2 processes on the CPU',
             ['path_config.py', '--launcher', 'pytorch', '--gpus', '2', '--work-dir', 'two'])):
        done = subprocess.run([mim, 'train', 'xlearner_mm', *arguments], cwd=work, capture_output=True, text=True)
        if done.returncode:
            print((done.stdout + done.stderr)[-3000:])
        yield Measure(f'exit code of mim train for {name}', failed(done.returncode), 0, 'success')
    prepare = ROOT / 'projects/earth/tools/prepare_data.py'
    subprocess.run([sys.executable, str(prepare), '--out', str(work / 'earth')], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [mim, 'train', 'xlearner_mm', 'earth_single_cls.py', '--cfg-options', 'train_cfg.max_iters=2'], cwd=work,
        env=dict(os.environ, EARTH_DATA=str(work / 'earth')), capture_output=True, text=True)
    if done.returncode:
        print((done.stdout + done.stderr)[-3000:])
    yield Measure('exit code of mim train for a bare config name', failed(done.returncode), 0, 'success')


def step_time() -> Iterator[Measure]:
    """A joint step, against the sum of its sources alone."""
    times: dict[str, list[float]] = {}
    model = MODELS.build(tiny.xlearner()).train()
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    for repeat in range(12):
        for name in ('photos boxes maps', 'photos', 'boxes', 'maps'):
            data = tiny.batches(*name.split())
            begin = time.perf_counter()
            model.train_step(data, optim)
            if repeat > 1:
                times.setdefault(name, []).append(time.perf_counter() - begin)
    medians = {name: sorted(values)[len(values) // 2] for name, values in times.items()}
    joint = medians.pop('photos boxes maps')
    yield Measure('joint step in ratio to its sources alone', joint / sum(medians.values()), 1.10,
                  'interleaved medians')


def main() -> int:
    """Take all measures.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    args = parser.parse_args()
    torch.set_num_threads(1)
    stack = check_libraries()
    register_all_modules()
    work = Path(tempfile.mkdtemp(prefix='foundation-'))
    groups = dict(reconciliation=reconciliation(), step_time=step_time(), exports=exports(work / 'exports'),
                  resume=resume(work / 'resume'), bad_inputs=bad_inputs(work / 'bad'),
                  commands=commands(work / 'commands'))
    measures: list[Measure] = []
    try:
        for name, group in groups.items():
            try:
                measures.extend(group)
            except Exception:  # the others are still worth taking
                traceback.print_exc()
                measures.append(Measure(f'{name} could not be measured', float('inf'), 0, 'see the traceback above'))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report(f'{stack} stack, torch {torch.__version__}, {torch.get_num_threads()} thread', measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
