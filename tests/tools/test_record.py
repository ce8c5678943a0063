"""The recording against its origin, and against what is known of these companies."""

from datetime import date
from importlib.resources import files
from itertools import pairwise

import polars as pl
import pytest
import record as make

from tickerlake.sources.replay import recording


def _dividends(ticker: str) -> dict[date, float]:
    paid = recording.load().filter(pl.col("ticker") == ticker, pl.col("dividend") > 0)
    return dict(paid.select("session", "dividend").iter_rows())


def test_made_again_it_is_the_same() -> None:
    assert make.bars().equals(recording.load())


def test_schema_and_order() -> None:
    bars = recording.load()
    assert dict(bars.schema) == recording.SCHEMA
    assert bars.select("ticker", "session").is_unique().all()
    assert bars.equals(bars.sort("ticker", "session"))
    assert bars.null_count().sum_horizontal().item() == 0


def test_all_splits() -> None:
    splits = recording.load().filter(pl.col("split") != 1.0).select("ticker", "session", "split")
    assert splits.rows() == [
        ("AAPL", date(2000, 6, 21), 2.0),
        ("AAPL", date(2005, 2, 28), 2.0),
        ("MSFT", date(2003, 2, 18), 2.0),
    ]


def test_dividends_that_are_known() -> None:
    assert _dividends("AAPL") == {
        date(2012, 8, 9): 2.65,
        date(2012, 11, 7): 2.65,
        date(2013, 2, 7): 2.65,
    }
    assert not _dividends("GOOG")
    assert not _dividends("FB")
    microsoft = _dividends("MSFT")
    assert len(microsoft) == 37
    assert microsoft[date(2003, 2, 19)] == 0.08  # the day after the split
    assert microsoft[date(2004, 11, 15)] == 3.08  # 3 dollars once, and the quarter's 8 cents


@pytest.mark.parametrize(("ticker", "quarters"), [("IBM", 52), ("MSFT", 34)])
def test_dividends_are_quarterly_and_do_not_fall(ticker: str, quarters: int) -> None:
    paid = [
        (session, cash)
        for session, cash in _dividends(ticker).items()
        if ticker == "IBM" or session > date(2005, 1, 1)
    ]
    gaps = [(after - before).days for (before, _), (after, _) in pairwise(paid)]
    amounts = [cash for _, cash in paid if cash != 3.08]
    assert min(gaps) > 80
    assert max(gaps) < 105
    assert amounts == sorted(amounts)
    assert len(amounts) >= quarters - 1


@pytest.mark.parametrize("ticker", make.TICKERS)
def test_events_explain_the_adjusted_close_of_the_origin(ticker: str) -> None:
    path = files("bokeh_sampledata") / "_data" / f"{ticker}.csv"
    origin = pl.read_csv(path.read_bytes())
    bars = recording.load().filter(pl.col("ticker") == ticker)
    before = pl.col("close").shift(1) / pl.col("split")
    kept = (1 - pl.col("dividend") / before).fill_null(1.0).cum_prod()
    adjusted = bars.select(pl.col("close") * pl.col("split").cum_prod() / kept).to_series()
    explained = adjusted / origin["Adj Close"]
    # Up to one factor, what came after the recording. A hundredth of a cent a dividend is lost in
    # rounding, half a cent in each adjusted close.
    error = (explained / explained[-1] - 1).abs() * origin["Adj Close"]
    assert error.max() < 0.02


def test_volume_of_the_origin_is_split_adjusted() -> None:
    # Trades were reported in round lots: as traded, volume is in hundreds; adjusted for n later
    # splits in two, it is in hundreds times 2**n.
    for ticker in make.TICKERS:
        bars = recording.load().filter(pl.col("ticker") == ticker)
        assert (bars["volume"] % 100 == 0).all()
        assert 0.4 < (bars["volume"] % 200 == 0).mean() < 0.6


def test_no_bar_is_impossible() -> None:
    body = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    impossible = (pl.col("low") > body[0]) | (pl.col("high") < body[1]) | (pl.col("volume") <= 0)
    assert recording.load().filter(impossible).is_empty()


def test_split_and_dividend_on_one_day() -> None:
    days = [date(2020, 1, day) for day in range(1, 4)]
    factor = 1 - 1.0 / 50.0
    (event,) = make.events(days, [101.0, 100.0, 50.0], [50.5 * factor, 50 * factor, 50.0])
    assert event == make.Event(days[2], 2.0, 1.0)
