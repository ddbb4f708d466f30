import pickle

import pytest
import torch

import toy
from xlearner_mm.datasets import CheckedDataset, SampleError, build_stock

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('source', ['photos', 'boxes', 'maps'])
def test_samples_and_attributes_are_the_stock_ones(source, toy_data):
    stock = build_stock(source, toy.data_sets(toy_data, 'val')[source], 'here')
    checked = pickle.loads(pickle.dumps(CheckedDataset(source, stock)))
    assert len(checked) == len(stock) and checked.metainfo == stock.metainfo
    assert checked.get_data_info(1) == stock.get_data_info(1)
    for index in range(len(stock)):
        one, other = checked[index], stock[index]
        assert torch.equal(one['inputs'], other['inputs'])
        assert one['data_samples'].to_dict().keys() == other['data_samples'].to_dict().keys()
    with pytest.raises(AttributeError, match='nothing'):
        _ = checked.nothing


def test_a_truncated_image_is_not_taken_for_grey(tmp_path):
    root = toy.write_data(tmp_path)
    path = root / 'boxes/val/2.png'
    path.write_bytes(path.read_bytes()[:2000])
    checked = CheckedDataset('boxes', build_stock('boxes', toy.data_sets(root, 'val')['boxes'], 'here'))
    with pytest.raises(SampleError, match=r"Source 'boxes': sample 2 \(.*val/2\.png\) cannot be loaded.*truncated"):
        checked[2]
    assert checked[1]['inputs'].shape == (3, 64, 64)


def drop(results):
    return None


def test_a_dropped_sample_is_refused(toy_data):
    cfg = dict(toy.data_sets(toy_data, 'val')['boxes'], test_mode=False)
    cfg['pipeline'] = [*cfg['pipeline'], drop]
    checked = CheckedDataset('boxes', build_stock('boxes', cfg, 'here'))
    with pytest.raises(SampleError, match=r"'boxes': the pipeline drops the validation sample 0\. Take the transform"):
        checked[0]
