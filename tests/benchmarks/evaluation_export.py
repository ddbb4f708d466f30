"""Exports of four families to every target, loaded as their users load them; and exports that cannot be."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional

import torch
from evaluation_tools import environment, finished, tool
from measure import Measure

from saved_run import save_run
from test_transfer.test_families import CASES, EXACT, STOCK, pasted
from test_transfer.test_safe_checkpoint import Code
from tiny import classifier, port
from xlearner_mm.models import XLearner
from xlearner_mm.transfer import TARGETS, export_backbone
from xlearner_mm.transfer.exported import Exported
from xlearner_mm.transfer.file_format import FORMATS, decode
from xlearner_mm.transfer.quiet import quiet
from xlearner_mm.transfer.targets import find_counterpart

FAMILIES = dict(ResNet='resnet18', Swin='swin of mmdet', ConvNeXt='convnext', ViT='vit')
ROUNDING = 1e-9  # relative, in double precision; docs/export.md promises it
OLD = b'an export of yesterday'
MEGABYTE = 1 << 20


def save_student(path: Path, case: str) -> tuple[XLearner, Any]:
    """Save a run whose student is of a family; every weight has a value of its own."""
    cfg = CASES[case][0]
    last = 2 if case == 'vit' else 3
    branches = dict(photos=dict(task='cls', model=classifier()))
    student = dict(photos=classifier(backbone=port(out_indices=(last, ))))
    return save_run(path, branches=branches, squeeze=dict(student=cfg, branches=student)), cfg


def arrivals(work: Path) -> Iterator[Measure]:
    """Keys and features in every target, in both formats."""
    work.mkdir(parents=True, exist_ok=True)
    for family, case in FAMILIES.items():
        model, cfg = save_student(work / f'{family}.pth', case)
        for target, agreement in zip(TARGETS, CASES[case][1:], strict=True):
            unmatched, single, double, proofs = 0, 0., 0., []
            for form in FORMATS:
                done = export_backbone(work / f'{family}.pth', work / 'out' / f'{family}_{target}.{form}', target,
                                       form=form)
                network, keys = started(done, form)
                unmatched += keys
                absolute, relative, places = differences(network, model, cfg, target)
                single, double = max(single, absolute), max(double, relative)
                proofs.append(places)
            name, told = f'{family} to {target}', f'{type(network).__name__}, {" and ".join(FORMATS)}'
            yield Measure(f'{name}: missing, unexpected or unequal keys', unmatched, 0, told)
            told = f'the trained student, at {proofs[0]} places'
            if agreement == EXACT:
                yield Measure(f'{name}: largest difference of features', single, 0, told)
            else:
                yield Measure(f'{name}: relative difference of features, double precision', double, ROUNDING,
                              f'{told}; largest difference in single precision {single:.1e}')


def started(done: Exported, form: str) -> tuple[Any, int]:
    """Run the lines that an export prints; give the network, and how many keys of it or of the file have no equal."""
    state = decode(done.path, form)
    if done.target in STOCK:
        lines = '\n'.join(line for line in done.usage if not line.startswith('model.'))
        with quiet():
            network = pasted(done.target, lines)
        if form == 'safetensors':
            network.load_state_dict(state)
        if state and all(key.startswith('backbone.') for key in state):  # the printed init_cfg takes it off
            state = {key.removeprefix('backbone.'): value for key, value in state.items()}
    else:
        found: dict[str, Any] = {}
        exec('\n'.join(done.usage), found)
        network = found['model']
    own = network.state_dict()
    return network, sum(key not in own or key not in state or not torch.equal(own[key], state[key])
                        for key in {*own, *state})


def differences(network: Any, model: XLearner, cfg: Any, target: str) -> tuple[float, float, int]:
    """Largest difference in single precision, relative one in double precision, and at how many places."""
    staged = model.squeeze.staged
    network.eval()  # a stock backbone's returns None
    counterpart = find_counterpart(target, staged.backbone, cfg)
    found: dict[torch.dtype, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for dtype in (torch.float, torch.double):
        network.to(dtype), staged.backbone.to(dtype)
        for size in counterpart.sizes:
            images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)).to(dtype)
            found.setdefault(dtype, []).extend(counterpart.compare(network, staged, images).values())
            if target not in STOCK:  # and without the package: both networks as they are, pooled
                with torch.no_grad():
                    found[dtype].append((pooled(network(images)), pooled(staged.backbone(images))))
    staged.backbone.float()
    absolute = max((a - b).abs().max().item() for a, b in found[torch.float])
    return absolute, max(((a - b).norm() / b.norm()).item() for a, b in found[torch.double]), len(found[torch.float])


def pooled(output: Any) -> torch.Tensor:
    """The vector that a classifier would read: the last output, averaged if it is a map."""
    last = output[-1] if isinstance(output, (tuple, list)) else output
    return last.mean((2, 3)) if last.ndim == 4 else last


class Refusal(NamedTuple):
    """An export that must fail."""

    checkpoint: str
    arguments: str
    message: str
    folder: str = 'out'
    limit: Optional[Callable[[], None]] = None


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE))


@contextmanager
def small_disk(folder: Path) -> Iterator[Optional[str]]:
    """Mount a file system of 1 MB; gives why not where it cannot be."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', str(folder)], capture_output=True,
                             text=True)
    try:
        yield mounted.stderr.strip() if mounted.returncode else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(['umount', str(folder)], check=True)


def broken_checkpoints(work: Path) -> None:
    """Write what exports must refuse."""
    save_student(work / 'run.pth', 'resnet18')
    save_student(work / 'other.pth', 'resnest')
    content = (work / 'run.pth').read_bytes()
    for share in (0.3, 0.999):
        (work / f'cut_{share}.pth').write_bytes(content[:int(share * len(content))])
    code = Code(os.mkdir, str(work / 'code_was_run'))
    torch.save(dict(torch.load(work / 'run.pth', weights_only=False), more=code), work / 'code.pth')


def refusals(work: Path) -> Iterator[Measure]:
    """Each must be one line, and leave everything as it was."""
    work.mkdir(parents=True, exist_ok=True)
    broken_checkpoints(work)
    usual = warnings_of_success(work)
    full = r'cannot be written: .*{}.*What is there already is unchanged'
    cases = {
        'wrong part': Refusal('run.pth', '--to mmdet --part depth', "no part 'depth'; it has cls, det, seg, student"),
        'wrong family (ResNeSt for timm)': Refusal(
            'other.pth', '--to timm', 'timm has no counterpart of this .*ResNeSt: .*Targets that may have one: mmdet'),
        'file cut to 30 %': Refusal('cut_0.3.pth', '--to mmdet', r'cut_0\.3\.pth is damaged, cut off .*Copy it anew'),
        'file cut to 99.9 %': Refusal('cut_0.999.pth', '--to timm', r'pth is damaged, cut off .*Copy it anew'),
        'pickle with code': Refusal('code.pth', '--to mmdet', r'names posix\.mkdir, which .*Nothing was run'),
        **{f'file that may not grow beyond 1 MB (RLIMIT_FSIZE), {form}': Refusal(
            'run.pth', f'--to mmdet --format {form}', full.format('File too large'), limit=small_files)
           for form in FORMATS},
        **{f'full disk (tmpfs of 1 MB), {form}': Refusal(
            'run.pth', f'--to mmdet --format {form}', full.format('No space left on device'), folder='disk')
           for form in FORMATS}}
    with small_disk(work / 'disk') as why_not:
        for name, case in cases.items():
            if case.folder == 'disk' and why_not is not None:
                print(f'{name}: not taken, nothing can be mounted ({why_not}); RLIMIT_FSIZE is', flush=True)
                continue
            faults, told = attempt(work, case, usual)
            yield Measure(f'export refused, {name}: faults', len(faults), 0,
                          '; '.join(faults) or f'one line, exit code 1, OUT as it was, nothing left; {told[:90]}...')


def warnings_of_success(work: Path) -> set[str]:
    """Lines of an export that succeeds, which are the libraries'; it is the control, too: OUT must change."""
    out = work / 'success' / 'b.pth'
    out.parent.mkdir()
    out.write_bytes(OLD)
    done = finished(tool('export', work / 'run.pth', out, '--to', 'mmdet'), env=environment(), cwd=work)
    if out.read_bytes() == OLD or '0 missing and 0 unexpected keys' not in done.stdout:
        raise RuntimeError(f'The export that must succeed did not:\n{done.stdout}')
    return {*done.stderr.splitlines(), *done.stdout.splitlines()}


def attempt(work: Path, case: Refusal, usual: set[str]) -> tuple[list[str], str]:
    """Run an export that must fail; gives what is wrong with how it fails, and what it says."""
    folder, temporary = work / case.folder, work / 'temporary'
    for path in (folder, temporary):
        path.mkdir(exist_ok=True)
    out = folder / 'b.pth'
    out.write_bytes(OLD)
    done = subprocess.run(tool('export', work / case.checkpoint, out, *case.arguments.split()), cwd=temporary,
                          env=environment(TMPDIR=str(temporary)), capture_output=True, text=True, preexec_fn=case.limit)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line not in usual]
    left = [p.name for p in [*folder.iterdir(), *temporary.iterdir()] if p != out]
    checks = {
        f'exit code {done.returncode}': done.returncode == 1,
        f'{len(said)} lines: {said[:5]}': len(said) == 1,
        f'another message: {said[-1:]}': bool(said) and re.search(f'^export failed: .*{case.message}', said[-1]),
        'a traceback': 'Traceback' not in done.stdout + done.stderr,
        'OUT is not as it was': out.read_bytes() == OLD,
        f'files left: {left}': not left,
        'code was run': not (work / 'code_was_run').exists()}
    for path in (folder, temporary):
        for entry in path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return [fault for fault, good in checks.items() if not good], (said or [''])[-1].replace(f'{work}/', '')
