import pytest
from mmengine.config import Config

from xlearner_mm.compose.config_text import WIDTH, Name, assignment

VALUE = dict(
    type='A', numbers=[1, 2.5, -1], nested=dict(a=None, b=dict(c=('x', ), d=())), flag=True,
    odd={'a b': 1, 'class': 2}, long=[dict(type='LongNameOfATransform', argument=i) for i in range(8)],
    ranges=((-1, 16), (16, float('inf'))), text="it's")


def test_what_is_written_reads_back_equal():
    text = assignment('value', VALUE)
    assert Config.fromstring(text, '.py').value.to_dict() == VALUE
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize(('value', 'text'), [
    (dict(a=1, b='x'), "v = dict(a=1, b='x')\n"),
    (dict(model=Name('coco_model')), 'v = dict(model=coco_model)\n'),
    ((3, ), 'v = (3, )\n'),
])
def test_short_values_stand_on_one_line(value, text):
    assert assignment('v', value) == text
