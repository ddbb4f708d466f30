import io

import cv2
import numpy as np
import pytest
from PIL import Image

from xlearner_mm.datasets import check_complete

pytestmark = pytest.mark.compat


def encode(file_format, **kwargs):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **kwargs)
    return buffer.getvalue()


def write(tmp_path, data, name='image'):
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize('file_format, kwargs', [('JPEG', {}), ('JPEG', dict(progressive=True)), ('PNG', {})])
def test_truncated_anywhere(tmp_path, file_format, kwargs):
    data = encode(file_format, **kwargs)
    check_complete(write(tmp_path, data))
    check_complete(write(tmp_path, data + b'trailing bytes of a camera'))
    cuts = [4, 5, 100, len(data) // 2, len(data) - 300, len(data) - 30]
    for cut in cuts:
        path = write(tmp_path, data[:cut])
        with pytest.raises(OSError, match=f'{path} is truncated: '):
            check_complete(path)


def test_what_opencv_reads_as_grey_is_found(tmp_path):
    data = encode('JPEG')
    path = write(tmp_path, data[:len(data) // 2], 'image.jpg')
    assert cv2.imread(path) is not None  # else this check is no longer needed
    with pytest.raises(OSError, match='truncated'):
        check_complete(path)


def test_a_missing_marker_alone_is_no_error(tmp_path):
    data = encode('JPEG')
    check_complete(write(tmp_path, data + bytes(1000)))  # the marker is far from the end; a full decode decides


def test_empty(tmp_path):
    path = write(tmp_path, b'')
    with pytest.raises(OSError, match=rf'{path} is empty \(0 bytes\)'):
        check_complete(path)


def test_other_files_are_left_to_the_loader(tmp_path):
    for data in (b'no image', b'x', encode('BMP')):
        check_complete(write(tmp_path, data))
    check_complete(str(tmp_path / 'missing.jpg'))
    check_complete('s3://bucket/image.jpg')
