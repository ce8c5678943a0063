"""Days are those of the exchange, wherever it is: Sydney's morning is New York's evening before."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from helpers import bar, bars

from tickerlake.lake import Lake, history, manifests
from tickerlake.market import calendars
from tickerlake.sources import Fetched, Listing
from tickerlake.stages import extract

SETTLED = timedelta(minutes=30)

BELLS = {
    "AAPL": ("America/New_York", "2026-02-04T21:00", "2026-07-08T20:00"),
    "QAN.AX": ("Australia/Sydney", "2026-02-04T05:00", "2026-07-08T06:00"),
    "AIR.NZ": ("Pacific/Auckland", "2026-02-04T03:45", "2026-07-08T04:45"),
    "7203.T": ("Asia/Tokyo", "2026-02-04T06:30", "2026-07-08T06:30"),
    "RELIANCE.NS": ("Asia/Kolkata", "2026-02-04T10:00", "2026-07-08T10:00"),
    "VOD.L": ("Europe/London", "2026-02-04T16:30", "2026-07-08T15:30"),
    "PETR4.SA": ("America/Sao_Paulo", "2026-02-04T21:00", "2026-07-08T21:00"),
    "CL=F": ("America/New_York", "2026-02-04T23:00", "2026-07-08T22:00"),
    "EURUSD=X": ("Europe/London", "2026-02-05T00:00", "2026-07-09T00:00"),
    "BTC-USD": ("UTC", "2026-02-05T00:00", "2026-07-09T00:00"),
    "QNBK.QA": ("Asia/Qatar", "2026-02-04T15:00", "2026-07-08T15:00"),
}
"""The zone in which bars are dated, and when (UTC) the sessions of two Wednesdays end. Qatar has no
calendar: there a day is over at 18:00."""

ENDS = [
    (ticker, date.fromisoformat(day), datetime.fromisoformat(bell).replace(tzinfo=UTC))
    for ticker, (_, *bells) in BELLS.items()
    for day, bell in zip(("2026-02-04", "2026-07-08"), bells, strict=True)
]


class Everywhere:
    """Serves a bar of every day up to the exchange's today, as Yahoo does while it is open."""

    name = "everywhere"

    def __init__(self, ticker: str, moment: datetime) -> None:
        self.zone = ZoneInfo(BELLS[ticker][0])
        self.moment = moment

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        today = self.moment.astimezone(self.zone).date()
        days = [start + timedelta(n) for n in range((min(end, today) - start).days + 1)]
        sessions = set(calendars.of(symbol).sessions(start, self.moment + timedelta(days=2)))
        rows = [bar(day, 100.0 + day.day) for day in days if day in sessions]
        return Fetched(bars(*rows), Listing(timezone=str(self.zone)))


def stored(lake: Lake, ticker: str, moment: datetime, end: date | None = None) -> list[date]:
    """The sessions that a new lake holds after an extraction."""
    extract.extract(
        lake, Everywhere(ticker, moment), [ticker], as_of=moment, end=end, workers=1,
        start=moment.date() - timedelta(days=9),
    )  # fmt: skip
    return history.current(lake, ticker, manifests.pending(lake)).bars["session"].to_list()


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("ticker", "day", "bell"), ENDS, ids=str)
def test_an_open_session_is_not_stored_and_a_closed_one_is(lake, ticker, day, bell, explicit):
    settled = bell if ticker == "QNBK.QA" else bell + SETTLED - timedelta(minutes=1)
    end = day if explicit else None
    assert stored(lake, ticker, settled, end)[-1] < day
    assert stored(lake, ticker, bell + SETTLED, end)[-1] == day


@pytest.mark.parametrize("ticker", ["QAN.AX", "AIR.NZ", "7203.T"])
def test_the_morning_of_the_far_east_is_not_stored(lake, ticker):
    """At 23:50 UTC it is tomorrow there, and the session of tomorrow is open."""
    for hour, minute in ((22, 30), (23, 50)):
        moment = datetime(2026, 2, 3, hour, minute, tzinfo=UTC)
        for end in (None, date(2026, 2, 4)):
            assert stored(lake, ticker, moment, end)[-1] == date(2026, 2, 3)


@pytest.mark.parametrize("ticker", BELLS)
def test_an_explicit_window_holds_its_days_and_no_others(lake, ticker):
    moment = datetime(2026, 2, 20, 23, 59, tzinfo=UTC)
    source = Everywhere(ticker, moment)
    first, last = date(2026, 2, 3), date(2026, 2, 11)
    extract.extract(lake, source, [ticker], as_of=moment, start=first, end=last, workers=1)
    held = history.current(lake, ticker, manifests.pending(lake))
    days = held.bars["session"].to_list()
    holidays = {"7203.T": date(2026, 2, 11), "AIR.NZ": date(2026, 2, 6)}
    weekdays = [first + timedelta(n) for n in range(9)]
    works = {"BTC-USD": range(1, 8), "QNBK.QA": (7, 1, 2, 3, 4)}.get(ticker, range(1, 6))
    expected = [day for day in weekdays if day.isoweekday() in works]
    assert days == [day for day in expected if day != holidays.get(ticker)]
    assert held.gaps == ()


@pytest.mark.parametrize("ticker", [*BELLS])
def test_a_window_that_ends_early_knows_no_gaps_after_it(lake, ticker):
    """Nothing was said of the days after the window, so nothing is missing there."""
    moment = datetime(2026, 2, 20, 23, 59, tzinfo=UTC)
    first, hole, last = date(2026, 2, 2), date(2026, 2, 4), date(2026, 2, 6)

    class Holed(Everywhere):
        def fetch(self, *request: object) -> Fetched:
            found = super().fetch(*request)
            return Fetched(found.bars.filter(pl.col("session") != hole), found.listing)

    source = Holed(ticker, moment)
    extract.extract(lake, source, [ticker], as_of=moment, start=first, end=last, workers=1)
    held = history.current(lake, ticker, manifests.pending(lake))
    known = calendars.of(ticker).known is not None
    assert held.gaps == ((hole,) if known else ())
