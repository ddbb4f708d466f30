import json

import numpy as np
import pytest
from PIL import Image

import toy
from xlearner_mm.apis import XLearnerInferencer
from xlearner_mm.tools import predict

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Checkpoint of a run, and three of its images."""
    folder = tmp_path_factory.mktemp('run')
    root = toy.write_data(folder / 'data')
    toy.train(toy.config(root, folder / 'run', 1, 2))
    return folder / 'run/iter_2.pth', [str(root / f'maps/img/val/{i}.png') for i in range(3)]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the tool; gives its exit code and what it printed."""

    def _call(*arguments):
        monkeypatch.setattr('sys.argv', ['predict.py', *map(str, arguments), '--device', 'cpu'])
        monkeypatch.chdir(tmp_path)
        code = 0
        try:
            predict.main()
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out

    return _call


def test_writes_pictures_and_predictions_and_prints_a_table(run, call, tmp_path):
    checkpoint, images = run
    code, printed = call(checkpoint, *images, '--out-dir', 'out', '--batch-size', 2, '--score-thr', 0)
    assert code == 0
    rows = [line.split()[:2] for line in printed[printed.index('  image'):].splitlines()[2:11]]
    assert rows == [[str(i), source] for i in range(3) for source in ('boxes', 'maps', 'photos')]
    assert f'by the squeeze of {checkpoint}; wrote out/predictions.json' in printed
    found = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert (found['checkpoint'], found['phase']) == (str(checkpoint), 'squeeze')
    assert [record['image'] for record in found['images']] == images
    expected = XLearnerInferencer(checkpoint, 'cpu')(images, batch_size=2)['predictions']
    for i, record in enumerate(found['images']):
        predictions = record['predictions']
        assert predictions['boxes']['objects'] == expected['boxes'][i]['objects']
        assert predictions['photos']['classes'] == expected['photos'][i]['classes']
        label_map = np.asarray(Image.open(tmp_path / 'out' / predictions['maps']['map']))
        assert np.array_equal(label_map, expected['maps'][i]['map']) and label_map.dtype == np.uint8
        assert all((tmp_path / 'out' / plain['picture']).is_file() for plain in predictions.values())


def test_some_sources(run, call, tmp_path):
    checkpoint, images = run
    assert call(checkpoint, images[0], '--sources', 'photos', '--out-dir', 'out')[0] == 0
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['photos', 'predictions.json']


@pytest.mark.parametrize('arguments, message', [
    (['{images}', '--sources', 'cats'], "There is no source 'cats' in the checkpoint; it has boxes, maps, photos."),
    (['none'], 'none does not exist. Give an image or a folder of images.'),
    (['empty'], 'There is no image in the folder empty'),
    (['text.png'], 'text.png cannot be read: '),
    (['{images}', '--out-dir', 'text.png'], 'text.png is a file. Give a folder for the predictions.'),
    (['{images}', '--batch-size', '0'], '--batch-size 0 must be 1 or more.'),
])
def test_a_user_error_is_told_without_traceback(arguments, message, run, call, tmp_path):
    checkpoint, images = run
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.png').write_text('no image')
    code, _ = call(checkpoint, *(argument.format(images=images[0]) for argument in arguments))
    assert code.startswith(f'predict failed: {message}')


def test_a_checkpoint_without_a_config_is_told(run, call, tmp_path):
    (tmp_path / 'other.pth').write_bytes(b'no checkpoint')
    code, _ = call(tmp_path / 'other.pth', run[1][0])
    assert code.startswith('predict failed: ') and 'other.pth' in code
