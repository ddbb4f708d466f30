import errno
import re
import sys

import pytest
import torch

from saved_run import save_run
from tiny import resnet, xlearner
from xlearner_mm import transfer
from xlearner_mm.models import Phase
from xlearner_mm.tools import export

pytestmark = pytest.mark.compat


@pytest.fixture
def checkpoint(tmp_path):
    branches = {source: branch for source, branch in xlearner().branches.items() if source != 'maps'}
    save_run(tmp_path / 'a.pth', Phase.EXPANSION, squeeze=None, branches=branches, backbone=dict(
        type='xlearner_mm.ExpandedBackbone', reconciliation=dict(wiring='none'),
        sub_backbones=dict(cls=resnet(), det=resnet(), seg=resnet(base_channels=64, stem_channels=64))))
    return tmp_path / 'a.pth'


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['export.py', *map(str, arguments)])
    export.main()


@pytest.mark.parametrize('target, form, hint', [
    ('mmdet', 'pth', "backbone=dict(type='ResNet', base_channels=64, depth=18, stem_channels=64, "
     "init_cfg=dict(type='Pretrained', checkpoint='{}'))"),
    ('torchvision', 'pth', "model.load_state_dict(torch.load('{}', weights_only=True)['state_dict'])"),
    ('timm', 'safetensors', "model.load_state_dict(safetensors.torch.load_file('{}'))"),
])
def test_says_how_to_use_what_it_wrote(target, form, hint, checkpoint, tmp_path, monkeypatch, capsys):
    out = tmp_path / f'b.{form}'
    run(monkeypatch, checkpoint, out, '--to', target, '--part', 'seg', '--format', form)
    printed = capsys.readouterr().out
    assert f'{target} loads {out} with 0 missing and 0 unexpected keys and gives equal features, bit' in printed
    assert f'  {hint.format(out)}\n' in printed and 'Images were normalised by mean=[127.5' in printed
    assert out.is_file() and 'INFO' not in printed and 'Loads' not in printed


def test_a_whole_model(checkpoint, tmp_path, monkeypatch, capsys):
    run(monkeypatch, checkpoint, tmp_path / 'b.pth', '--branch', 'boxes')
    printed = capsys.readouterr().out
    assert f'mmdet loads {tmp_path}/b.pth with 0 missing and 0 unexpected keys and gives the predictions of' in printed
    assert f"  inferencer = mmdet.apis.DetInferencer('{tmp_path}/b.py', '{tmp_path}/b.pth')" in printed
    assert (tmp_path / 'b.py').is_file()


@pytest.mark.parametrize('arguments, message', [
    (('--to', 'keras'), "invalid choice: 'keras'"),
    ((), '--to is required without --branch'),
    (('--branch', 'boxes', '--part', 'det'), 'not allowed with argument'),
    (('--branch', 'boxes', '--format', 'safetensors'), '--branch writes pth only'),
])
def test_wrong_arguments(arguments, message, checkpoint, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, checkpoint, 'b.pth', *arguments)
    assert message in capsys.readouterr().err


def cut(path, monkeypatch):
    path.write_bytes(path.read_bytes()[:-100])


def with_code(path, monkeypatch):
    torch.save(dict(state_dict={}, meta=dict(cfg=''), a=print), path)


def full_disk(path, monkeypatch):
    def fsync(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.fsync', fsync)


def without_timm(path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)


@pytest.mark.parametrize('breaks, arguments, message', [
    (cut, '--to mmdet --part det', r'a\.pth is damaged, cut off or no checkpoint'),
    (with_code, '--to mmdet --part det', r'a\.pth names (__builtin__|builtins)\.print, which no checkpoint of a run'),
    (full_disk, '--to mmdet --part det', r'b\.pth cannot be written: .*No space left on device.*is unchanged'),
    (full_disk, '--branch boxes', r'b\.py cannot be written: .*No space left on device.*is unchanged'),
    (without_timm, '--to timm --part seg', 'pip install timm'),
    (None, '--to mmdet', "no part 'student'; it has cls, det, seg"),
    (None, '--to torchvision --part det', r'torchvision cannot load the det of .*Other shapes: '),
    (None, '--branch boxes --to mmseg', 'export it to mmdet, not to mmseg'),
])
def test_what_goes_wrong_is_one_line_and_changes_nothing(breaks, arguments, message, checkpoint, tmp_path, monkeypatch):
    (tmp_path / 'b.pth').write_text('old')
    if breaks:
        breaks(checkpoint, monkeypatch)
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, checkpoint, tmp_path / 'b.pth', *arguments.split())
    told = str(stop.value)
    assert told.startswith('export failed: ') and '\n' not in told
    assert re.search(message, told), told
    assert (tmp_path / 'b.pth').read_text() == 'old' and not (tmp_path / 'b.py').exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.pth', 'b.pth']


def test_targets_and_formats_are_those_of_the_package():
    from xlearner_mm.transfer.file_format import FORMATS
    assert transfer.TARGETS == export.TARGETS and FORMATS == export.FORMATS
