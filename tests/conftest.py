from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest

from tickerlake import lake as lakes
from tickerlake.lake import Lake
from tickerlake.schema import RAW


@pytest.fixture(params=["day", "month", "year"])
def any_grain(request, tmp_path) -> Lake:
    return lakes.create(str(tmp_path / "lake"), request.param)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return lakes.create(str(tmp_path / "lake"), "year")


def bar(session: date, close: float = 100.0, **fields: object) -> dict[str, object]:
    """A plausible bar around a close."""
    return {
        "session": session,
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": 1000,
        "dividend": 0.0,
        "split": 1.0,
        "currency": "USD",
        "source": "test",
        **fields,
    }


def bars(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=RAW)


def objects(lake: Lake, *prefixes: str) -> dict[str, bytes]:
    """All objects below the prefixes, by key."""

    def found() -> Iterator[tuple[str, bytes]]:
        for prefix in prefixes or ("raw/", "quarantine/", "history/", "refined/"):
            for key in lake.store.keys(prefix):
                data = lake.store.get(key)
                assert data is not None
                yield key, data

    return dict(sorted(found()))
