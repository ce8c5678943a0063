"""Which sessions of a ticker an extraction asks for."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from tickerlake.lake.fold import History
from tickerlake.market.calendars import Exchange

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


def plan(
    held: History, exchange: Exchange, as_of: datetime, start: date | None, end: date | None
) -> Window | None:
    """Return the window to fetch; None when the ticker is up to date.

    Args:
        held: what is held of the ticker.
        exchange: where it is traded.
        as_of: the moment of the run.
        start: how far back the lake should reach; with `end`, the first session to fetch.
        end: the last session to fetch; None brings the ticker up to date.
    """
    first = start or (as_of - BACKFILL).date()
    if end is not None:
        return _explicit(held, first, end)
    if held.bars.is_empty():
        sessions = exchange.sessions(first, as_of)
        return None if sessions.is_empty() else Window(first, sessions[-1], first)
    sessions = held.bars["session"]
    if start is not None and start < min(sessions[0], held.since or date.max):
        last = exchange.sessions(sessions[-1], as_of)
        return Window(start, max(sessions[-1], *last.tail(1)), start)
    return _update(held, exchange, as_of)


def _update(held: History, exchange: Exchange, as_of: datetime) -> Window | None:
    """Return the window of a ticker that is held.

    It is due when a session has closed after the newest one held. Only then are gaps asked for
    again and the last sessions re-read, so that a lasting gap costs no requests of its own.
    """
    sessions = held.bars["session"]
    newer = exchange.sessions(sessions[-1] + timedelta(days=1), as_of)
    if newer.is_empty():
        return None
    end = newer[-1]
    if (held.bars["basis_factor"] != 1.0).any():
        return Window(sessions[0], end, sessions[0])  # the source's own numbers on the new basis
    recent = [day for day in held.gaps if day >= end - GAP_LOOKBACK]
    start = min([*recent, *_last(exchange, sessions[-1])])
    asked_from = min(start, max(sessions[0], end - EVENT_LOOKBACK))
    return Window(start, end, asked_from)


def _last(exchange: Exchange, newest: date) -> pl.Series:
    """Return the last sessions up to a day, by the calendar: the first bars may be missing."""
    known = exchange.schedule["session"]
    known = known.filter(known <= newest)
    if len(known) >= REREAD_SESSIONS and (exchange.ends is None or newest <= exchange.ends):
        return known.tail(REREAD_SESSIONS)
    return pl.Series([newest - timedelta(days=REREAD_SESSIONS * 7 // 5)])


def _explicit(held: History, start: date, end: date) -> Window:
    """Return the window [start, end], widened until it touches what is held."""
    if held.bars.is_empty():
        return Window(start, end, start)
    first, last = held.bars["session"][0], held.bars["session"][-1]
    wide_start, wide_end = min(start, last), max(end, first)
    if wide_start - start == wide_end - end == timedelta():
        return Window(start, end, start)
    note = f"widened to {wide_start} - {wide_end}, so that no hole is left"
    return Window(wide_start, wide_end, wide_start, note)
