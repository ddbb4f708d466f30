"""Tools with the network off: what they look up or connect to is noted, and must be nothing."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from evaluation_tools import events, plain, recording, tool
from measure import Measure
from mmengine.config import Config
from torchvision.models import resnet18

import toy
from saved_run import save_run
from test_downstream.conftest import toy_sets

PRETRAINED = dict(type='Pretrained', checkpoint='torchvision://resnet18')  # a download wherever it is read
CACHES = ('HOME', 'TORCH_HOME', 'XDG_CACHE_HOME', 'HF_HOME', 'MMENGINE_HOME', 'MPLCONFIGDIR')
# Counts the packets that the kernel could not send: attempts that are not Python's.
COUNTED = 'to=$1; shift; "$@"; code=$?; cat /proc/net/snmp /proc/net/snmp6 > "$to"; exit $code'


def isolated() -> bool:
    """Whether a network namespace of its own can be had."""
    found = shutil.which('unshare')
    return found is not None and subprocess.run([found, '-n', 'true'], capture_output=True).returncode == 0


def attempts(command: list[str], folder: Path, alone: bool) -> tuple[subprocess.CompletedProcess, int, int]:
    """Run a command without network and with empty caches; gives its attempts as Python and the kernel count them."""
    home = folder / 'home'
    home.mkdir(parents=True)
    env = recording(folder, EVALUATION_BLOCK=str(int(not alone)), **dict.fromkeys(CACHES, str(home)))
    whole = ['unshare', '-n', 'sh', '-c', COUNTED, 'sh', str(folder / 'kernel'), *command] if alone else command
    done = subprocess.run(whole, env=env, cwd=folder.parent, capture_output=True, text=True, timeout=1200)
    kernel = unroutable((folder / 'kernel').read_text()) if alone else 0
    return done, len(events(folder, 'network')), kernel


def unroutable(text: str) -> int:
    """Packets that had nowhere to go, of both versions of IP."""
    rows = [line.split() for line in text.splitlines()]
    names, values = (row for row in rows if row[0] == 'Ip:')
    later = next((int(row[1]) for row in rows if row[0] == 'Ip6OutNoRoutes'), 0)
    return int(values[names.index('OutNoRoutes')]) + later


def write_run(work: Path) -> None:
    """Write config and checkpoint of a run, of which every backbone names weights to download."""
    data = toy.write_data(work / 'data')
    cfg = toy.config(data, work / 'run').to_dict()
    model = cfg['model']
    for backbone in (*model['backbone']['sub_backbones'].values(), model['squeeze']['student']):
        backbone.update(init_cfg=PRETRAINED, stem_channels=64)  # timm has ResNets with that stem only
    Config(cfg).dump(work / 'offline_run.py')
    options = {key: value for key, value in model.items() if key != 'type'}
    save_run(work / 'run.pth', settings={key: value for key, value in cfg.items() if key != 'model'}, **options)


def write_sets(work: Path) -> list[str]:
    """Tiny sets of all libraries, whose own backbones name weights to download."""
    paths = plain(toy_sets)(work / 'data', work)
    for path in paths.values():
        cfg = Config.fromfile(path)
        cfg.model.backbone.init_cfg = PRETRAINED
        cfg.dump(path)
    return list(paths.values())


def commands(work: Path) -> dict[str, list[str]]:
    """What is run, by name."""
    config, checkpoint = work / 'offline_run.py', work / 'run.pth'
    weights = work / 'resnet18.pth'
    torch.save(resnet18().state_dict(), weights)
    backbones = [f'ours=run:{checkpoint}', f'tv=torchvision:resnet18@{weights}', f'timm=timm:resnet18@{weights}',
                 'none=scratch:ours']
    words = [word for backbone in backbones for word in ('--backbone', backbone)]
    mim = str(Path(sys.executable).with_name('mim'))
    return {
        'export to mmdet': tool('export', checkpoint, work / 'a.pth', '--to', 'mmdet'),
        'export to timm': tool('export', checkpoint, work / 'a.safetensors', '--to', 'timm', '--format', 'safetensors'),
        'export of a whole detector': tool('export', checkpoint, work / 'boxes_whole.pth', '--branch', 'boxes'),
        'mim run xlearner_mm export': [mim, 'run', 'xlearner_mm', 'export', str(checkpoint), str(work / 'b.pth'),
                                       '--to', 'mmseg'],
        'transfer suite, 3 sets x 4 backbones': tool('transfer', *words, '--sets', *write_sets(work), '--out',
                                                     work / 'suite', '--jobs', 2),
        'predict': tool('predict', checkpoint, work / 'data/maps/img/val', '--out-dir', work / 'predicted', '--device',
                        'cpu'),
        'test': tool('test', config, checkpoint, '--work-dir', work / 'tested', '--out', work / 'metrics.json')}


def offline(work: Path) -> Iterator[Measure]:
    """Every tool, and controls that must be noted."""
    work.mkdir(parents=True)
    write_run(work)
    alone = isolated()
    off = ('a network namespace without any interface; Python notes lookups and connections, the kernel counts what it '
           'cannot send') if alone else 'lookups and connections are noted, and refused, by Python'
    _, noted, _ = attempts(tool('train', work / 'offline_run.py'), work / 'control', alone)
    yield Measure('offline, control: attempts noted when the same config is trained', noted, 1, off, True)
    if alone:
        _, _, kernel = attempts(['bash', '-c', 'echo > /dev/tcp/192.0.2.1/80'], work / 'native', alone)
        yield Measure('offline, control: attempts of another program than Python', kernel, 1, off, True)
    for number, (name, command) in enumerate(commands(work).items()):
        folder = work / f'offline_{number}'
        done, noted, kernel = attempts(command, folder, alone)
        if done.returncode:
            print(f'{name}:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}', flush=True)
        for line in events(folder, 'network'):
            print(f'{name}: {line}', flush=True)
        counted = f', {kernel} counted by the kernel' if alone else ''
        yield Measure(f'offline, {name}: attempts', noted + kernel, 0,
                      f'{noted} noted in {len(events(folder, "start"))} processes of Python{counted}')
        yield Measure(f'offline, {name}: exit code', abs(done.returncode), 0, 'success')
