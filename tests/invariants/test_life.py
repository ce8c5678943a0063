"""Lakes that live for a while, day by day, with the real client against the replay.

However bumpy a life was, the lake must equal a fresh one that was made at its end.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from helpers import bar, new_lake, objects
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickerlake.lake import Lake, history
from tickerlake.market import calendars
from tickerlake.sources.replay import Fault, Replay, recording
from tickerlake.sources.yahoo import Yahoo
from tickerlake.stages import extract, transform, verify
from tickerlake.stages.extract import Report


def evening(day: date) -> datetime:
    return datetime.combine(day, time(22, 30), UTC)


def run(lake: Lake, replay: Replay, yahoo: Yahoo, tickers: Sequence[str], start: date) -> Report:
    return extract.extract(lake, yahoo, tickers, as_of=replay.now, start=start, workers=2)


def process(lake: Lake) -> transform.Report:
    report = transform.transform(lake)
    assert report.exit_code == 0, report
    return report


def sessions(start: date, end: date) -> list[date]:
    schedule = calendars.of("AAPL").schedule
    return schedule.filter(pl.col("session").is_between(start, end))["session"].to_list()


def facts(lake: Lake, tickers: Sequence[str]) -> dict[str, pl.DataFrame]:
    """What history says of the market, without when it was fetched."""
    return {ticker: history.read(lake, ticker)[0].bars.drop("as_of") for ticker in sorted(tickers)}


def assert_equal_to_a_fresh_lake(
    lake: Lake, replay: Replay, yahoo: Yahoo, tickers: Sequence[str], start: date, folder: Path
) -> None:
    fresh = new_lake(str(folder / "fresh"), lake.grain)
    run(fresh, replay, yahoo, tickers, start)
    process(fresh)
    lived, made = facts(lake, tickers), facts(fresh, tickers)
    for ticker in tickers:
        assert lived[ticker].equals(made[ticker]), ticker
    assert objects(lake, "refined/daily/") == objects(fresh, "refined/daily/")
    assert verify.verify(lake, workers=2) == []


def assert_nothing_moves(
    lake: Lake, replay: Replay, yahoo: Yahoo, tickers: Sequence[str], start: date
) -> None:
    before, asked = objects(lake), len(replay.requests)
    report = run(lake, replay, yahoo, tickers, start)
    assert {entry.outcome for entry in report.entries.values()} == {"empty"}
    assert report.manifests == []
    assert len(replay.requests) == asked
    process(lake)
    assert objects(lake) == before


@pytest.mark.parametrize(
    ("split", "late", "grain"),
    [
        (date(2005, 2, 28), 0, "day"),
        (date(2005, 2, 28), 0, "year"),
        (date(2005, 2, 28), 3, "month"),
        (date(2003, 2, 18), 1, "month"),
        (date(2003, 2, 18), 1, "year"),
    ],
)
def test_a_life_over_a_split(tmp_path, split, late, grain):
    """AAPL split 2:1 on 2005-02-28, MSFT on 2003-02-18."""
    tickers = ["AAPL", "MSFT"]
    start = split - timedelta(days=50)
    days = sessions(split - timedelta(days=9), split + timedelta(days=14))
    at = days.index(split)
    missed = {days[1], days[at + 2]}
    lake = new_lake(str(tmp_path / "lake"), grain)
    faults = [
        Fault(kind="dropped", session=days[2], until=days[at + 3]),
        Fault(kind="dropped", ticker="AAPL", session=days[at - 1], until=days[at + 1]),
        Fault(kind="wrong", session=days[3], field="volume", value=12345, until=days[5]),
        Fault(kind="wrong", session=days[at], field="close", value=44.0, until=days[at + 1]),
        Fault(kind="null_close", session=days[at + 1], until=days[at + 3]),
        Fault(kind="late_split", days=late),
        Fault(kind="server_error", ticker="MSFT", since=days[4], until=days[5]),
    ]
    with (
        Replay(now=evening(days[0])) as replay,
        Yahoo(url=replay.url, requests_per_second=1000, workers=2, retries=1, backoff=0) as yahoo,
    ):
        replay.faults = faults
        for number, day in enumerate(days):
            if day in missed:
                continue
            replay.now = evening(day)
            run(lake, replay, yahoo, tickers, start)
            if number % 3 != 1:
                process(lake)
                assert verify.verify(lake, workers=2) == []
        process(lake)
        assert_nothing_moves(lake, replay, yahoo, tickers, start)
        assert_equal_to_a_fresh_lake(lake, replay, yahoo, tickers, start, tmp_path)


def test_prices_are_on_one_basis_on_the_evening_of_the_split(tmp_path):
    """The day it happens, before anything is fetched again, nothing jumps."""
    split = date(2005, 2, 28)
    lake = new_lake(str(tmp_path / "lake"), "year")
    with (
        Replay(now=evening(split - timedelta(days=3))) as replay,
        Yahoo(url=replay.url, requests_per_second=1000, workers=2) as yahoo,
    ):
        run(lake, replay, yahoo, ["AAPL"], date(2003, 1, 2))
        process(lake)
        replay.now = evening(split)
        run(lake, replay, yahoo, ["AAPL"], date(2003, 1, 2))
        process(lake)
        stored, _ = history.read(lake, "AAPL")
        returns = stored.bars["close"].pct_change().drop_nulls()
        assert returns.abs().max() < 0.15
        assert (stored.bars["basis_factor"] == 2.0).any()
        # the next run that is due reads the whole history on the new basis
        replay.now = evening(split + timedelta(days=1))
        report = run(lake, replay, yahoo, ["AAPL"], date(2003, 1, 2))
        process(lake)
        assert report.entries["AAPL"].start == date(2003, 1, 2)
        stored, _ = history.read(lake, "AAPL")
        assert (stored.bars["basis_factor"] == 1.0).all()


MARKET = sessions(date(2012, 11, 1), date(2012, 11, 30))
TICKERS = ["A", "B"]


@st.composite
def markets(draw: st.DrawFn) -> pl.DataFrame:
    """Two tickers with random prices, dividends and splits, as they traded."""
    rows = []
    for ticker in TICKERS:
        first = draw(st.integers(0, 8))
        price = 100.0
        # so early that the source's own numbers on the new basis are fetched in time
        days = st.sampled_from(MARKET[first + 1 : -4])
        splits = draw(st.dictionaries(days, st.sampled_from([2.0, 3.0, 1.5, 0.1]), max_size=3))
        dividends = draw(st.dictionaries(days, st.sampled_from([0.25, 1.5]), max_size=3))
        for session in MARKET[first:]:
            split = splits.get(session, 1.0)
            price = round(price / split * draw(st.sampled_from([0.97, 1.0, 1.01, 1.04])), 2)
            row = bar(session, price, split=split, dividend=dividends.get(session, 0.0))
            rows.append({"ticker": ticker, **row, "volume": draw(st.integers(0, 9)) * 1000})
    return pl.DataFrame(rows, schema_overrides=recording.SCHEMA).select(recording.SCHEMA.keys())


DAY = st.integers(0, len(MARKET) - 5)
TROUBLE = st.builds(
    lambda kind, ticker, number, lasts, field: Fault(
        kind=kind,
        ticker=ticker,
        session=MARKET[number],
        field=field,
        value=77.0,
        until=MARKET[number + lasts],
    ),
    st.sampled_from(["dropped", "wrong", "null_row", "null_close", "duplicated"]),
    st.sampled_from([None, *TICKERS]),
    DAY,
    st.integers(1, 3),
    st.sampled_from(["volume", "close"]),
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(
    market=markets(),
    troubles=st.lists(TROUBLE, max_size=5),
    late=st.integers(0, 4),
    runs=st.sets(st.integers(0, len(MARKET) - 1), min_size=3),
    unprocessed=st.sets(st.integers(0, len(MARKET) - 1)),
)
def test_any_life_equals_a_fresh_lake(tmp_path_factory, market, troubles, late, runs, unprocessed):
    folder = tmp_path_factory.mktemp("life")
    lake = new_lake(str(folder / "lake"), "month")
    start = MARKET[0]
    with (
        Replay(market, now=evening(start)) as replay,
        Yahoo(url=replay.url, requests_per_second=1000, workers=2, retries=0, backoff=0) as yahoo,
    ):
        replay.faults = [*troubles, Fault(kind="late_split", days=late, until=MARKET[-3])]
        for number in sorted(runs | {len(MARKET) - 2, len(MARKET) - 1}):
            replay.now = evening(MARKET[number])
            run(lake, replay, yahoo, TICKERS, start)
            if number not in unprocessed:
                process(lake)
        process(lake)
        assert_nothing_moves(lake, replay, yahoo, TICKERS, start)
        assert_equal_to_a_fresh_lake(lake, replay, yahoo, TICKERS, start, folder)


def test_a_first_bar_that_comes_late_is_healed(tmp_path):
    """FB's first session, missing for some days: no gap between bars, and yet not lost."""
    first = date(2012, 5, 18)
    days = sessions(first, date(2012, 5, 25))
    lake = new_lake(str(tmp_path / "lake"), "year")
    with (
        Replay(now=evening(first)) as replay,
        Yahoo(url=replay.url, requests_per_second=1000, workers=2) as yahoo,
    ):
        replay.faults = [Fault(kind="null_row", ticker="FB", session=first, until=days[2])]
        for day in days:
            replay.now = evening(day)
            run(lake, replay, yahoo, ["FB"], first)
            process(lake)
        assert_equal_to_a_fresh_lake(lake, replay, yahoo, ["FB"], first, tmp_path)
