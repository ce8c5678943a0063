"""What of an answer is news, what is on record of it, and when a run gives up."""

import threading
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from helpers import bar, bars, new_lake, objects

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
from tickerlake.market.flags import Flag
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
    return calendars.of(ticker).expected(FIRST, FIRST + timedelta(20))[:10].tolist()


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


@pytest.mark.parametrize(("price", "volume"), [(50.0, 2000), (100.0, 1000)], ids=["new", "old"])
def test_a_split_that_is_announced_without_a_new_bar_is_news(lake, ticker, price, volume):
    """The morning after: the past is on a new basis, or still on the old one for some days.

    The next session has not closed. With prices on the old basis, the split alone is news.
    """
    known = days(ticker)
    rows = [bar(day, 100.0) for day in known[:5]]
    fetch(lake, ticker, Source(ticker, *rows), known[4])
    transform.transform(lake)
    served = [row | bar(row["session"], price, volume=volume) for row in rows]
    # nothing of the sessions that are asked for changes but their basis
    nothing = dict.fromkeys(("open", "high", "low", "close", "volume"))
    event = bar(known[5], split=2.0) | nothing
    source = Source(ticker, *served, event)
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


# ---- what is stored of an answer


def test_a_session_that_the_source_calls_open_is_not_stored(lake, ticker):
    """A special session in the evening: by the calendar it is over, by the source it is not."""
    known = days(ticker)
    rows = [bar(day) for day in known[:5]]
    moment = night(known[4])
    open_until = {"open_until": moment + timedelta(minutes=1), "current_session": known[4]}
    source = Source(ticker, *rows, **open_until)
    fetch(lake, ticker, source, known[4])
    held = history.current(lake, ticker, manifests.pending(lake))
    assert held.bars["session"].to_list() == known[:4]
    assert held.gaps == ()
    source.fields["open_until"] = moment
    fetch(lake, ticker, source, known[4])
    held = history.current(lake, ticker, manifests.pending(lake))
    assert held.bars["session"].to_list() == known[:5]


@pytest.mark.parametrize("hour", [time(10, 15), time(11, 30), time(14)])
def test_an_open_session_is_neither_stored_nor_refused(lake, ticker, hour):
    """Asked for until today, in the morning: in Sydney it is still yesterday in UTC."""
    known = days(ticker)
    source = Source(ticker, *(bar(day) for day in known[:5]))
    moment = datetime.combine(known[4], hour, ZoneInfo(PLACES[ticker])).astimezone(UTC)
    entry = extract.extract(
        lake, source, [ticker], as_of=moment, start=FIRST, end=known[4], workers=1
    ).entries[ticker]
    assert (entry.new, entry.quarantined, entry.rejected) == (4, 0, ())


def test_the_open_session_is_no_gap(lake, ticker):
    known = days(ticker)
    source = Source(ticker, *(bar(day) for day in known[:4]))
    extract.extract(
        lake, source, [ticker], as_of=night(known[3]), start=FIRST, end=known[9], workers=1
    )
    assert history.current(lake, ticker, manifests.pending(lake)).gaps == ()


def test_days_before_the_first_bar_are_no_gaps(lake, ticker):
    known = days(ticker)
    source = Source(ticker, *(bar(day) for day in (known[4], known[6])))
    fetch(lake, ticker, source, known[6])
    held = history.current(lake, ticker, manifests.pending(lake))
    assert held.gaps == (known[5],)
    assert held.since == FIRST


@pytest.mark.parametrize("name", ["CL=F", "AAPL"])
def test_a_future_may_cost_less_than_nothing(lake, name):
    known = days("AAPL")
    rows = [bar(known[0], 20.0), bar(known[1], -37.63, low=-40.0, high=18.0, open=18.0)]
    fetch(lake, name, Source(name, *rows), known[1])
    held = history.current(lake, name, manifests.pending(lake))
    assert held.bars["close"].to_list() == [20.0, -37.63][: 2 if name == "CL=F" else 1]


def test_a_restated_past_replaces_what_is_held(lake, ticker):
    """Pence became pounds: everything is fetched again, and what was refused stays refused."""
    known = days(ticker)
    bad = bar(known[2], low=200.0)
    rows = [bar(day, currency="GBp") for day in known[:8] if day != known[2]]
    fetch(lake, ticker, Source(ticker, *rows[:2], bad, *rows[2:]), known[7])
    transform.transform(lake)
    pounds = [bar(day, 1.0, currency="GBP") for day in known[:9] if day != known[2]]
    source = Source(ticker, *pounds[:2], bad, *pounds[2:])
    entry = fetch(lake, ticker, source, known[8]).entries[ticker]
    assert "GBp became GBP" in entry.restated
    assert entry.quarantined == 0
    transform.transform(lake)
    held = history.load(lake, ticker)
    assert held.bars["currency"].unique().to_list() == ["GBP"]
    assert held.bars["session"].to_list() == [each["session"] for each in pounds]
    assert [each.session for each in held.rejected] == [known[2]]
    assert verify.verify(lake, workers=1) == []


def test_an_index_of_no_table_lives_where_the_source_says(lake):
    """The first answer tells; until then New York's days are as good a guess as any."""
    known = days("QAN.AX")
    rows = [bar(day) for day in known[:5]]
    sydney = Listing(timezone="Australia/Sydney")
    source = Source("^NOBODY", *rows, listing=sydney)
    moment = datetime.combine(known[4], time(16, 45), ZoneInfo("Australia/Sydney"))
    extract.extract(lake, source, ["^NOBODY"], as_of=moment.astimezone(UTC), start=FIRST, workers=1)
    held = history.current(lake, "^NOBODY", manifests.pending(lake))
    assert held.timezone == "Australia/Sydney"
    assert held.bars["session"].to_list() == known[:5]
    assert source.asked == 1


def test_a_manifest_says_as_of_when(lake, ticker):
    known = days(ticker)
    [manifest] = fetch(lake, ticker, Source(ticker, bar(known[0])), known[0]).manifests
    assert manifest.as_of == night(known[0])
    assert manifest.source == "rows"


def test_failures_beside_tickers_that_are_up_to_date_are_on_record(lake):
    entries(lake, Scripted("ok"))
    source = Scripted("ok", "failed")
    found = entries(lake, source)
    assert found["T0"].reason == "up to date"
    newest = manifests.all_ids(lake.store)[-1]
    assert manifests.read(lake.store, newest).tickers["T1"].outcome == "failed"


def test_the_marker_of_a_new_lake_comes_before_its_first_run(tmp_path, monkeypatch):
    from tickerlake.lake import create_lake

    new = create_lake(str(tmp_path / "lake"), "month")
    seen: list[bytes | None] = []
    commit = manifests.commit

    def committing(store, manifest) -> None:
        seen.append(store.get(layout.LAKE))
        commit(store, manifest)

    monkeypatch.setattr(manifests, "commit", committing)
    entries(new, Scripted("ok"))
    [marker] = seen
    assert b"month" in marker


@pytest.mark.parametrize(("before", "is_told"), [(61, False), (60, True), (0, True), (-9, True)])
def test_a_calendar_that_ends_within_sixty_days_is_told_once(lake, before, is_told):
    exchange = calendars.of("RELIANCE.NS")
    assert exchange.ends is not None
    noon = datetime.combine(exchange.ends - timedelta(before), time(12), UTC)
    tickers = ["TCS.NS", "AAPL", "RELIANCE.NS"]
    warnings = extract.extract(lake, Source(""), tickers, as_of=noon, workers=1).warnings
    about = [text for text in warnings if text.startswith("the calendar ")]
    if is_told:
        [text] = about
        assert f"the calendar {exchange.name} ends on {exchange.ends}: " in text
        assert " RELIANCE.NS, TCS.NS " in text
    else:
        assert about == []


def test_progress_names_every_ticker_once_with_how_it_ended(lake):
    source = Scripted("ok", "failed", "unknown", "limited", "ok")
    told: list[tuple[str, Entry]] = []
    report = extract.extract(
        lake, source, list(source.script), as_of=night(FIRST), start=FIRST, workers=2,
        progress=lambda *each: told.append(each),
    )  # fmt: skip
    assert len(told) == 5
    assert dict(told) == report.entries


def test_who_interrupts_a_run_keeps_what_was_fetched_and_waits_for_nobody(lake):
    go_on, ended = threading.Event(), threading.Event()
    day = bar(days("AAPL")[0])

    class Slow(Source):
        def fetch(self, symbol: str, *request) -> Fetched:
            found = super().fetch(symbol, *request)
            if symbol == "B":
                go_on.wait(20)
                ended.set()
            return found

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    source = Slow("A", day)
    with pytest.raises(KeyboardInterrupt):
        extract.extract(
            lake, source, ["A", "B", "C"], as_of=night(days("AAPL")[0]), start=FIRST, workers=1,
            progress=interrupt,
        )  # fmt: skip
    assert not ended.is_set()
    [run_id] = manifests.all_ids(lake.store)
    assert manifests.read(lake.store, run_id).tickers.keys() == {"A"}
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("extract"):
            thread.join(20)
    assert source.asked <= 2


def test_an_answer_without_any_bar_has_no_news(lake, ticker):
    """Of a ticker that is held, as of one that is not."""
    known = days(ticker)
    for is_held in (False, True):
        entry = fetch(lake, ticker, Source(ticker), known[5]).entries[ticker]
        assert (entry.outcome, entry.new, entry.restated) == ("empty", 0, "")
        if not is_held:
            fetch(lake, ticker, Source(ticker, *(bar(day) for day in known[:5])), known[4])
            transform.transform(lake)
    transform.transform(lake)
    assert history.load(lake, ticker).bars["session"].to_list() == known[:5]


def test_how_a_ticker_ended_is_logged_by_how_bad_it_is(lake, caplog):
    caplog.set_level("INFO", logger=extract.__name__)
    found = entries(lake, Scripted("ok", "failed", "unknown", "limited"))
    logged = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert logged[:4] == [
        ("INFO", "T0: ok"),
        ("WARNING", f"T1: failed {found['T1'].reason}"),
        ("WARNING", f"T2: unknown_symbol {found['T2'].reason}"),
        ("WARNING", f"T3: rate_limited {found['T3'].reason}"),
    ]
    [run_id] = manifests.all_ids(lake.store)
    assert logged[4:] == [("INFO", f"committed run {run_id}")]


@pytest.mark.parametrize(
    ("known", "suggested", "text"),
    [
        (["AAPL", "AAP", "IBM"], ["X"], ". Did you mean AAPL or AAP?"),
        (["IBM"], ["A", "B", "C", "D"], ". Did you mean A or B or C?"),
        (["IBM"], [], ""),
        (["AAPLA", "AAPLB", "AAPLC", "AAPLD"], [], ". Did you mean AAPLD or AAPLC or AAPLB?"),
    ],
)
def test_what_is_suggested_for_a_symbol_that_nobody_knows(lake, known, suggested, text):
    class Asked(Scripted):
        def fetch(self, symbol: str, *_: object) -> Fetched:
            raise UnknownSymbolError(f"{symbol} is unknown")

        def search(self, text: str) -> list[str]:
            assert text == "AAPLX"
            return suggested

    report = extract.extract(
        lake, Asked(), ["AAPLX"], as_of=night(FIRST), workers=1, known=lambda: known
    )
    assert report.entries["AAPLX"].reason == f"AAPLX is unknown{text}"
    assert (report.exit_code, report.is_quiet) == (1, False)


@pytest.mark.parametrize(("most", "commits"), [(5, 2), (6, 2), (7, 1), (2, 4), (1, 4)])
def test_how_many_blobs_are_committed_at_once(tmp_path, monkeypatch, most, commits):
    """Four tickers with two blobs each: a commit as soon as there are so many."""
    monkeypatch.setattr(extract, "COMMIT_BLOBS", most)
    lake = new_lake(str(tmp_path / "lake"), "day")
    source = Source("AAPL", *(bar(day) for day in days("AAPL")[:2]))
    report = extract.extract(
        lake, source, ["A", "B", "C", "D"], as_of=night(days("AAPL")[1]), start=FIRST, workers=1
    )
    assert len(report.manifests) == commits
    named = [name for each in report.manifests for name in each.tickers]
    assert sorted(named) == ["A", "B", "C", "D"]
