"""Keys: which days a partition has, and what a blob is named after."""

from datetime import date, timedelta

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.lake import layout
from tickerlake.lake.parquet import digest


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
@pytest.mark.parametrize("grain", layout.GRAINS)
def test_the_days_of_a_partition(grain, day):
    """They are exactly the days that are written to it."""
    name = layout.partition_of(day, grain)
    first, last = layout.sessions(name)
    assert first <= day <= last
    assert layout.partition_of(first, grain) == layout.partition_of(last, grain) == name
    for outside in (first - timedelta(1), last + timedelta(1)):
        assert layout.partition_of(outside, grain) != name
    frame = pl.DataFrame({"session": [day]})
    assert frame.select(layout.partition(grain)).item() == name


def test_a_blob_is_named_after_its_rows():
    """The name must be the same with every version of the libraries."""
    rows = bars(bar(date(2026, 2, 2)), bar(date(2026, 2, 3), 7.25, dividend_currency="EUR"))
    assert digest(rows) == "f7a94dd01be8ef9c4f979a7b435f1ce5"
    assert digest(rows) == digest(pl.concat([rows[:1], rows[1:]]))
    assert digest(rows) != digest(rows[::-1])
