"""Checkpoints are read without running what they hold."""

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

import toy
from xlearner_mm.transfer.restricted_pickle import Inert
from xlearner_mm.transfer.safe_checkpoint import read_checkpoint, sha256_of

pytestmark = pytest.mark.compat


class Code:
    """Unpickled by plain pickle, it makes a folder."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_what_runs_save_is_read(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path, 1, 2, custom_hooks=[dict(type='EMAHook')], train_cfg=dict(max_iters=1)))
    found = read_checkpoint(tmp_path / 'iter_1.pth')
    plain = torch.load(tmp_path / 'iter_1.pth', weights_only=False)
    assert found.keys() == plain.keys() and 'ema_state_dict' in found
    for key in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, plain[key][name]) for name, value in found[key].items())
    assert found['meta'] == plain['meta'] and found['param_schedulers'] == plain['param_schedulers']
    assert found['optimizer']['param_groups'] == plain['optimizer']['param_groups']
    logs = found['message_hub']['log_scalars'].values()
    assert logs and all(type(log) is Inert and not log for log in logs)
    assert found['message_hub']['runtime_info']['iter'] == plain['message_hub']['runtime_info']['iter']


def test_containers_arrays_and_types_are_read(tmp_path):
    content = dict(
        ordered=collections.OrderedDict(a=1), default=collections.defaultdict(list, a=[1]),
        deque=collections.deque([1, 2], maxlen=3), kinds={0, 2.5, True, b'x', 'y'}, frozen=frozenset('a'),
        cut=slice(1, 2), array=np.arange(3.), scalar=np.float32(0.5), text=np.array(['a', 'bc']), dtype=torch.float16,
        size=torch.Size((1, 2)), device=torch.device('cpu'), parameter=torch.nn.Parameter(torch.ones(2)),
        half=torch.ones(2, dtype=torch.bfloat16), view=torch.arange(6).view(2, 3).t())
    for old in (False, True):
        torch.save(content, tmp_path / 'x.pth', _use_new_zipfile_serialization=not old)
        found = read_checkpoint(tmp_path / 'x.pth')
        for key, value in content.items():
            same = found[key] == value
            assert same if isinstance(same, bool) else same.all(), key
            assert type(found[key]) is type(value), key


@pytest.mark.parametrize('function, args, name', [
    (os.system, ('touch {}', ), r'\w+\.system'),
    (eval, ("__import__('os').mkdir('{}')", ), r'(__builtin__|builtins)\.eval'),
    (os.mkdir, ('{}', ), r'posix\.mkdir'),
    (torch.storage._load_from_bytes, (b'', ), r'torch\.storage\._load_from_bytes'),
    (getattr(torch.hub, 'load', None), ('{}', ), r'torch\.hub\.load'),
])
@pytest.mark.parametrize('form', ['zip', 'old', 'pickle'])
def test_code_is_refused_by_name_and_not_run(function, args, name, form, tmp_path):
    made, path = tmp_path / 'made', tmp_path / 'x.pth'
    code = Code(function, *(arg.format(made) if isinstance(arg, str) else arg for arg in args))
    if form == 'pickle':
        path.write_bytes(pickle.dumps(dict(state_dict={}, a=code)))
    else:
        torch.save(dict(state_dict={}, a=code), path, _use_new_zipfile_serialization=form == 'zip')
    with pytest.raises(ValueError, match=rf'x\.pth names {name}, which no checkpoint of a run holds.*Nothing was run'):
        read_checkpoint(path)
    assert not made.exists()


def test_what_getattr_finds_is_never_called(tmp_path):
    # pickle: getattr(os, 'mkdir')(made), which mmengine's own getattr must not help with
    made = tmp_path / 'made'
    for owner in (os, os.path):
        with pytest.raises((ValueError, TypeError, pickle.PicklingError)):
            torch.save(Code(Code(getattr, owner, 'mkdir'), str(made)), tmp_path / 'x.pth')
            read_checkpoint(tmp_path / 'x.pth')
    stream = (b'\x80\x02c__builtin__\ngetattr\nq\x00c__builtin__\ndict\nX\x08\x00\x00\x00fromkeys\x86R'
              b'X\x01\x00\x00\x00a\x85R.')
    with zipfile.ZipFile(tmp_path / 'y.pth', 'w') as file:
        file.writestr('y/data.pkl', stream)
        file.writestr('y/version', '3\n')
    with pytest.raises(ValueError, match='y.pth is damaged'):  # what the stub gives is no function
        read_checkpoint(tmp_path / 'y.pth')
    assert not made.exists()


@pytest.mark.parametrize('share', [0., 0.01, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off(share, tmp_path):
    torch.save(dict(state_dict=dict(a=torch.randn(1000))), tmp_path / 'x.pth')
    content = (tmp_path / 'x.pth').read_bytes()
    (tmp_path / 'x.pth').write_bytes(content[:int(share * len(content))])
    with pytest.raises(ValueError, match=r'x\.pth is damaged, cut off or no checkpoint \(.*Copy it anew'):
        read_checkpoint(tmp_path / 'x.pth')


def test_what_is_no_checkpoint(tmp_path):
    for value in ([1], torch.ones(1), 'text'):
        torch.save(value, tmp_path / 'x.pth')
        with pytest.raises(ValueError, match=f'is no checkpoint: it holds a {type(value).__name__}'):
            read_checkpoint(tmp_path / 'x.pth')
    with pytest.raises(FileNotFoundError, match='There is no checkpoint .*nowhere.pth'):
        read_checkpoint(tmp_path / 'nowhere.pth')
    with pytest.raises(FileNotFoundError, match='There is no checkpoint'):
        read_checkpoint(tmp_path)


def test_sha256(tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    assert sha256_of(tmp_path / 'x') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
