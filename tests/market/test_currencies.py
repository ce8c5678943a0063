"""Units of currencies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.market.currencies import MINOR_UNITS, convert, find_unit

codes = st.sampled_from([*MINOR_UNITS, *(unit.currency for unit in MINOR_UNITS.values())])


@given(st.floats(1e-9, 1e9), codes, codes)
def test_there_and_back_again(amount: float, code: str, target: str) -> None:
    there = convert(amount, code, target)
    if find_unit(code).currency != find_unit(target).currency:
        assert there is None
        return
    assert there is not None
    assert convert(there, target, code) == pytest.approx(amount, rel=1e-12)


@pytest.mark.parametrize(
    ("code", "target", "one"),
    [("GBP", "GBp", 100), ("GBX", "GBp", 1), ("ILA", "ILS", 0.01), ("ZAR", "ZAc", 100),
     ("KWD", "KWF", 1000), ("EUR", "EUR", 1), ("GBp", "USD", None)],
)  # fmt: skip
def test_one_unit_is(code: str, target: str, one: float | None) -> None:
    assert convert(1.0, code, target) == one
