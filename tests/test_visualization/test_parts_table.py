from dataclasses import replace

import pytest

import parts as made
from xlearner_mm.models.model_parts import BranchPart
from xlearner_mm.visualization.parts_table import gflops, link_rows, parts_table, plural

pytestmark = pytest.mark.compat


def cells(table):
    """Cells of each line, by the first one."""
    split = [[cell.strip() for cell in line.split('  ') if cell.strip()] for line in table.splitlines() if line.strip()]
    return {tuple(line[:2]): line[2:] for line in split}


def test_every_part_has_a_row():
    rows = cells(parts_table(made.expansion()))
    assert rows['sub-backbone', 'det'] == ['mmdet.ResNet', '64/4 128/8 256/16 512/32', '11,176,512', '3.6']
    assert rows['links', 'seg'] == ['12 links from cls, det', '12,000', '0.024']
    assert rows['branch cls data', 'cls'] == ['mmdet.FCOS', '5,000', '0.0004']
    assert rows['student', 'all'] == ['mmdet.ResNet', '96/4 192/8 384/16 768/32', '11,176,512', '3.6']
    assert rows['connectors', 'det'] == ['2 connectors, dropped at export', 'at 2, 3', '300', '0.001']
    assert rows['branch cls data (squeeze)', 'cls'] == ['mmdet.FCOS', '5,000', '0.0004']
    assert ('other', 'in none of the rows above') not in rows


def test_the_pass_of_an_image_is_split_up():
    rows = cells(parts_table(made.expansion()))
    assert rows['cls', '3.6'] == ['0.024', '5.38', '9']
    assert not any('auxiliary passes' in key for key in cells(parts_table(made.expansion(stages=()))))


def test_totals():
    parts = made.expansion()
    rows = cells(parts_table(parts))
    assert rows['of the whole model', f'{4 * 11_176_512 + 36_000 + 4 * 5_000 + 3 * 300:,}'] == []
    assert rows['of the exported student', '11,176,512'] == []
    assert rows['trained in the expansion', '1'] == rows['trained in the squeeze', '2'] == []


def test_the_head_says_what_is_counted():
    head = parts_table(made.expansion()).splitlines()[:3]
    assert head[0].startswith('GFLOPs of one image of 224×320 (height × width), forward.')
    assert 'a multiply-add is 2 operations' in head[1] and 'channels/stride' in head[2]
    assert '– :' not in parts_table(made.expansion())


def test_hard_sharing_and_a_branch_that_cannot_be_counted():
    table = parts_table(made.shared())
    rows = cells(table)
    assert rows['backbone', 'all'][0] == 'mmdet.ResNet' and rows['trained', '7'] == []
    assert rows['branch boxes', 'det'] == ['mmdet.FasterRCNN', '5,000', '–']
    assert '– : the stock model does not run on an image alone' in table and 'links' not in table


@pytest.mark.parametrize('more, told', [
    (40, ['in none of the rows above', '40']), (-7, ['shared by rows above', '-7'])])
def test_parameters_beyond_the_rows_are_told(more, told):
    parts = made.expansion()
    lines = parts_table(replace(parts, parameters=parts.parameters + more)).splitlines()
    line, = (line for line in lines if line.startswith('  other'))
    assert [cell.strip() for cell in line.split('  ') if cell.strip()] == ['other', *told]


def test_names_are_not_read_as_markup():
    parts = made.expansion(branches={'[bold]x': BranchPart('mmdet.FCOS', 'cls', 1, 1)})
    assert 'branch [bold]x' in parts_table(parts)


def test_links_are_sorted_by_receiver():
    by_receiver = link_rows(made.expansion())
    assert list(by_receiver) == ['cls', 'det', 'seg']
    assert all(link.receiver == task for task, links in by_receiver.items() for link in links)
    assert link_rows(made.expansion(stages=())) == {}


@pytest.mark.parametrize('flops, told', [
    (None, '–'), (0, '0'), (384, '<0.0001'), (1_234_567, '0.00123'), (271_400_000, '0.271'), (8_178_000_000, '8.18'),
    (2_345_600_000_000, '2,346')])
def test_operations_are_written_with_three_digits(flops, told):
    assert gflops(flops) == told


def test_plural():
    assert [plural(count, 'link') for count in (0, 1, 1200)] == ['0 links', '1 link', '1,200 links']
