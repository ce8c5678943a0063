"""What callers may pass, and what is made of it."""

import difflib
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from typing import Final

from tickerlake.errors import BadSettingError, UsageError
from tickerlake.lake import frames
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.market import symbols
from tickerlake.settings import Shard

Tickers = str | Iterable[str]
Day = date | str

_NAMED: Final = 5


def names(tickers: Tickers | None) -> tuple[str, ...] | None:
    """Return tickers in our spelling; None is all.

    Raises:
        BadSymbolError, BadSettingError: one is malformed, or no text.
    """
    if tickers is None:
        return None
    given = [tickers] if isinstance(tickers, str) else list(tickers)
    for each in given:
        if not isinstance(each, str):
            raise BadSettingError(f"{each!r} is not a ticker such as 'AAPL'")
    return tuple(symbols.parse(given))


def one(ticker: str) -> str:
    """Return a ticker in our spelling.

    Raises:
        BadSymbolError, BadSettingError: it is malformed, or no text.
    """
    [found] = names([ticker]) or ()
    return found


def day(value: Day | None) -> date | None:
    """Return a session's date.

    Raises:
        BadSettingError: it is none.
    """
    match value:
        case datetime():
            return value.date()
        case None | date():
            return value
        case _:
            try:
                return date.fromisoformat(value)
            except (ValueError, TypeError) as error:
                raise BadSettingError(f"{value!r} is not a date such as 2013-03-01") from error


def days(start: Day | None, end: Day | None) -> tuple[date | None, date | None]:
    """Return a first and a last session.

    Raises:
        BadSettingError: one is not a date, or they are in the wrong order.
    """
    first, last = day(start), day(end)
    if first and last and first > last:
        raise BadSettingError(f"start {first} is after end {last}")
    return first, last


def share(text: str) -> Shard:
    """Return a share of the tickers.

    Raises:
        BadSettingError: it is none.
    """
    if not isinstance(text, str):
        raise BadSettingError(f"{text!r} is not a share such as '3/8', the third of eight")
    return Shard.parse(text)


def moment(value: datetime | None) -> datetime | None:
    """Return a moment in UTC, which it is already if it has no time zone."""
    return value and value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


def columns(table: str, wanted: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the names of a table's columns; None is all.

    Raises:
        UsageError: there is no such table or column.
    """
    if table not in TABLES:
        hint = "it is a view: ask it with sql" if table in VIEWS else f"there are {listed(TABLES)}"
        raise UsageError(f"there is no table {table!r}; {hint}")
    if wanted is None:
        return None
    given = [wanted] if isinstance(wanted, str) else list(dict.fromkeys(wanted))
    known = frames.schema(table)
    unknown = [name for name in given if name not in known]
    if unknown:
        close = difflib.get_close_matches(str(unknown[0]), known, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"it has {', '.join(known)}"
        raise UsageError(f"the table {table} has no column {listed(unknown)}: {hint}")
    return tuple(given)


def listed(texts: Collection[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = len(texts) - _NAMED
    return ", ".join(map(str, list(texts)[:_NAMED])) + (f" and {more:,} more" if more > 0 else "")
