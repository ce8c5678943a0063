"""Which sessions an exchange had, and which of them had closed at a moment.

A thin layer over `exchange_calendars` that answers in frames. Outside the days that a calendar
knows, the answer is not "no session" but "unknown": every weekday may be one.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from tickerlake.market import exchanges
from tickerlake.market.exchanges import Place

SETTLE: Final = timedelta(minutes=30)
"""A session counts as closed this long after the bell: Yahoo's quotes lag by up to 20 minutes."""

ENDS_SOON: Final = timedelta(days=60)
"""How long before a calendar ends the user is warned."""

_WEEK: Final = timedelta(days=7)
_UNKNOWN_CLOSE: Final = time(18)
"""Local time at which a session counts as closed where no calendar says."""

_GUESSED_ZONE: Final = "America/New_York"
_FIRST: Final = {"XNYS": "1927-01-03"}
_DEFAULT_FIRST: Final = "1970-01-01"
"""Without this bound, a calendar could reach back into years whose holidays it does not know."""

_SCHEDULE: Final[dict[str, pl.DataType]] = {
    "session": pl.Date(),
    "closed": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True)
class Exchange:
    """An exchange and its sessions.

    Attributes:
        name: the calendar's name in `exchange_calendars`; '' when there is none.
        timezone: the zone in which bars are dated.
        schedule: the sessions that the calendar knows, one row each: `session` (Date) and `closed`
            (Datetime, UTC: the close, and `SETTLE`).
        weekdays: ISO days of the week that may be sessions where the calendar knows nothing.
        ends: the last day that the calendar knows; None when it has no end.
        zone_is_guessed: the time zone is not known until the source has been asked.
    """

    name: str
    timezone: str
    schedule: pl.DataFrame
    weekdays: frozenset[int]
    ends: date | None = None
    zone_is_guessed: bool = False

    @cached_property
    def known(self) -> tuple[date, date] | None:
        """The first and the last day that the calendar knows; None when it knows none."""
        sessions = self.schedule["session"]
        return None if sessions.is_empty() else (sessions[0], self.ends or sessions[-1])

    def sessions(self, start: date, as_of: datetime) -> pl.Series:
        """Return the days on or after `start` that may have been sessions closed by `as_of`.

        Where the calendar knows, these are its sessions; elsewhere, the weekdays.
        """
        closed = pl.col("closed") <= as_of
        known = self.schedule.filter(pl.col("session") >= start, closed)["session"]
        possible = self._possible(start, as_of)
        return known if possible.is_empty() else pl.concat([known, possible]).sort()

    def expected(self, start: date, end: date) -> pl.Series:
        """Return the sessions in [start, end] that must have a bar, as far as the calendar knows.

        On New York holidays, futures may or may not have a bar; the same is true of currencies on
        New Year's Day and Christmas Day.
        """
        sessions = self.schedule["session"]
        inside = sessions.filter(sessions.is_between(start, end))
        if self.name == "us_futures":
            return inside.filter(inside.is_in(_load("XNYS").schedule["session"].implode()))
        if self.name == "24/5":
            return inside.filter(~inside.dt.strftime("%m-%d").is_in(["01-01", "12-25"]))
        return inside

    def denies(self) -> pl.Expr:
        """Return whether the column `session` is known not to be a session."""
        session = pl.col("session")
        weekend = ~session.dt.weekday().is_in(list(self.weekdays))
        if self.known is None:
            return weekend
        is_session = session.is_in(self.schedule["session"].implode())
        return ~is_session & (session.is_between(*self.known) | weekend)

    def ends_soon(self, as_of: datetime) -> bool:
        """Return whether the calendar ends soon after a moment, or has ended."""
        return self.ends is not None and self.ends - as_of.date() <= ENDS_SOON

    def _possible(self, start: date, as_of: datetime) -> pl.Series:
        zone = ZoneInfo(self.timezone)
        now = (as_of - SETTLE).astimezone(zone)
        last = now.date() if now.time() >= _UNKNOWN_CLOSE else now.date() - timedelta(days=1)
        if self.known is not None and start >= self.known[0] and last <= self.known[1]:
            return pl.Series("session", [], pl.Date)
        days = pl.date_range(start, last, eager=True).alias("session")
        days = days.filter(days.dt.weekday().is_in(list(self.weekdays)))
        return days if self.known is None else days.filter(~days.is_between(*self.known))


def exchange(symbol: str) -> str | None:
    """Return the name of a symbol's calendar; None when there is none, or none is known."""
    found = exchanges.place(symbol)
    return found.calendar if found else None


def of(symbol: str, timezone: str | None = None) -> Exchange:
    """Return the exchange of a valid symbol.

    Args:
        symbol: as Yahoo spells it.
        timezone: what the source said about the exchange's zone, if it has been asked: it decides
            for indices that are not in a table.
    """
    found = exchanges.place(symbol, timezone)
    if found is None:
        raise ValueError(f"{symbol!r} was not validated")
    return _load(found.calendar) if found.calendar else _without_calendar(found)


def contradicts(exchange: Exchange, timezone: str | None) -> bool:
    """Return whether a time zone that a source states differs from the exchange's.

    Names may differ (`Asia/Calcutta`); what counts is the time of day, in winter and in summer.
    """
    if timezone is None or timezone == exchange.timezone:
        return False
    stated, known = ZoneInfo(timezone), ZoneInfo(exchange.timezone)
    moments = (datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12))  # noqa: DTZ001 - local times
    return any(
        moment.replace(tzinfo=stated).utcoffset() != moment.replace(tzinfo=known).utcoffset()
        for moment in moments
    )


def _without_calendar(place: Place) -> Exchange:
    return Exchange(
        name="",
        timezone=place.timezone or _GUESSED_ZONE,
        schedule=pl.DataFrame(schema=_SCHEDULE),
        weekdays=place.weekdays,
        zone_is_guessed=place.timezone is None,
    )


@cache
def _load(name: str) -> Exchange:
    import exchange_calendars
    import pandas as pd

    factory = exchange_calendars.calendar_utils.global_calendar_dispatcher._calendar_factories  # noqa: SLF001 - only the class knows its bounds
    bounds = factory[exchange_calendars.resolve_alias(name)]
    first = bounds.bound_min() or pd.Timestamp(_FIRST.get(name, _DEFAULT_FIRST))
    calendar = exchange_calendars.get_calendar(name, start=first)
    bound = bounds.bound_max()
    last = calendar.sessions[-1].date()
    closes = pl.Series(calendar.closes.dt.tz_localize(None).to_numpy())
    schedule = pl.DataFrame(
        {
            "session": pl.Series(calendar.sessions.to_numpy()).cast(pl.Date),
            "closed": closes.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + SETTLE,
        }
    )
    return Exchange(
        name=name,
        timezone=exchanges.BAR_ZONES.get(name, str(calendar.tz)),
        schedule=schedule,
        weekdays=frozenset(range(1, 8)) if name == "24/7" else exchanges.WEEKDAYS,
        ends=bound.date() if bound is not None and bound.date() <= last + _WEEK else None,
    )
