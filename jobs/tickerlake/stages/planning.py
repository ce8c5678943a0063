"""Which sessions of a ticker an extraction asks for; none when nothing is due.

This module must load without Polars: most of the tickers of most runs need nothing else.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from tickerlake.lake import Lake
from tickerlake.lake.index import Known
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.market import calendars
from tickerlake.market.calendars import Exchange
from tickerlake.sources import Source

BACKFILL: Final = timedelta(days=2 * 365)
"""How far back the first extraction of a ticker reaches, unless a start is given."""

REREAD_SESSIONS: Final = 5
"""A fetch that is due also re-reads this many sessions up to the newest held: Yahoo revises volume
for about a day."""

GAP_LOOKBACK: Final = timedelta(days=365)
"""A fetch that is due also asks for sessions missing for up to this long."""

EVENT_LOOKBACK: Final = timedelta(days=365)
"""A fetch that is due also compares the events of this period: they are corrected late."""


@dataclass(frozen=True)
class Request:
    """What the tickers of one run have in common.

    Attributes:
        lake: where the bars go.
        source: where they come from.
        pending: the manifests that the transformer has yet to process.
        as_of: the moment (UTC) of the run.
        start: how far back the lake should reach; with `end`, the first session to fetch.
        end: the last session to fetch; None brings the lake up to date.
        is_repair: whether to bring in what was lost, even of tickers that are retired.
    """

    lake: Lake
    source: Source
    pending: Sequence[Manifest]
    as_of: datetime
    start: date | None
    end: date | None
    is_repair: bool = False


@dataclass(frozen=True)
class Window:
    """The sessions to bring in: [start, end].

    A fetch always reaches to the present day, so that every split that the prices are adjusted for
    is announced in the same answer.

    Attributes:
        start: from here on, bars are compared with those held.
        end: the last session to bring in.
        asked_from: the first session of the request: before `start` only events are compared.
        note: how the window differs from the one that was asked for; '' when it does not.
    """

    start: date
    end: date
    asked_from: date
    note: str = ""


def plan_nothing(request: Request, ticker: str, known: Known) -> Entry | None:
    """Return the entry of a ticker for which nothing is due; None when something is."""
    if known.retired and not request.is_repair:
        return Entry(outcome="empty", reason=f"retired on {known.retired}")
    exchange = calendars.of(ticker, known.timezone)
    if plan(known, exchange, request.as_of, request.start, request.end) is None:
        return Entry(outcome="empty", reason="up to date")
    return None


def plan(
    known: Known, exchange: Exchange, as_of: datetime, start: date | None, end: date | None
) -> Window | None:
    """Return the window to fetch; None when the ticker is up to date.

    Args:
        known: what is held of the ticker.
        exchange: where it is traded.
        as_of: the moment of the run.
        start: how far back the lake should reach; with `end`, the first session to fetch.
        end: the last session to fetch; None brings the ticker up to date.
    """
    wanted = start or (as_of - BACKFILL).date()
    if end is not None:
        return _explicit(known, wanted, end)
    if known.first is None or known.last is None:
        newest = exchange.last_closed(wanted, as_of)
        return None if newest is None else Window(wanted, newest, wanted)
    if start is not None and start < min(known.first, known.since or date.max):
        newest = exchange.last_closed(known.last, as_of)
        return Window(start, max(known.last, newest or date.min), start)
    return _update(known, known.first, known.last, exchange, as_of)


def _update(
    known: Known, first: date, last: date, exchange: Exchange, as_of: datetime
) -> Window | None:
    """Return the window of a ticker that is held from a first to a last session.

    It is due when a session has closed after the newest one held. Only then are gaps asked for
    again and the last sessions re-read, so that a lasting gap costs no requests of its own.
    """
    end = exchange.last_closed(last + timedelta(days=1), as_of)
    if end is None:
        return None
    if known.is_rebased:
        return Window(first, end, first)  # the source's own numbers on the new basis
    recent = [day for day in known.gaps if day >= end - GAP_LOOKBACK]
    start = min([*recent, _reread_from(exchange, last)])
    asked_from = min(start, max(first, end - EVENT_LOOKBACK))
    return Window(start, end, asked_from)


def _reread_from(exchange: Exchange, newest: date) -> date:
    """Return the first of the last sessions, by the calendar: the first bars may be missing."""
    number = bisect_right(exchange.days, newest.toordinal()) - REREAD_SESSIONS
    if number >= 0 and (exchange.ends is None or newest <= exchange.ends):
        return date.fromordinal(exchange.days[number])
    return newest - timedelta(days=REREAD_SESSIONS * 7 // 5)


def _explicit(known: Known, start: date, end: date) -> Window:
    """Return the window [start, end], widened until it touches what is held."""
    if known.first is None or known.last is None:
        return Window(start, end, start)
    wide_start, wide_end = min(start, known.last), max(end, known.first)
    if wide_start - start == wide_end - end == timedelta():
        return Window(start, end, start)
    note = f"widened to {wide_start} - {wide_end}, so that no hole is left"
    return Window(wide_start, wide_end, wide_start, note)
