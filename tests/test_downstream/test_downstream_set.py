import pytest

from xlearner_mm.downstream import read_set, shipped_sets

pytestmark = pytest.mark.compat


def test_the_twelve_sets_are_shipped():
    assert shipped_sets() == ['caltech101', 'cifar10', 'cifar100', 'dtd', 'fgvc_aircraft', 'flowers102', 'food101',
                              'oxford_pets', 'stanford_cars', 'sun397', 'voc0712_det', 'voc12aug_seg']
    found = {name: read_set(name) for name in shipped_sets()}
    assert {name for name, s in found.items() if s.protocol == 'fine_tune'} == {'voc0712_det', 'voc12aug_seg'}
    assert {name for name, s in found.items() if s.metric == 'mean_per_class'} == {
        'caltech101', 'fgvc_aircraft', 'flowers102', 'oxford_pets'}
    assert found['voc0712_det'].scale == 100 and found['cifar10'].scale == 1
    assert found['voc12aug_seg'].library == 'mmseg' and read_set('dtd.py').name == 'dtd'


@pytest.mark.parametrize(('text', 'message'), [
    ("default_scope = 'mmdet'", 'needs downstream='),
    ("default_scope = 'mmdet'\ndownstream = dict(protocol='probe', metric='top1')", "linear_probe, fine_tune, got"),
    ("default_scope = 'mmdet'\ndownstream = dict(protocol='fine_tune', metric='mAP', scal=2)", r"\['scal'\]; it takes"),
    ("downstream = dict(protocol='fine_tune', metric='mAP')", 'needs default_scope, one of mmpretrain'),
])
def test_a_file_that_is_no_set(text, message, tmp_path):
    (tmp_path / 'mine.py').write_text(text)
    with pytest.raises(ValueError, match=message):
        read_set(str(tmp_path / 'mine.py'))


def test_an_unknown_set_is_answered_by_those_that_there_are():
    with pytest.raises(FileNotFoundError, match='--sets imagenet: neither a config file nor one of caltech101, '):
        read_set('imagenet')
