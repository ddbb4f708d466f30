import os

import pytest

from xlearner_mm.utils import atomic_write


def test_writes_whole_files_readable_as_the_umask_says(tmp_path):
    path = tmp_path / 'a' / 'b.pth'
    old = os.umask(0o022)
    try:
        atomic_write(path, b'x' * 1000)
    finally:
        os.umask(old)
    assert path.read_bytes() == b'x' * 1000
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    path = tmp_path / 'b.pth'
    atomic_write(path, b'old')

    def fail(*_):
        raise OSError('No space left on device')

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match='No space left'):
        atomic_write(path, b'new')
    assert path.read_bytes() == b'old' and [p.name for p in tmp_path.iterdir()] == ['b.pth']
