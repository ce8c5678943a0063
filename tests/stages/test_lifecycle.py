"""The life of a ticker: what goes along when it is renamed, and what retiring it leaves alone."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, bars, new_lake

from tickerlake.errors import UsageError
from tickerlake.lake import Lake, blobs, history, manifests
from tickerlake.lake.manifests import Manifest
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.sources import Fetched, Listing
from tickerlake.stages import extract, lifecycle, transform, verify

KNOWN = calendars.of("AAPL").schedule["session"]
DAYS = KNOWN.filter(date(2026, 2, 2) <= KNOWN).head(12).to_list()
SPLIT = DAYS[3]


class Old:
    """A split on the fourth day, a missing open on the fifth, no bar on the sixth."""

    name = "old"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.today = DAYS[7]

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        self.asked.append(symbol)
        rows = {day: bar(day, 50.0 + n) for n, day in enumerate(DAYS) if day <= self.today}
        rows[SPLIT] |= {"split": 2.0}
        rows[DAYS[4]] |= {"open": 0.0}
        rows.pop(DAYS[5])
        if symbol == "NEW":
            rows = {day: row | {"close": row["close"] + 0.5} for day, row in rows.items()}
        found = [row for day, row in rows.items() if start <= day <= end]
        return Fetched(bars(*found), Listing(timezone=timezone))


def night(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, tzinfo=UTC)


@pytest.fixture
def source() -> Old:
    return Old()


@pytest.fixture
def lived(tmp_path, source) -> Lake:
    lake = new_lake(str(tmp_path / "lake"), "month")
    fetch(lake, source, DAYS[7], "OLD")
    return lake


def fetch(lake: Lake, source: Old, day: date, ticker: str, start: date = DAYS[0]) -> None:
    source.today = day
    extract.extract(lake, source, [ticker], as_of=night(day), start=start, workers=1)
    transform.transform(lake)


def test_a_renamed_ticker_goes_on_under_its_new_name(lived, source):
    before = history.load(lived, "OLD")
    lifecycle.rename(lived, "OLD", "NEW", DAYS[7])
    transform.transform(lived)
    old, new = history.load(lived, "OLD"), history.load(lived, "NEW")
    assert old.bars.equals(before.bars)
    assert (old.retired, old.renamed_to) == (DAYS[7], "NEW")
    assert new.bars["session"].to_list() == [*DAYS[:5], DAYS[6]]
    assert new.bars["close"].to_list() == before.bars["close"].to_list()[:-1]
    assert new.retired is None
    assert verify.verify(lived, workers=1) == []
    source.asked.clear()
    fetch(lived, source, DAYS[8], "OLD")
    assert source.asked == []


def test_flags_and_gaps_move_along(lived):
    lifecycle.rename(lived, "OLD", "NEW", DAYS[7])
    transform.transform(lived)
    new = history.load(lived, "NEW")
    flagged = new.bars.filter(pl.col("flags") != "").select("session", "flags").rows()
    assert flagged == [(DAYS[4], "open_unknown")]
    assert new.gaps == (DAYS[5],)
    assert new.timezone == "America/New_York"


def test_flags_of_the_run_move_along(tmp_path):
    """What only the calendar can tell can't be told from the bars."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    saturday = DAYS[4] + timedelta(days=1)
    assert saturday.isoweekday() == 6

    class Weekend(Old):
        def fetch(self, *request) -> Fetched:
            found = super().fetch(*request)
            rows = pl.concat([found.bars, bars(bar(saturday, 54.5))]).sort("session")
            return Fetched(rows, found.listing)

    fetch(lake, Weekend(), DAYS[7], "OLD")
    lifecycle.rename(lake, "OLD", "NEW", DAYS[7])
    transform.transform(lake)
    held = history.load(lake, "NEW").bars
    assert held.filter(pl.col("session") == saturday)["flags"].to_list() == ["off_calendar"]


def test_splits_move_along(lived, source):
    lifecycle.rename(lived, "OLD", "NEW", DAYS[7])
    transform.transform(lived)
    assert history.load(lived, "NEW").splits == {SPLIT: 2.0}
    fetch(lived, source, DAYS[8], "NEW", start=DAYS[6])
    held = history.load(lived, "NEW")
    assert held.splits == {SPLIT: 2.0}
    assert held.bars["close"].min() >= 50.0


def test_what_the_new_name_holds_is_not_replaced(lived, source):
    fetch(lived, source, DAYS[8], "NEW", start=DAYS[6])
    held = history.load(lived, "NEW").bars
    lifecycle.rename(lived, "OLD", "NEW", DAYS[7])
    transform.transform(lived)
    new = history.load(lived, "NEW").bars
    assert new.filter(pl.col("session") >= DAYS[6])["close"].equals(held["close"])
    assert new["session"].to_list() == [*DAYS[:5], *DAYS[6:9]]


def test_retiring_changes_no_bar(tmp_path, source):
    """Even when the split was on the last day."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    source.today = SPLIT

    class Short(Old):
        def fetch(self, *request) -> Fetched:
            found = super().fetch(*request)
            return Fetched(found.bars.filter(pl.col("session") <= SPLIT), found.listing)

    extract.extract(lake, Short(), ["OLD"], as_of=night(SPLIT), start=DAYS[0], workers=1)
    transform.transform(lake)
    before = history.load(lake, "OLD")
    lifecycle.retire(lake, "OLD")
    transform.transform(lake)
    after = history.load(lake, "OLD")
    assert after.bars.equals(before.bars)
    assert after.splits == before.splits == {SPLIT: 2.0}
    assert after.retired == SPLIT
    assert verify.verify(lake, workers=1) == []


def test_a_retired_ticker_is_not_asked_for(lived, source):
    lifecycle.retire(lived, "OLD", DAYS[7])
    for _ in ("pending", "transformed"):
        source.asked.clear()
        extract.extract(lived, source, ["OLD"], as_of=night(DAYS[9]), workers=1)
        assert source.asked == []
        with pytest.raises(UsageError, match="was retired on"):
            lifecycle.retire(lived, "OLD")
        transform.transform(lived)
    assert manifests.pending_ids(lived.store) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("OLD", "OLD", DAYS[4]), "already has that name"),
        (("NOBODY", "NEW", DAYS[4]), "does not hold NOBODY"),
        (("OLD", "NEW", DAYS[0]), "has no bar before"),
    ],
)
def test_what_can_not_be_renamed(lived, arguments, words):
    with pytest.raises(UsageError, match=words):
        lifecycle.rename(lived, *arguments)
    assert manifests.pending_ids(lived.store) == []


def test_what_is_known_of_the_new_name_stays(tmp_path):
    """The source has told its name already; the old one's is older."""

    class Named(Old):
        def fetch(self, symbol: str, *request) -> Fetched:
            found = super().fetch(symbol, *request)
            name = {"OLD": "Facebook", "NEW": "Meta"}[symbol]
            return Fetched(found.bars, Listing(name=name, currency="USD"))

    for is_held in (True, False):
        lake = new_lake(str(tmp_path / f"lake {is_held}"), "month")
        fetch(lake, Named(), DAYS[7], "OLD")
        if is_held:
            fetch(lake, Named(), DAYS[8], "NEW", start=DAYS[6])
        lifecycle.rename(lake, "OLD", "NEW", DAYS[7])
        transform.transform(lake)
        assert history.load(lake, "NEW").listing.name == ("Meta" if is_held else "Facebook")


@pytest.mark.parametrize(("old", "new"), [(7, 8), (8, 7), (7, 7), (11, 6)])
def test_a_rename_comes_after_all_that_it_builds_on(tmp_path, source, old, new):
    """Whichever of the two was fetched later."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    for day, ticker in sorted([(old, "OLD"), (new, "NEW")]):
        fetch(lake, source, DAYS[day], ticker, start=DAYS[0] if ticker == "OLD" else DAYS[6])
    before = {ticker: history.load(lake, ticker) for ticker in ("OLD", "NEW")}
    run = lifecycle.rename(lake, "OLD", "NEW", DAYS[6])
    assert all(run.order > each.last for each in before.values())
    report = transform.transform(lake)
    assert report.exit_code == 0
    retired = history.load(lake, "OLD")
    assert (retired.retired, retired.renamed_to) == (DAYS[6], "NEW")
    assert retired.bars.equals(before["OLD"].bars)
    assert history.load(lake, "NEW").bars["session"][0] == DAYS[0]
    assert verify.verify(lake, workers=1) == []


def said(run: Manifest, ticker: str) -> dict[str, object]:
    """What a run says of a ticker, but for the names of blobs and what is as it always is."""
    return run.tickers[ticker].model_dump(exclude={"blobs"}, exclude_defaults=True)


@pytest.mark.parametrize(("day", "on"), [(None, DAYS[7]), (DAYS[9], DAYS[9])])
def test_a_retirement_says_nothing_but_that(lived, day, on):
    run = lifecycle.retire(lived, "OLD", day)
    assert run.source == "tickerlake"
    assert run.tickers.keys() == {"OLD"}
    assert said(run, "OLD") == {
        "outcome": "ok",
        "start": DAYS[7],
        "end": DAYS[7],
        "splits": {},
        "retired": on,
    }


@pytest.mark.parametrize(
    ("first_day", "last", "gaps"),
    [
        (DAYS[7], DAYS[6], {"gaps": (DAYS[5],)}),
        (DAYS[6], DAYS[4], {"gaps": (DAYS[5],)}),
        (DAYS[5], DAYS[4], {}),
    ],
)
def test_a_rename_hands_over_what_was_before_it(lived, first_day, last, gaps):
    before = history.load(lived, "OLD").bars
    run = lifecycle.rename(lived, "OLD", "NEW", first_day)
    moved = before.filter(pl.col("session") < first_day)
    assert said(run, "NEW") == {
        "outcome": "ok",
        "reason": "renamed from OLD",
        "start": DAYS[0],
        "end": last,
        "new": moved.height,
        "splits": {SPLIT: 2.0},
        **gaps,
        "flags": ({"session": DAYS[4], "name": "open_unknown"},),
        "timezone": "America/New_York",
        "listing": {"timezone": "America/New_York"},
        "renamed_from": "OLD",
    }
    assert blobs.read(lived, "NEW", run.tickers["NEW"]).equals(moved.select(RAW.keys()))
    assert said(run, "OLD") == {
        "outcome": "ok",
        "start": DAYS[7],
        "end": DAYS[7],
        "splits": {},
        "retired": first_day,
        "renamed_to": "NEW",
    }
