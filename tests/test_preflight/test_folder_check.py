from unittest import mock

import pytest

from xlearner_mm.preflight.folder_check import warn_of_unused_files

pytestmark = pytest.mark.compat


@pytest.fixture
def warnings(build):
    def _warnings(root, **changes):
        with mock.patch('xlearner_mm.preflight.folder_check.print_log') as log:
            warn_of_unused_files(build(root, changes)[0].sources)
        return [call.args[0] for call in log.call_args_list]

    return _warnings


def test_used_files_only(warnings, toy_data):
    assert warnings(toy_data) == []


def test_images_of_another_suffix(warnings, own_data):
    for name in ('photos/train/class1/a.webp', 'photos/train/class0/b.webp', 'photos/train/notes',
                 'maps/img/train/0.PNG', 'photos/train/.hidden'):
        (own_data / name).touch()
    first, second = warnings(own_data)
    assert first == (f"Preflight: source 'photos' does not use 3 of the files in {own_data}/photos/train because of "
                     'their suffix (.webp 2, no suffix 1), e.g. class0/b.webp. Where they are images, convert or '
                     'rename them, or mend extensions of its data set.')
    assert "'maps' does not use 1 of the files" in second and '(.PNG 1), e.g. 0.PNG' in second
    assert second.endswith('mend img_suffix of its data set.')


def test_with_a_list_the_folder_may_hold_anything(warnings, own_data):
    (own_data / 'maps/img/train/0.txt').touch()
    (own_data / 'list.txt').write_text('1\n2\n')
    assert warnings(own_data, maps=dict(ann_file=str(own_data / 'list.txt'))) == []


def test_links_to_nothing_and_classes_without_images(warnings, own_data):
    (own_data / 'photos/train/class1/gone.png').symlink_to(own_data / 'nowhere.png')
    (own_data / 'photos/train/class9').mkdir()
    first, second = warnings(own_data)
    assert 'does not use 1 of the files in' in first
    assert 'because they are links to nothing, e.g. class1/gone.png. Mend the links, or remove them.' in first
    assert "has no images of 1 of its 4 classes, e.g. of 'class9': the folders in" in second
