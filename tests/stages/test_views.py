"""The views in DuckDB: what they say of recorded and of odd bars, by an independent oracle."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from odd_tables import odd_tables
from polars.testing import assert_frame_equal
from view_oracle import ORACLES

from tickerlake import app
from tickerlake.lake import Lake, open_lake
from tickerlake.lake.views import VIEWS
from tickerlake.settings import ExtractSettings, SourceSettings, TransformSettings
from tickerlake.stages.query import query

TYPES = {
    "string": pl.String(),
    "date": pl.Date(),
    "double": pl.Float64(),
    "bigint": pl.Int64(),
}


class Frames:
    """Tables that are frames in memory."""

    def __init__(self, frames: dict[str, pl.DataFrame]) -> None:
        self.frames = frames

    def create(self, connection, name: str) -> None:
        connection.register(name, self.frames[name].to_arrow())


def recorded(tmp_path_factory) -> dict[str, pl.DataFrame]:
    """AAPL and MSFT over their splits and dividends, IBM, and FB from its first day on."""
    lake = str(tmp_path_factory.mktemp("views") / "lake")
    for as_of in (
        datetime(2005, 2, 25, 23, tzinfo=UTC),
        datetime(2005, 2, 28, 23, tzinfo=UTC),
        None,
    ):
        settings = ExtractSettings(
            lake,
            ("AAPL", "FB", "IBM", "MSFT"),
            start=date(2003, 1, 2),
            grain="year",
            source=SourceSettings(offline=True, as_of=as_of, requests_per_second=1000.0),
        )
        assert app.extract(settings).exit_code in (0, 3)
    assert app.transform(TransformSettings(lake)).exit_code == 0
    return {
        name: query(open_lake(lake), f"select * from {name}")
        for name in ("daily", "tickers", "raw")
    }


@pytest.fixture(scope="module", params=[recorded, odd_tables], ids=lambda each: each.__name__)
def tables(request, tmp_path_factory) -> dict[str, pl.DataFrame]:
    return request.param(tmp_path_factory)


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    from helpers import new_lake

    return new_lake(str(tmp_path_factory.mktemp("empty") / "lake"))


def test_every_view_has_an_oracle():
    assert ORACLES.keys() == VIEWS.keys()


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_says_what_the_oracle_says(lake, tables, name):
    found = query(lake, f"select * from {name}", tables=Frames(tables))
    columns = VIEWS[name].columns
    assert found.columns == list(columns)
    expected = ORACLES[name](tables).select(columns.keys())
    keys = [each for each in found.columns if columns[each].kind in ("string", "date")]
    assert_frame_equal(
        found.sort(keys), expected.sort(keys), check_dtypes=False, rel_tol=1e-9, abs_tol=1e-9
    )
    assert found.schema == {
        each: TYPES.get(column.kind, found.schema[each]) for each, column in columns.items()
    }


@pytest.mark.parametrize("name", VIEWS)
def test_an_empty_lake_has_empty_views(lake, name):
    found = query(lake, f"select * from {name}")
    assert found.is_empty()
    assert found.columns == list(VIEWS[name].columns)
