import os
import shutil
from unittest import mock

import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset, RepeatDataset
from torch.utils.data import ConcatDataset, Subset

from xlearner_mm.preflight import overlap_check
from xlearner_mm.preflight.overlap_check import overlap_findings

pytestmark = pytest.mark.compat


class Files(BaseDataset):
    """Paths and nothing else; counts how often one is asked for."""

    def __init__(self, *paths):
        self.paths, self.asked = paths, 0
        super().__init__(pipeline=[], serialize_data=False)

    def load_data_list(self):
        return [dict(img_path=path) if path else dict(number=1) for path in self.paths]

    def get_cat_ids(self, idx):
        return [idx]

    def get_data_info(self, idx):
        self.asked += 1
        return super().get_data_info(idx)


def test_separate_files_pass(build, toy_data):
    dataset, val = build(toy_data)
    assert overlap_findings(dataset.sources, val) == []
    assert overlap_findings(dataset.sources, {}) == []


def test_a_source_that_is_measured_on_what_it_is_trained_on(build, toy_data):
    dataset, val = build(toy_data, val=dict(boxes=dict(ann_file='train.json', data_prefix=dict(img='train'))))
    (finding, ) = overlap_findings(dataset.sources, val)
    folder = os.path.realpath(toy_data / 'boxes/train')
    assert finding == (
        f"Source 'boxes' is trained on images of its own validation: 5 files, e.g. {folder}/0.png and {folder}/1.png. "
        'The metrics would be too good. Take them out of train_dataloader.dataset.sources.boxes.dataset or '
        'val_dataloader.boxes.dataset.')


def test_another_source_by_a_linked_folder_and_a_crooked_path(own_data, build):
    shutil.rmtree(own_data / 'photos/val/class1')
    (own_data / 'photos/val/class1').symlink_to(own_data / 'maps/img/../img/train', target_is_directory=True)
    dataset, val = build(own_data)
    (finding, ) = overlap_findings(dataset.sources, val)
    assert finding.startswith("Source 'maps' is trained on images of the validation of source 'photos': 6 files, e.g. "
                              f'{os.path.realpath(own_data)}/maps/img/train/0.png and ')


def test_a_file_counts_once_for_each_pair_of_sources():
    train = dict(a=Files('x/1.png', 'x/1.png', 'x/2.png'), b=Files('x/1.png'))
    texts = overlap_findings(train, dict(a=Files('x/1.png'), c=Files('x/1.png', 'x/3.png')))
    assert [text.split(', e.g.')[0] for text in texts] == [
        "Source 'a' is trained on images of its own validation: 1 file",
        "Source 'a' is trained on images of the validation of source 'c': 1 file",
        "Source 'b' is trained on images of the validation of source 'a': 1 file",
        "Source 'b' is trained on images of the validation of source 'c': 1 file",
    ]


def test_inside_of_wrappers_each_file_is_looked_at_once():
    files = Files('x/1.png', 'x/2.png')
    train = ConcatDataset([Files('x/0.png'), RepeatDataset(files, 50), ClassBalancedDataset(files, 1e-3)])
    files.asked = 0
    assert '1 file, e.g.' in overlap_findings(dict(a=train), dict(b=Files('x/2.png')))[0]
    assert files.asked == 2 * (2 + 1)  # each wrapper; one is looked at first, to know whether there are paths


def test_a_subset_is_not_what_it_is_taken_from():
    files = Files('x/1.png', 'x/2.png', 'x/3.png')
    assert overlap_findings(dict(a=Subset(files, [0, 1])), dict(a=Subset(files, [2]))) == []
    assert 'e.g. ' in overlap_findings(dict(a=Subset(files, [0, 1])), dict(a=Subset(files, [1, 2])))[0]


def test_data_without_files_passes():
    train = dict(a=[1, 2], b=Files(None, 'x/1.png'), c=Files('x/2.png', None))
    assert overlap_findings(train, dict(a=[1, 2], b=Files('x/1.png'))) == []


def test_of_many_samples_a_keyed_choice_is_looked_at(monkeypatch):
    monkeypatch.setattr(overlap_check, 'MAX_SAMPLES', 400)
    names = [f'x/{i}.png' for i in range(1000)]
    val = dict(v=Files(*names[:300]))

    def look():
        train = dict(a=Files(*names[:500]), b=Files(*names[500:]))
        with mock.patch.object(overlap_check, 'print_log') as log:
            texts = overlap_findings(train, val)
        return texts, [train[s].asked for s in train], log.call_args.args[0]

    texts, asked, message = look()
    assert sum(asked) == 402 and 100 < asked[0] < 300  # and one of each source to know whether there are paths
    assert message.startswith('Preflight: of 1,000 samples of the training data, 400 are looked up')
    count = int(texts[0].split('validation of source \'v\': ')[1].split()[0])
    assert 80 < count < 160 and len(texts) == 1
    assert look() == (texts, asked, message)
