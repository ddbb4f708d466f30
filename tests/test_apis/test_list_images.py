from pathlib import Path

import numpy as np
import pytest

from xlearner_mm.apis import list_images

pytestmark = pytest.mark.compat


def test_paths_folders_and_arrays(tmp_path):
    for name in ('b.JPG', 'a.png', 'notes.txt', 'inside/c.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'-')
    array = np.zeros((2, 3, 3), np.uint8)
    found = list_images([tmp_path, array, str(tmp_path / 'inside/c.png'), 'https://a.b/c.jpg', tmp_path / 'a.png'])
    names = [image if isinstance(image, np.ndarray) else image.replace(str(tmp_path), '') for image in found]
    assert names[:2] + names[3:] == ['/a.png', '/b.JPG', '/inside/c.png', 'https://a.b/c.jpg'] and names[2] is array
    assert list_images(Path(tmp_path / 'inside')) == [str(tmp_path / 'inside/c.png')] and list_images(array)[0] is array


@pytest.mark.parametrize('given, error, message', [
    ('none.jpg', FileNotFoundError, 'none.jpg does not exist'),
    ([], FileNotFoundError, 'There is no image to predict'),
    (3, TypeError, 'An image must be a path or an array .* got int'),
    (np.zeros(3), ValueError, r'must be an array \(H, W, 3\) .* got \(3,\) of float64'),
    (np.zeros((4, 4, 3), int), ValueError, r'got \(4, 4, 3\) of int64'),
])
def test_what_is_no_image_is_named(given, error, message):
    with pytest.raises(error, match=message):
        list_images(given)


def test_a_folder_without_images_is_named(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(FileNotFoundError, match=f'There is no image in the folder {tmp_path}; folders inside'):
        list_images(tmp_path)
