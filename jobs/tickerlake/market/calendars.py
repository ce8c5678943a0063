"""Which sessions an exchange had, and which of them had closed at a moment.

A thin layer over `exchange_calendars`. Outside the days that a calendar knows, the answer is not
"no session" but "unknown": every weekday may be one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tickerlake.market import calendar_cache, exchanges
from tickerlake.market.exchanges import Place

if TYPE_CHECKING:
    import polars as pl

    from tickerlake.market.days import Days, Mask

SETTLE: Final = timedelta(minutes=30)
"""A session counts as closed this long after the bell: Yahoo's quotes lag by up to 20 minutes."""

ENDS_SOON: Final = timedelta(days=60)
"""How long before a calendar ends the user is warned."""

_UNKNOWN_CLOSE: Final = time(18)
"""Local time at which a session counts as closed where no calendar says."""

_GUESSED_ZONE: Final = "America/New_York"


@dataclass(frozen=True)
class Exchange:
    """An exchange and its sessions.

    Attributes:
        name: the calendar's name in `exchange_calendars`; '' when there is none.
        timezone: the zone in which bars are dated.
        days: the sessions that the calendar knows, ascending, as ordinals (`date.toordinal`).
        closes: the closing bell of each of them, in seconds since 1970.
        weekdays: ISO days of the week that may be sessions where the calendar knows nothing.
        ends: the last day that the calendar knows; None when it has no end.
        zone_is_guessed: the time zone is not known until the source has been asked.
    """

    name: str
    timezone: str
    days: Sequence[int]
    closes: Sequence[int]
    weekdays: frozenset[int]
    ends: date | None = None
    zone_is_guessed: bool = False

    @cached_property
    def known(self) -> tuple[date, date] | None:
        """The first and the last day that the calendar knows; None when it knows none."""
        if not self.days:
            return None
        return date.fromordinal(self.days[0]), self.ends or date.fromordinal(self.days[-1])

    @cached_property
    def schedule(self) -> "pl.DataFrame":
        """The sessions that the calendar knows, one row each.

        Columns `session` (Date) and `closed` (Datetime, UTC: the close, and `SETTLE`).
        """
        import polars as pl

        closed = pl.from_epoch(pl.Series(self.closes, dtype=pl.Int64), "s") + SETTLE
        return pl.DataFrame(
            {
                "session": pl.Series(self.dates),
                "closed": closed.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            }
        )

    def sessions(self, start: date, as_of: datetime) -> "pl.Series":
        """Return the days on or after `start` that may have been sessions closed by `as_of`.

        Where the calendar knows, these are its sessions; elsewhere, the weekdays.
        """
        import polars as pl

        from tickerlake.market import days

        return pl.Series("session", days.from_ordinals(self._closed(start, as_of)))

    def last_closed(self, start: date, as_of: datetime, before: date = date.max) -> date | None:
        """Return the newest of `sessions` before a day; None when there is none."""
        days = self._closed(start, as_of)
        number = bisect_left(days, before.toordinal())
        return date.fromordinal(days[number - 1]) if number else None

    def expected(self, start: date, end: date) -> "Days":
        """Return the sessions in [start, end] that must have a bar, as far as the calendar knows.

        On New York holidays, futures may or may not have a bar; the same is true of currencies on
        New Year's Day and Christmas Day.
        """
        from tickerlake.market import days

        first = bisect_left(self.days, start.toordinal())
        stop = bisect_right(self.days, end.toordinal())
        inside = self.dates[first : max(first, stop)]
        if self.name == "us_futures":
            return inside[days.find(inside, _load("XNYS").dates)[0]]
        if self.name == "24/5":
            return inside[[f"{day:%m-%d}" not in ("01-01", "12-25") for day in inside.tolist()]]
        return inside

    def denied(self, sessions: "Days") -> "Mask":
        """Return which days are known not to be sessions."""
        import numpy as np

        from tickerlake.market import days

        is_session, _ = days.find(sessions, self.dates)
        if is_session.all():
            return ~is_session
        weekend = ~np.isin(days.weekdays(sessions), list(self.weekdays))
        if self.known is None:
            return weekend
        first, last = (np.datetime64(day) for day in self.known)
        is_known = (sessions >= first) & (sessions <= last)
        return ~is_session & (is_known | weekend)

    def ends_soon(self, as_of: datetime) -> bool:
        """Return whether the calendar ends soon after a moment, or has ended."""
        return self.ends is not None and self.ends - as_of.date() <= ENDS_SOON

    @cached_property
    def dates(self) -> "Days":
        """The sessions that the calendar knows."""
        from tickerlake.market import days

        return days.from_ordinals(self.days)

    def _closed(self, start: date, as_of: datetime) -> Sequence[int]:
        """Return the ordinals of `sessions`."""
        first = bisect_left(self.days, start.toordinal())
        known = self.days[first : bisect_right(self.closes, (as_of - SETTLE).timestamp())]
        possible = self._possible(start, as_of)
        return sorted([*known, *possible]) if possible else known

    def _possible(self, start: date, as_of: datetime) -> list[int]:
        """Return the ordinals of weekdays of which the calendar knows nothing."""
        zone = ZoneInfo(self.timezone)
        now = (as_of - SETTLE).astimezone(zone)
        last = now.date() if now.time() >= _UNKNOWN_CLOSE else now.date() - timedelta(days=1)
        if self.known is not None and start >= self.known[0] and last <= self.known[1]:
            return []
        first, end = (day.toordinal() for day in self.known or (date.max, date.min))
        return [
            day
            for day in range(start.toordinal(), last.toordinal() + 1)
            if not first <= day <= end and (day - 1) % 7 + 1 in self.weekdays
        ]


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
        days=(),
        closes=(),
        weekdays=place.weekdays,
        zone_is_guessed=place.timezone is None,
    )


@cache
def _load(name: str) -> Exchange:
    table = calendar_cache.load(name)
    return Exchange(
        name=name,
        timezone=exchanges.BAR_ZONES.get(name, table.timezone),
        days=table.sessions,
        closes=table.closes,
        weekdays=frozenset(range(1, 8)) if name == "24/7" else exchanges.WEEKDAYS,
        ends=date.fromordinal(table.ends) if table.ends is not None else None,
    )
