"""What Spark's filters leave: never less than they accept, and no more than they have to."""

import operator
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.datasource import (
    EqualTo,
    Filter,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNotNull,
    LessThan,
    LessThanOrEqual,
)

from tickerlake.engines.spark_filters import Bounds, Pruning
from tickerlake.lake import layout

FIRST = date(2025, 12, 29)
DAYS = st.integers(0, 40).map(lambda n: FIRST + timedelta(n))
COLUMNS = [("session",)] * 4 + [("date",), ("ticker",), ("close",), ("ticker", "session")]

INCLUSIVE: dict[type, Callable[[Any, Any], bool]] = {
    EqualTo: operator.eq,
    GreaterThan: operator.ge,
    GreaterThanOrEqual: operator.ge,
    LessThan: operator.le,
    LessThanOrEqual: operator.le,
    In: lambda value, among: value in among,
}


class Noting(Pruning):
    def __init__(self) -> None:
        self.bounds = {}

    def read(self, partition: Any) -> Any:
        raise NotImplementedError


@st.composite
def conditions(draw) -> Filter:
    column = draw(st.sampled_from(COLUMNS))
    kind = draw(st.sampled_from([*INCLUSIVE, IsNotNull]))
    if kind is IsNotNull:
        return IsNotNull(column)
    one = DAYS | st.none()
    return kind(column, draw(st.lists(one, max_size=5).map(tuple) if kind is In else one))


def accepts(condition: Filter, value: date) -> bool:
    """Whether a filter accepts a value, its bounds included; one that compares with null is not
    expressed as bounds."""
    if isinstance(condition, IsNotNull) or condition.value is None:
        return True
    return INCLUSIVE[type(condition)](value, condition.value)


@given(st.lists(conditions(), max_size=8), st.sampled_from(layout.GRAINS))
def test_a_value_is_left_if_and_only_if_all_filters_of_its_column_accept_it(filters, grain):
    reader = Noting()
    assert list(reader.pushFilters(filters)) == filters  # Spark checks every row again
    assert reader.bounds.keys() <= {"session", "date", "ticker"}
    for name in ("session", "date", "ticker"):
        of_it = [each for each in filters if each.attribute == (name,)]
        bounds = reader.bounds.get(name, Bounds())
        partitions = bounds.of_partition(grain)
        for number in range(-1, 42):
            value = FIRST + timedelta(number)
            is_left = all(accepts(each, value) for each in of_it)
            assert bounds.leave(value) == is_left
            if is_left:
                assert partitions.leave(layout.partition_of(value, grain))
    assert not Noting().bounds


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ([EqualTo(("session",), date(2026, 2, 5))], ["2026-02"]),
        ([In(("session",), (date(2026, 1, 5), date(2026, 3, 5), None))], ["2026-01", "2026-03"]),
        ([GreaterThan(("session",), date(2026, 2, 28))], ["2026-02", "2026-03"]),
        ([LessThan(("session",), date(2026, 2, 1))], ["2026-01", "2026-02"]),
        (
            [GreaterThan(("session",), date(2026, 2, 3)), LessThan(("session",), date(2026, 2, 5))],
            ["2026-02"],
        ),
        (
            [GreaterThan(("session",), date(2026, 2, 3)), GreaterThan(("session",), FIRST)],
            ["2026-02", "2026-03"],
        ),
        (
            [LessThan(("session",), date(2026, 2, 3)), LessThan(("session",), date(2027, 1, 1))],
            ["2026-01", "2026-02"],
        ),
        (
            [In(("session",), (FIRST, date(2026, 2, 3))), EqualTo(("session",), date(2026, 2, 3))],
            ["2026-02"],
        ),
        ([EqualTo(("session",), FIRST), EqualTo(("session",), date(2026, 2, 3))], []),
        ([], ["2026-01", "2026-02", "2026-03"]),
    ],
)
def test_of_the_partitions_only_those_are_left_that_can_have_such_sessions(
    filters: Sequence[Filter], left: list[str]
):
    for each in (filters, filters[::-1]):
        reader = Noting()
        list(reader.pushFilters(list(each)))
        partitions = reader.bounds.get("session", Bounds()).of_partition("month")
        months = ("2026-01", "2026-02", "2026-03")
        assert [name for name in months if partitions.leave(name)] == left


def test_what_can_not_be_expressed_is_said():
    assert Bounds().narrow(EqualTo(("ticker",), "A"))
    assert not Bounds().narrow(IsNotNull(("ticker",)))
    assert not Bounds().narrow(EqualTo(("ticker",), None))
