import pytest
from mmengine.config import Config

from xlearner_mm.compose.config_text import Expression, assignment, layout

VALUE = dict(
    type='A', numbers=[1, 2.5, -1], nested=dict(a=None, b=dict(c=('x', ), d=())), flag=True,
    odd={'a b': 1, 'class': 2}, long=[dict(type='LongNameOfATransform', argument=i) for i in range(8)],
    ranges=((-1, 16), (16, float('inf'))), text="it's")


def test_what_is_written_reads_back_equal():
    text = layout(f'# A value.\n{assignment("value", VALUE)}')
    assert Config.fromstring(text, '.py').value.to_dict() == VALUE
    assert text.startswith('# A value.\nvalue = dict(') and max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(('value', 'text'), [
    (dict(a=1, b='x'), "v = dict(a=1, b='x')\n"),
    (dict(model=Expression('coco_model')), 'v = dict(model=coco_model)\n'),
    ((3, ), 'v = (3, )\n'),
])
def test_values_are_written_as_python(value, text):
    assert layout(assignment('v', value)) == text
