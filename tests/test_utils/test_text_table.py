import pytest

from xlearner_mm.utils import text_table

pytestmark = pytest.mark.compat


def test_words_stand_left_and_numbers_right_without_markup():
    header, rule, *lines = text_table([('[a]', 'b', '1'), ('long name', '', '1,000')], ('name', 'word', 'number'), 2)
    assert header.split() == ['name', 'word', 'number'] and set(rule.strip()) == {'─'}
    assert [line.split() for line in lines] == [['[a]', 'b', '1'], ['long', 'name', '1,000']]
    assert lines[0].index('[a]') == lines[1].index('long') and len(lines[0]) == len(lines[1]) == len(header)
