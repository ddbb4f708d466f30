import copy

import pytest
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

import toy
from xlearner_mm.datasets import SampleError, build_stock, error_text
from xlearner_mm.datasets.stock import load_stock

pytestmark = pytest.mark.compat


def test_builds_what_the_prefix_names_or_takes_what_is_built(toy_data):
    dataset = build_stock('boxes', toy.data_sets(toy_data)['boxes'], 'here')
    assert type(dataset).__module__.startswith('mmdet.') and len(dataset) == 5
    assert type(dataset.pipeline.transforms[2]).__module__.startswith('mmdet.')  # Resize of mmdet, not of mmcv
    assert build_stock('boxes', dataset, 'here') is dataset


def test_what_cannot_be_built_names_source_files_and_setting(toy_data):
    cfg = copy.deepcopy(toy.data_sets(toy_data)['boxes'])
    cfg['ann_file'] = 'none.json'
    with pytest.raises(ValueError, match=(
            r"(?s)The data set of source 'boxes' \(type='mmdet\.CocoDataset', data_root='.*', ann_file='none\.json',"
            r" data_prefix=.*\) cannot be built: FileNotFound.*none\.json.*\. Mend val_dataloader\.boxes\.dataset"
            ': its type, its paths')):
        build_stock('boxes', cfg, 'val_dataloader.boxes.dataset')
    cfg = copy.deepcopy(toy.data_sets(toy_data)['maps'])
    cfg['img_suffix'] = '.webp'
    with pytest.raises(ValueError, match=r"'maps' .*cannot be built: no samples were found\. Mend here: "):
        build_stock('maps', cfg, 'here')
    with pytest.raises(TypeError, match='here must be a data set or the config of one, got 3'):
        build_stock('maps', 3, 'here')


def fails(results):
    raise OSError('no disk.')


def asserts(results):
    raise AssertionError


@DATASETS.register_module()
class Plain(BaseDataset):
    """Samples without files."""

    def load_data_list(self):
        return [dict(number=i) for i in range(3)]


def test_a_failure_names_sample_cause_and_mend():
    with pytest.raises(SampleError, match=(
            r"^Source 'a': sample 2 cannot be loaded or augmented: OSError: no disk\. Mend or remove it, mend the "
            r'pipeline, or pray\.$')):
        load_stock('a', Plain(pipeline=[fails]), 2, ', or pray')


def test_an_error_without_a_message_names_its_place():
    with pytest.raises(SampleError, match=r'AssertionError: in asserts, line \d+ of test_stock\.py: raise Ass'):
        load_stock('a', Plain(pipeline=[asserts]), 2)

    class Transform:

        def transform(self):
            raise KeyError

    try:
        Transform().transform()
    except KeyError as error:
        assert error_text(error).startswith('KeyError: in Transform.transform, line ')
    assert error_text(ValueError('why.\n')) == 'ValueError: why'


def test_paths_are_named_and_boxes_checked_in_training_only(tmp_path):
    root = toy.write_data(tmp_path)
    train = build_stock('boxes', toy.data_sets(root)['boxes'], 'here')
    train.pipeline.transforms.insert(3, shift)
    index = 1
    with pytest.raises(SampleError, match=r'sample 1 \(.*boxes/train/1\.png\).*its box \[.*\] .*is empty, not finite'):
        load_stock('boxes', train, index)
    assert load_stock('boxes', train, index, training=False) is not None


def shift(results):
    results['gt_bboxes'].tensor[:] += 1000
    return results
