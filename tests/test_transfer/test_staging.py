"""A file takes its place whole, or not at all."""

import errno
import resource
import subprocess

import pytest

from xlearner_mm.transfer.staging import staged

pytestmark = pytest.mark.compat

BIG = 1 << 20


def attempt(path, size=BIG):
    with staged({path.with_suffix('.py'): b'a = 1', path: bytes(size)}) as written:
        assert written[path].read_bytes() == bytes(size)


def assert_untouched(path):
    assert path.read_bytes() == b'old'
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_both_files_come_together(tmp_path):
    path = tmp_path / 'new' / 'x.pth'
    attempt(path)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ['x.pth', 'x.py']
    assert not list(tmp_path.glob('.*'))


def test_nothing_comes_if_the_block_fails(tmp_path):
    (tmp_path / 'x.pth').write_bytes(b'old')
    with pytest.raises(ValueError, match='no proof'), staged({tmp_path / 'x.pth': b'new'}):
        raise ValueError('no proof')
    assert_untouched(tmp_path / 'x.pth')


def test_a_disk_that_says_so_late(tmp_path, monkeypatch):
    (tmp_path / 'x.pth').write_bytes(b'old')

    def full(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(OSError, match=r'x\.py cannot be written: .*No space left on device.*is unchanged'):
        attempt(tmp_path / 'x.pth')
    assert_untouched(tmp_path / 'x.pth')


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    command = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', tmp_path]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f'no file system can be mounted here: {mounted.stderr.strip()}')
    yield tmp_path
    subprocess.run(['umount', tmp_path], check=True)


def test_a_disk_that_is_full(small_disk):
    (small_disk / 'x.pth').write_bytes(b'old')
    with pytest.raises(OSError, match='cannot be written: .*No space left on device.*is unchanged'):
        attempt(small_disk / 'x.pth')
    assert_untouched(small_disk / 'x.pth')


def test_a_file_that_may_not_grow(tmp_path):
    (tmp_path / 'x.pth').write_bytes(b'old')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match='cannot be written: .*File too large'):
            attempt(tmp_path / 'x.pth')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_untouched(tmp_path / 'x.pth')


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match='is a folder'):
        attempt(tmp_path)
