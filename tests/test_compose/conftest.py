"""Stock configs of a toy's size as files."""

import pytest

from stock_files import write_stock


@pytest.fixture
def write(toy_data, tmp_path):
    return lambda **changes: write_stock(toy_data, tmp_path, **changes)


@pytest.fixture
def stock(write):
    return write()
