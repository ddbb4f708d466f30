from mmengine.fileio import get_file_backend, put

from xlearner_mm.engine.atomic_local_backend import ATOMIC_LOCAL, AtomicLocalBackend


def test_is_found_by_name_and_replaces_a_file(tmp_path):
    args = dict(backend=ATOMIC_LOCAL)
    assert isinstance(get_file_backend(backend_args=args), AtomicLocalBackend)
    path = tmp_path / 'new' / 'file.bin'
    for content in (b'one', b'two'):
        put(content, str(path), backend_args=dict(args))
        assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ['file.bin']
