"""A Yahoo chart: the dates of its bars, what it says about the ticker, what yfinance gets of it.

Yahoo dates bars and events with a moment in seconds since 1970. The session is the date of that
moment at the exchange, in the zone that the chart itself names.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeGuard
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tickerlake.errors import SourceFailedError
from tickerlake.market.bars import PRICES
from tickerlake.market.listing import Listing

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MOMENT: Final = 1e11
"""Seconds since 1970, in the year 5138: anything beyond is not a moment."""

UNKNOWN_VOLUME: Final = -(2**62)
"""What yfinance gets, and returns, for a volume that is null: it would turn null into 0."""

_VALUES: Final = (*PRICES, "volume")


class Chart:
    """The element of `chart.result` of one answer.

    Attributes:
        meta: what the chart says about the ticker.
        zone: the exchange's time zone.
        currency: what prices are quoted in; None when the chart does not say.
    """

    def __init__(self, symbol: str, result: Mapping[str, Any], timezone: str) -> None:
        """Take an answer.

        Args:
            symbol: for messages.
            result: what `answers.read_chart` returned.
            timezone: of the exchange, for a chart that names none.

        Raises:
            SourceFailedError: the chart's zone does not exist.
        """
        self.meta: Mapping[str, Any] = result.get("meta") or {}
        self._result = result
        name = self.meta.get("exchangeTimezoneName") or timezone
        try:
            self.zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, TypeError) as error:
            raise SourceFailedError(
                f"{symbol}: Yahoo dates its bars in {name!r}, which is not a known time zone"
            ) from error
        self.currency = self._text("currency")

    def date_of(self, timestamp: float) -> date:
        """Return the session at the exchange that a bar or an event belongs to.

        Daily bars begin at midnight or at the opening bell. Sometimes Yahoo gets daylight saving
        time wrong, and gives 22:00 or 23:00 of the day before instead of midnight. Only the newest
        bar is dated by its last trade, which may well be at 22:00.
        """
        local = (_EPOCH + timedelta(seconds=timestamp)).astimezone(self.zone)
        is_midnight = local.hour >= 22 and local.minute == local.second == 0  # noqa: PLR2004
        if is_midnight and timestamp != self.meta.get("regularMarketTime"):
            local = local.replace(tzinfo=None) + timedelta(hours=2)
        return local.date()

    @cached_property
    def sessions(self) -> list[date]:
        """The sessions of the rows; the newest one may be there twice."""
        return [self.date_of(timestamp) for timestamp in self._result.get("timestamp") or ()]

    def events(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the events of a kind: `dividends`, `capitalGains` or `splits`."""
        return list(((self._result.get("events") or {}).get(kind) or {}).values())

    @cached_property
    def columns(self) -> dict[str, Sequence[float | None]]:
        """Prices and volume by name, one value per row; empty when the chart has no values."""
        quotes = (self._result.get("indicators") or {}).get("quote") or [{}]
        found = {name: (quotes[0] or {}).get(name) for name in _VALUES}
        if not self.sessions or not any(found.values()):
            return {}
        return {name: values or [None] * len(self.sessions) for name, values in found.items()}

    def for_yfinance(self) -> dict[str, Any]:
        """Return the answer from which yfinance makes a frame of bars.

        yfinance handles events slowly, and the result is not used; its dating fails on live bars at
        22:00 and on a missing currency. So it only gets prices and volumes, each dated by noon
        (UTC) of its session.
        """
        rows = self._useful_rows()
        return {
            "meta": {"currency": None, "instrumentType": "", "exchangeTimezoneName": "UTC"},
            "timestamp": [
                int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
                for day in (self.sessions[row] for row in rows)
            ],
            "indicators": {
                "quote": [{name: self._take(name, rows) for name in _VALUES}],
            },
        }

    def _take(self, name: str, rows: list[int]) -> list[float | None]:
        unknown = UNKNOWN_VOLUME if name == "volume" else None
        values = (self.columns[name][row] for row in rows)
        return [unknown if value is None else value for value in values]

    def _useful_rows(self) -> list[int]:
        """Return the numbers of the rows, without empty rows for sessions that have another one.

        Of two rows of the newest session, yfinance keeps the last one, which may be empty.
        """
        closes = self.columns["close"]
        if any(len(values) != len(self.sessions) for values in self.columns.values()):
            raise ValueError("timestamps and values differ in number")
        known = {day for day, close in zip(self.sessions, closes, strict=True) if close is not None}
        return [
            row
            for row, (day, close) in enumerate(zip(self.sessions, closes, strict=True))
            if close is not None or day not in known
        ]

    def listing(self) -> Listing:
        """Return what the chart says about the ticker."""
        first = self._timestamp("firstTradeDate")
        return Listing(
            name=self._text("longName", "shortName"),
            exchange=self._text("fullExchangeName", "exchangeName"),
            instrument_type=self._text("instrumentType"),
            currency=self.currency,
            timezone=self._text("exchangeTimezoneName"),
            first_trade_date=None if first is None else self.date_of(first),
        )

    @property
    def last_trade(self) -> datetime | None:
        """The moment of the newest price."""
        timestamp = self._timestamp("regularMarketTime")
        return None if timestamp is None else _EPOCH + timedelta(seconds=timestamp)

    @property
    def current_period(self) -> tuple[date, datetime] | None:
        """The session that Yahoo calls current, and the moment at which it ends."""
        periods = self.meta.get("currentTradingPeriod") or {}
        regular = periods.get("regular") or {}
        start, end = regular.get("start"), regular.get("end")
        if not _is_moment(start) or not _is_moment(end):
            return None
        return self.date_of(start), _EPOCH + timedelta(seconds=end)

    @property
    def previous_close(self) -> float | None:
        """The close before the window that was asked for, unrounded; 0 stands for unknown."""
        close = self.meta.get("chartPreviousClose")
        return float(close) if _is_number(close) and close else None

    def _text(self, *names: str) -> str | None:
        """Return the first of the fields that says something."""
        values = (self.meta.get(name) for name in names)
        return next((text for value in values if value and (text := str(value).strip())), None)

    def _timestamp(self, name: str) -> float | None:
        value = self.meta.get(name)
        return value if _is_moment(value) else None


def _is_moment(value: object) -> TypeGuard[float]:
    return _is_number(value) and abs(value) < _LAST_MOMENT


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
