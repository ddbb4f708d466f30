import json
import logging
import random

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import RepeatDataset
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement
from PIL import Image
from torch.utils.data import DataLoader

from xlearner_mm.datasets import MultiSourceDataset, SampleError, SampleKey, collate_by_source

pytestmark = pytest.mark.compat


def make(dataset, **kwargs):
    return MultiSourceDataset(dict(a=dict(task='cls', dataset=dataset, **kwargs)))


def key(index, source='a', epoch=0, seed=0):
    return SampleKey(source, epoch, index, seed)


def packed(image, **metainfo):
    return dict(inputs=image, data_samples=BaseDataElement(metainfo=metainfo))


def read_silently(info):
    """A loader that takes a truncated JPEG for a complete one."""
    return packed(torch.from_numpy(cv2.imread(info['img_path'])), number=info['number'])


@pytest.fixture
def images(numbers, tmp_path):
    """Five JPEGs; number 2 is truncated."""

    class Images(numbers):

        def load_data_list(self):
            return [dict(number=i, img_path=str(tmp_path / f'{i}.jpg')) for i in range(self.size)]

    rng = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(tmp_path / f'{i}.jpg')
    truncate(tmp_path / '2.jpg')
    return Images(5, [read_silently])


def first_batch(loader):
    """Take a batch; workers that are left to the garbage collector hold it up for seconds."""
    iterator = iter(loader)
    try:
        return next(iterator)
    finally:
        getattr(iterator, '_shutdown_workers', int)()


def truncate(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def test_stock_data_sets(stock):
    dataset = DATASETS.build(dict(type='xlearner_mm.MultiSourceDataset', sources=stock))
    assert dataset.tasks == dict(photos='cls', boxes='det', maps='seg') and list(dataset.tasks) == list(stock)
    assert dataset.sizes == dict(photos=7, boxes=5, maps=6) and len(dataset) == 18
    assert dataset.metainfo['boxes']['classes'] == ('a', 'b')
    assert dataset.metainfo['photos']['classes'] == ('class0', 'class1', 'class2')
    for source, label in dict(photos='gt_label', boxes='gt_instances', maps='gt_sem_seg').items():
        sample = dataset[key(4, source)]
        assert type(dataset.sources[source]).__module__.startswith(stock[source]['dataset']['type'].split('.')[0])
        assert sample['inputs'].shape == (3, 64, 64)
        assert sample['data_samples'].source == source and sample['data_samples'].task == dataset.tasks[source]
        assert label in sample['data_samples'] and 'skipped' not in sample['data_samples']


def test_a_sample_depends_on_its_key_alone(numbers):
    dataset = make(numbers(4))
    torch.manual_seed(1)
    one = dataset[key(1)]['inputs']
    dataset[key(2)], random.random(), np.random.rand(), torch.rand(())
    assert torch.equal(dataset[key(1)]['inputs'], one)
    for other in (key(1, epoch=1), key(1, seed=1), key(2)):
        assert not (dataset[other]['inputs'][1:] == one[1:]).any()
    two_sources = MultiSourceDataset({s: dict(task='cls', dataset=numbers(4)) for s in 'ab'})
    assert torch.equal(two_sources[key(1)]['inputs'], one)
    assert not (two_sources[key(1, 'b')]['inputs'][1:] == one[1:]).any()


@pytest.mark.parametrize('sources, error, message', [
    (None, TypeError, r'train_dataloader\.dataset\.sources must be a dict'),
    ({}, ValueError, 'names no source'),
    (dict(my_loss=dict(task='cls', dataset=None)), ValueError, "'my_loss' contains \"loss\""),
    (dict(a=7), TypeError, r'sources\.a must be dict\(task=\.\.\., dataset=\.\.\.\), optionally with on_error and '
     'max_skip_share, got 7'),
    (dict(a=dict(task='cls')), TypeError, r"sources\.a must be dict.*got \['task'\]"),
    (dict(a=dict(task='cls', dataset=[1], on_eror=1)), TypeError, r"got \['dataset', 'on_eror', 'task'\]"),
    (dict(a=dict(task=3, dataset=[1])), TypeError, r'sources\.a\.task must be the name of a task.*got 3'),
    (dict(a=dict(task='cls', dataset=[1], on_error='ignore')), ValueError, "on_error='ignore' must be 'raise' or"),
    (dict(a=dict(task='cls', dataset=[1], max_skip_share=1.1)), ValueError,
     r'sources\.a\.max_skip_share=1\.1 must be a share of the samples, from 0 to 1'),
    (dict(a=dict(task='cls', dataset=[1], max_skip_share=-0.1)), ValueError, r'max_skip_share=-0\.1 must be a share'),
    (dict(a=dict(task='cls', dataset=[1], max_skip_share=True)), ValueError, 'max_skip_share=True must be a share'),
    (dict(a=dict(task='cls', dataset=[1], max_skip_share='1%')), ValueError, "max_skip_share='1%' must be a share"),
    (dict(a=dict(task='cls', dataset=[1], max_skip_share=float('nan'))), ValueError, 'max_skip_share=nan must be'),
    (dict(a=dict(task='cls', dataset=3)), TypeError, r'sources\.a\.dataset must be a data set or the config of one'),
    (dict(a=dict(task='cls', dataset=[])), ValueError, r"'a' has no samples\. Mend .*sources\.a\.dataset"),
    (dict(a=dict(task='cls', dataset=dict(type='Numbers', size=0, serialize_data=False))), ValueError,
     "'a' has no samples"),
    (dict(a=dict(task='cls', dataset=dict(type='Numbers', size=0))), ValueError,
     r"data set of source 'a' \(type='Numbers'\) cannot be built: .*no samples were found\. Mend .*sources\.a\.dataset"
     '.*filters that leave no samples'),
    (dict(a=dict(task='cls', dataset=dict(type='mmdet.CocoDataset', ann_file='/missing.json'))), ValueError,
     r"data set of source 'a' \(type='mmdet\.CocoDataset', ann_file='/missing\.json'\) cannot be built: FileNotF"),
])
def test_wrong_sources(numbers, sources, error, message):
    with pytest.raises(error, match=message):
        MultiSourceDataset(sources)


def test_lazy_data_sets_are_read_at_construction(numbers):
    dataset = numbers(3, lazy_init=True)
    assert make(dataset).sizes == dict(a=3) and dataset._fully_initialized


@pytest.mark.parametrize('result, got', [
    (7, 'int'),
    (dict(img=1), r"a dict of \['img'\]"),
    (dict(inputs=1, data_samples=dict()), r"a dict of \['data_samples', 'inputs'\]"),
])
def test_wrong_packing_is_never_skipped(numbers, result, got):
    dataset = make(numbers(3, [lambda info: result]), on_error='skip')
    with pytest.raises(TypeError, match=rf"Source 'a': a sample must be .* got {got}.*mmseg\.PackSegInputs"):
        dataset[key(0)]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_truncated_image_raises(images, tmp_path, num_workers):
    loader = DataLoader(make(images), batch_sampler=[[key(1), key(2)]], num_workers=num_workers)
    with pytest.raises(SampleError) as caught:
        first_batch(loader)
    message = str(caught.value)
    path = f'{tmp_path}/2.jpg'
    assert f"Source 'a': sample 2 ({path}) cannot be loaded or augmented: OSError: {path} is truncated" in message
    assert "set on_error='skip' in train_dataloader.dataset.sources.a." in message
    if num_workers == 0:
        assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_truncated_image_is_skipped_and_told(images, num_workers):
    loader = DataLoader(make(images, on_error='skip'), batch_sampler=[[key(1), key(2)]], num_workers=num_workers,
                        collate_fn=collate_by_source)
    samples = first_batch(loader)['a']['data_samples']
    assert [s.number for s in samples] == [1, 3]
    assert [s.get('skipped', ()) for s in samples] == [(), (2, )]


def test_skips_are_logged_and_wrap_around(images, tmp_path, caplog):
    truncate(tmp_path / '4.jpg')
    truncate(tmp_path / '0.jpg')
    logger = MMLogger.get_instance('xlearner_mm_test')
    logger.addHandler(caplog.handler)
    sample = make(images, on_error='skip')[key(4)]['data_samples']
    assert (sample.number, sample.skipped) == (1, (4, 0))
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 2 and all("Skipped. Source 'a': sample" in w for w in warnings)
    assert not any('set on_error' in w for w in warnings)
    assert f'{tmp_path}/4.jpg' in warnings[0] and f'{tmp_path}/0.jpg' in warnings[1]


def test_truncated_label_map_raises(stock, tmp_path):
    truncate(tmp_path / 'maps/ann/train/3.png')
    dataset = MultiSourceDataset(stock)
    dataset[key(2, 'maps')]
    with pytest.raises(SampleError, match=rf"Source 'maps': sample 3 .*{tmp_path}/maps/ann/train/3\.png is truncated"):
        dataset[key(3, 'maps')]


def fail(info):
    if info['number'] % 20:
        raise KeyError('gt_boxes')
    return packed(torch.zeros(1), number=info['number'])


def test_errors_of_a_transform_name_the_sample(numbers):
    with pytest.raises(SampleError, match="'a': sample 3 cannot be loaded or augmented: KeyError: 'gt_boxes'. Mend"):
        make(numbers(40, [fail]))[key(3)]


def test_too_many_failures_raise(numbers):
    dataset = make(numbers(40, [fail]), on_error='skip')
    assert dataset[key(10)]['data_samples'].skipped == tuple(range(10, 20))
    with pytest.raises(SampleError, match="11 samples in a row failed.* not skipped: Source 'a': sample 19 cannot"):
        dataset[key(9)]


def drop_most(info):
    return packed(torch.zeros(1), number=info['number']) if info['number'] == 1 else None


def test_dropped_samples_are_replaced_by_the_next_and_told(numbers):
    sample = make(numbers(30, [drop_most]))[key(28)]['data_samples']
    assert (sample.number, sample.dropped) == (1, (28, 29, 0)) and 'skipped' not in sample
    with pytest.raises(SampleError, match='none of 5 samples in a row.* from index 2 on; 0 of them failed'):
        make(numbers(5, [lambda info: None]))[key(2)]


def drop_or_fail(info):
    return None if info['number'] < 3 else fail(info)


def test_skipped_and_dropped_are_told_apart(numbers):
    dataset = make(numbers(6, [lambda info: drop_or_fail(info) if info['number'] != 2 else packed(torch.ones(1))]),
                   on_error='skip')
    sample = dataset[key(4)]['data_samples']
    assert (sample.skipped, sample.dropped) == ((4, 5), (0, 1))
    with pytest.raises(SampleError, match="sample 4 cannot be loaded"):
        make(numbers(6, [drop_or_fail]))[key(4)]


def test_none_that_can_be_used(numbers):
    few = make(numbers(6, [drop_or_fail]), on_error='skip')
    with pytest.raises(SampleError, match="Source 'a': none of 6 samples in a row could be used, from index 4 on; "
                       '3 of them failed, the pipeline gave None for the others. Mend the data or the transforms'):
        few[key(4)]


def test_the_share_that_may_be_skipped():
    sources = dict(a=dict(task='cls', dataset=range(2)), b=dict(task='cls', dataset=range(2), max_skip_share=0),
                   c=dict(task='cls', dataset=range(2), max_skip_share=1))
    assert MultiSourceDataset(sources).max_skip_shares == dict(a=0.01, b=0, c=1)


def test_annotations_that_cannot_be_right_fail_as_files_do(stock, tmp_path):
    path = tmp_path / 'boxes/train.json'
    content = json.loads(path.read_text())
    content['images'][2]['height'] = 32
    path.write_text(json.dumps(content))
    message = rf"sample 2 \({tmp_path}/boxes/train/2\.png\) cannot be .*64x64 pixels.*its annotation says 32x64"
    dataset = MultiSourceDataset(stock)
    with pytest.raises(SampleError, match=message):
        dataset[key(2, 'boxes')]
    stock['boxes']['on_error'] = 'skip'
    sample = MultiSourceDataset(stock)[key(2, 'boxes')]['data_samples']
    assert sample.skipped == (2, ) and sample.img_path == f'{tmp_path}/boxes/train/3.png'


def test_image_paths(stock, numbers, tmp_path):
    dataset = MultiSourceDataset(dict(stock, a=dict(task='cls', dataset=numbers(3)), b=dict(task='cls', dataset=[1])))
    assert dataset.image_paths('boxes', 1) == [f'{tmp_path}/boxes/train/1.png']
    assert dataset.image_paths('maps', 3) == [f'{tmp_path}/maps/img/train/3.png', f'{tmp_path}/maps/ann/train/3.png']
    assert dataset.image_paths('a', 0) == dataset.image_paths('b', 0) == []


def test_wrappers_are_checked_too(images, tmp_path):
    dataset = make(RepeatDataset(images, times=2))
    assert dataset.sizes == dict(a=10)
    with pytest.raises(SampleError, match=rf'sample 7 \({tmp_path}/2\.jpg\)'):
        dataset[key(7)]
