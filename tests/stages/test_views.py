"""The views in DuckDB: what they say of recorded and of odd bars, by an independent oracle."""

import random
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from view_oracle import ORACLES

from tickerlake import app
from tickerlake.lake import Lake, open_lake
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.market import features
from tickerlake.market.bars import HISTORY
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
    settings = ExtractSettings(
        lake,
        ("AAPL", "FB", "IBM", "MSFT"),
        start=date(2003, 1, 2),
        grain="year",
        source=SourceSettings(offline=True, requests_per_second=1000.0),
    )
    assert app.extract(settings).exit_code == 0
    assert app.transform(TransformSettings(lake)).exit_code == 0
    return {name: query(open_lake(lake), f"select * from {name}") for name in ("daily", "tickers")}


def odd(_) -> dict[str, pl.DataFrame]:
    """Short weeks, halts, unknown opens, ties, negative prices, foreign and huge dividends."""
    dice = random.Random(7)
    daily, listings = [], []
    for number, ticker in enumerate(["A", "B", "C=F", "^D", "E", "ONE"]):
        days = [date(2019, 12, 20) + timedelta(days=n) for n in range(420)]
        days = [day for day in days if day.weekday() < 5 and dice.random() > 0.1]
        if ticker == "ONE":
            days = days[:1]
        close, bars = 100.0, []
        for day in days:
            close = 100.0 if ticker == "E" else round(close + dice.choice([-1, 0, 0.5, 1]), 2)
            close -= 150.0 if ticker == "C=F" and day == date(2020, 4, 20) else 0
            dividend = dice.choice([0.0] * 20 + [0.3, 500.0])
            bars.append(
                {
                    "session": day,
                    "open": dice.choice([None, close, close - 0.25]),
                    "high": close + dice.choice([0, 0.5]),
                    "low": close - dice.choice([0.25, 0.5]),
                    "close": close,
                    "volume": dice.choice([0, 10, 10, 300]),
                    "dividend": dividend,
                    "capital_gain": dice.choice([0.0] * 20 + [0.1]),
                    "split": dice.choice([1.0] * 40 + [2.0, 1 / 3]),
                    "currency": "EUR" if ticker == "B" else "USD",
                    "dividend_currency": dice.choice([None, None, "USD", "+0.5 USD"])
                    if dividend
                    else None,
                    "source": "test",
                    "as_of": None,
                    "basis_factor": 1.0,
                    "flags": "",
                }
            )
        frame = features.daily(pl.DataFrame(bars, schema=HISTORY))
        daily.append(frame.select(pl.lit(ticker).alias("ticker"), pl.all()))
        gaps = [] if number % 2 else [date(2020, 1, 2), date(2020, 5, 4)]
        kind = "INDEX" if ticker == "^D" else None if ticker == "E" else "EQUITY"
        listings.append({"ticker": ticker, "instrument_type": kind, "gaps": gaps, "exchange": "X"})
    schema = {"ticker": pl.String(), **TABLES["tickers"].schema}
    return {"daily": pl.concat(daily), "tickers": pl.DataFrame(listings, schema=schema)}


@pytest.fixture(scope="module", params=[recorded, odd], ids=lambda each: each.__name__)
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
