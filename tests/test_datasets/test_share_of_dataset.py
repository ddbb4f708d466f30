import pytest

from toy import data_sets
from xlearner_mm.datasets import ShareOfDataset, build_stock

pytestmark = pytest.mark.compat


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def test_a_seed_chooses_the_samples(toy_data):
    stock = build_stock('photos', data_sets(toy_data)['photos'], 'dataset')
    parts = [ShareOfDataset(stock, 0.4, seed) for seed in (0, 0, 1, 2)]
    assert [len(p) for p in parts] == [3] * 4, '7 samples: 2.8, rounded up'
    assert paths(parts[0]) == paths(parts[1]) and len({tuple(paths(p)) for p in parts}) > 1
    assert len(set(paths(parts[0]))) == 3 and set(paths(parts[0])) <= set(paths(stock))
    assert parts[0][1]['data_samples'].img_path == paths(parts[0])[1], 'what is loaded is what is told'
    assert parts[0].metainfo == stock.metainfo
    assert paths(ShareOfDataset(stock, 1.0)) == paths(stock) and len(ShareOfDataset(stock, 1e-9)) == 1


@pytest.mark.parametrize('share', [0, -0.1, 1.1])
def test_a_share_out_of_range(share, toy_data):
    with pytest.raises(ValueError, match=f'share={share} must be above 0 and at most 1'):
        ShareOfDataset(data_sets(toy_data)['photos'], share)
