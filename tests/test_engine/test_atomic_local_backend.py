import pytest
from mmengine.fileio import get_file_backend, put

from xlearner_mm.engine.atomic_local_backend import ATOMIC_LOCAL, AtomicLocalBackend

pytestmark = pytest.mark.compat


def test_is_found_by_name_and_replaces_a_file(tmp_path):
    args = dict(backend=ATOMIC_LOCAL)
    assert isinstance(get_file_backend(backend_args=args), AtomicLocalBackend)
    path = tmp_path / 'new' / 'file.bin'
    for content in (b'one', b'two'):
        put(content, str(path), backend_args=dict(args))
        assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ['file.bin']


@pytest.fixture
def old(tmp_path):
    path = tmp_path / 'old.bin'
    path.write_bytes(b'old')
    return path


def test_removals_are_put_off_to_the_end_of_a_block(old):
    backend = AtomicLocalBackend()
    with backend.removing_later():
        backend.remove(old)
        assert old.read_bytes() == b'old'
    assert not old.exists()
    old.write_bytes(b'old')
    backend.remove(str(old))
    assert not old.exists()


def test_nothing_is_removed_if_the_block_fails(old):
    backend = AtomicLocalBackend()
    with pytest.raises(OSError, match='No space'), backend.removing_later():
        backend.remove(old)
        raise OSError('No space left on device')
    assert old.exists()
    with backend.removing_later():
        pass
    assert old.exists()


@pytest.mark.parametrize('same', [True, False])
def test_what_is_put_again_meanwhile_stays(same, old):
    backend = AtomicLocalBackend()
    with backend.removing_later():
        backend.remove(old)
        if same:
            backend.put(b'new', str(old))
        else:
            put(b'new', str(old), backend_args=dict(backend=ATOMIC_LOCAL))  # as Runner.save_checkpoint does
    assert old.read_bytes() == b'new'
