"""What of an answer is news, what is on record of it, and when a run gives up."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from helpers import bar, bars, objects

from tickerlake.errors import (
    RateLimitedError,
    SourceFailedError,
    SourceUnreachableError,
    StoreError,
    UnknownSymbolError,
)
from tickerlake.lake import Lake, history, layout, manifests
from tickerlake.lake.manifests import Entry
from tickerlake.market import calendars
from tickerlake.market.quality import Flag
from tickerlake.sources import Fetched, Listing
from tickerlake.stages import extract, transform, verify

PLACES = {
    "AAPL": "America/New_York",
    "QAN.AX": "Australia/Sydney",
    "7203.T": "Asia/Tokyo",
    "VOD.L": "Europe/London",
    "EURUSD=X": "Europe/London",
    "BTC-USD": "UTC",
}
FIRST = date(2026, 2, 2)


def days(ticker: str) -> list[date]:
    """Ten sessions."""
    return calendars.of(ticker).expected(FIRST, FIRST + timedelta(20)).head(10).to_list()


class Source:
    """Serves rows, whatever is asked for."""

    name = "rows"

    def __init__(self, ticker: str, *rows: dict[str, object], **fields: object) -> None:
        self.fields = {"listing": Listing(timezone=PLACES.get(ticker)), **fields}
        self.rows = list(rows)
        self.asked = 0

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        self.asked += 1
        found = bars(*self.rows).filter(pl.col("session").is_between(start, end))
        return Fetched(found, **self.fields)


def night(day: date) -> datetime:
    """A moment at which a session is over everywhere."""
    return datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)


def fetch(lake: Lake, ticker: str, source: Source, day: date) -> extract.Report:
    return extract.extract(lake, source, [ticker], as_of=night(day), start=FIRST, workers=1)


@pytest.fixture(params=PLACES)
def ticker(request) -> str:
    return request.param


def test_a_split_that_is_announced_without_a_new_bar_is_news(lake, ticker):
    """The morning after: the past is on a new basis, and the next session has not closed."""
    known = days(ticker)
    rows = [bar(day, 100.0) for day in known[:5]]
    fetch(lake, ticker, Source(ticker, *rows), known[4])
    transform.transform(lake)
    halved = [row | bar(row["session"], 50.0, volume=2000) for row in rows]
    # nothing of the sessions that are asked for changes but their basis
    nothing = dict.fromkeys(("open", "high", "low", "close", "volume"))
    event = bar(known[5], split=2.0) | nothing
    source = Source(ticker, *halved, event)
    morning = datetime.combine(known[5], time(9, 30), ZoneInfo(PLACES[ticker])).astimezone(UTC)
    entry = extract.extract(
        lake, source, [ticker], as_of=morning, start=known[4], end=known[4], workers=1
    ).entries[ticker]
    assert entry.delivers
    assert entry.splits == {known[5]: 2.0}
    transform.transform(lake)
    held = history.load(lake, ticker)
    assert held.bars["close"].to_list() == [50.0] * 5
    assert held.splits == {known[5]: 2.0}


def test_a_row_that_only_went_to_quarantine_is_committed_once(lake, ticker):
    known = days(ticker)
    rows = [bar(day) for day in known[:5]]
    fetch(lake, ticker, Source(ticker, *rows), known[4])
    bad = bar(known[5], low=200.0)
    for again in range(2):
        report = fetch(lake, ticker, Source(ticker, *rows, bad), known[5])
        assert len(report.manifests) == (not again)
        assert report.entries[ticker].quarantined == (not again)
    assert len(objects(lake, "quarantine/")) == 1
    transform.transform(lake)
    [rejected] = history.load(lake, ticker).rejected
    assert (rejected.session, rejected.reasons) == (known[5], "low_above_high")


def test_a_flag_is_set_with_the_bar_and_not_again_at_every_reading(lake):
    """In another zone than the calendar's, every bar is flagged: once."""
    known = days("7203.T")
    zone = Listing(timezone="Australia/Sydney")
    rows = [bar(day) for day in known[:5]]
    first = fetch(lake, "7203.T", Source("7203.T", *rows, listing=zone), known[4])
    flags = first.entries["7203.T"].flags
    assert [(flag.session, flag.name) for flag in flags] == [(day, "timezone") for day in known[:5]]
    second = fetch(lake, "7203.T", Source("7203.T", *rows, bar(known[5]), listing=zone), known[5])
    assert [flag.session for flag in second.entries["7203.T"].flags] == [known[5]]


def test_bars_on_closed_days_and_foreign_dividends_are_flagged(lake, ticker):
    known = days(ticker)
    rows = [bar(day) for day in known[:6]]
    rows[2] |= {"dividend": 0.5, "dividend_currency": "EUR"}
    saturday = date(2026, 2, 7)
    rows.append(bar(saturday, 101.0))
    rows.sort(key=lambda row: row["session"])
    rows = list({row["session"]: row for row in rows}.values())
    entry = fetch(lake, ticker, Source(ticker, *rows), known[6]).entries[ticker]
    odd = [] if ticker == "BTC-USD" else [Flag(saturday, "off_calendar")]
    assert list(entry.flags) == [*odd, Flag(known[2], "dividend_currency", "EUR")]


def test_a_correction_of_any_column_is_news(lake, ticker):
    known = days(ticker)
    rows = [bar(day) for day in known[:7]]
    fetch(lake, ticker, Source(ticker, *rows), known[6])
    right = {"split": 2.0, "dividend": 0.5, "capital_gain": 0.25, "volume": 7, "currency": "EUR"}
    for number, (name, value) in enumerate(right.items()):
        rows[number + (number > 2)] |= {name: value}  # the last three are read again
    entry = fetch(lake, ticker, Source(ticker, *rows, bar(known[7])), known[7]).entries[ticker]
    assert (entry.new, entry.corrected) == (1, 5)
    transform.transform(lake)
    held = history.load(lake, ticker).bars
    for number, (name, value) in enumerate(right.items()):
        assert held[name][number + (number > 2)] == value
    assert verify.verify(lake, workers=1) == []


# ---- when a run gives up


class Scripted:
    """Fails as a script says, ticker by ticker."""

    name = "scripted"

    def __init__(self, *script: str) -> None:
        self.script = dict(zip((f"T{n}" for n in range(len(script))), script, strict=True))
        self.asked: list[str] = []

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        self.asked.append(symbol)
        errors = {
            "limited": RateLimitedError, "unknown": UnknownSymbolError, "failed": SourceFailedError,
            "unreachable": SourceUnreachableError, "store": StoreError,
        }  # fmt: skip
        if error := errors.get(self.script[symbol]):
            raise error(self.script[symbol])
        return Fetched(bars(bar(FIRST)))


def entries(lake: Lake, source: Scripted) -> dict[str, Entry]:
    report = extract.extract(
        lake, source, list(source.script), as_of=night(FIRST), start=FIRST, workers=1
    )
    return report.entries


def test_after_three_tickers_in_a_row_nobody_else_is_asked(lake):
    source = Scripted(*["limited"] * 5)
    found = entries(lake, source)
    assert source.asked == ["T0", "T1", "T2"]
    assert {each.outcome for each in found.values()} == {"rate_limited"}
    assert found["T4"].reason == "not asked: the source wants a pause"


@pytest.mark.parametrize("other", ["ok", "unknown", "failed"])
@pytest.mark.parametrize("kind", ["limited", "unreachable", "store"])
def test_only_failures_in_a_row_count(lake, kind, other):
    source = Scripted(kind, kind, other, kind, kind, other)
    found = entries(lake, source)
    assert len(source.asked) == 6
    bad = "rate_limited" if kind == "limited" else "failed"
    assert [found[f"T{n}"].outcome for n in (0, 1, 3, 4)] == [bad] * 4


def test_a_run_of_failures_alone_leaves_no_manifest_and_one_with_news_records_them(lake):
    entries(lake, Scripted("failed", "unknown"))
    assert manifests.all_ids(lake.store) == []
    found = entries(lake, Scripted("failed", "ok"))
    assert {name: each.outcome for name, each in found.items()} == {"T0": "failed", "T1": "ok"}
    [run_id] = manifests.all_ids(lake.store)
    assert manifests.read(lake.store, run_id).tickers["T0"].reason == "failed"
    assert lake.store.get(layout.run(run_id)) is not None


@pytest.mark.parametrize(("runs", "told"), [(9, False), (10, True)])
def test_a_ticker_that_nobody_knows_is_suggested_for_retirement(lake, runs, told):
    for number in range(runs):
        source = Scripted("unknown", "ok")
        day = days("AAPL")[number % 10]
        source.fetch = one_bar(day)  # a new bar every time, so that every run is a commit
        report = extract.extract(lake, source, ["T0", "T1"], as_of=night(day), workers=1)
        assert report.manifests
    assert any("`tickerlake retire T0`" in text for text in report.warnings) is told


def one_bar(day: date):
    def fetch(symbol: str, start: date, end: date, _: str) -> Fetched:
        if symbol == "T0":
            raise UnknownSymbolError("who?")
        known = [each for each in days("AAPL") if each <= day]
        return Fetched(bars(*(bar(each) for each in known if start <= each <= end)))

    return fetch
