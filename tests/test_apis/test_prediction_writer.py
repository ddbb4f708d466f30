import json

import numpy as np
import pytest
from PIL import Image

from xlearner_mm.apis.prediction_writer import PredictionWriter, file_names, summary

pytestmark = pytest.mark.compat

PICTURE = np.zeros((4, 6, 3), np.uint8)


def written(folder, plain):
    writer = PredictionWriter(folder, ['a/b.jpg'])
    writer.write('a/b.jpg', dict(source=plain), dict(source=PICTURE + 9))
    return writer, json.loads(writer.finish(phase='squeeze').read_text())


def test_pictures_maps_and_predictions_are_written(tmp_path):
    label_map = np.array([[0, 300]])
    writer, found = written(tmp_path / 'out', dict(areas=[dict(label=0, name='sky', share=0.5)], map=label_map))
    assert found == dict(phase='squeeze', images=[dict(image='a/b.jpg', predictions=dict(source=dict(
        areas=[dict(label=0, name='sky', share=0.5)], picture='source/b.png', map='source/b_map.png')))])
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'out/source/b.png')), PICTURE + 9)
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'out/source/b_map.png')), label_map)
    assert writer.table(0.3).splitlines()[-1].split() == ['b', 'source', 'sky', '50', '%']


@pytest.mark.parametrize('values', [np.array([[0.5, 2.5]]), np.array([[0, 70000]])])
def test_maps_that_no_png_holds_are_arrays(values, tmp_path):
    _, found = written(tmp_path, dict(depth={}, map=values))
    assert found['images'][0]['predictions']['source']['map'] == 'source/b_map.npy'
    assert np.array_equal(np.load(tmp_path / 'source/b_map.npy'), values)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(NotADirectoryError, match='out is a file. Give a folder'):
        PredictionWriter(tmp_path / 'out', [])


@pytest.mark.parametrize('images, names', [
    (['a/1.jpg', 'a/2.jpg'], ['1', '2']),
    (['a/1.jpg', 'a/1.png'], ['1.jpg', '1.png']),
    (['/a/1.jpg', '/b/1.jpg', '/b/2.jpg'], ['a_1.jpg', 'b_1.jpg', 'b_2.jpg']),
])
def test_every_image_has_a_name_of_its_own(images, names):
    assert list(file_names(images).values()) == names


def test_names_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match='Two images would be written under one name'):
        file_names(['a/b_1.jpg', 'a_b/1.jpg', 'c/1.jpg', 'c/b_1.jpg'])


@pytest.mark.parametrize('plain, text', [
    (dict(classes=[dict(name=n, score=0.5) for n in 'abcd']), 'a 0.50, b 0.50, c 0.50 and 1 more'),
    (dict(objects=[dict(name='a', score=0.5), dict(name='b', score=0.25)]), 'a 0.50'),
    (dict(objects=[]), 'nothing above 0.3'),
    (dict(depth=dict(min=0.1, mean=1.0, max=10.0)), 'depth 0.1 to 10, mean 1'),
])
def test_summaries(plain, text):
    assert summary(plain, 0.3) == text
