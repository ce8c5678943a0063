"""Which sessions an exchange had, and which of them had closed at a moment.

A thin layer over `exchange_calendars`: it maps Yahoo's symbols to calendars and answers in frames.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

import polars as pl

SETTLE: Final = timedelta(minutes=30)
"""A session counts as closed this long after the bell: Yahoo's quotes lag by up to 20 minutes."""

_SUFFIXES: Final = {
    ".AS": "XAMS", ".AX": "XASX", ".BA": "XBUE", ".BD": "XBUD", ".BK": "XBKK",
    ".BO": "XBOM", ".BR": "XBRU", ".CN": "XTSE", ".CO": "XCSE", ".DE": "XETR", ".DU": "XDUS",
    ".F": "XFRA", ".HE": "XHEL", ".HK": "XHKG", ".HM": "XHAM", ".IC": "XICE", ".IL": "XLON",
    ".IR": "XDUB", ".IS": "XIST", ".JK": "XIDX", ".JO": "XJSE", ".KL": "XKLS", ".KQ": "XKRX",
    ".KS": "XKRX", ".L": "XLON", ".LS": "XLIS", ".MC": "XMAD", ".ME": "XMOS", ".MI": "XMIL",
    ".MX": "XMEX", ".NE": "XTSE", ".NS": "XBOM", ".NYB": "XNYS", ".NZ": "XNZE", ".OL": "XOSL",
    ".PA": "XPAR", ".PR": "XPRA", ".SA": "BVMF", ".SG": "XSTU", ".SI": "XSES", ".SN": "XSGO",
    ".SR": "XSAU", ".SS": "XSHG", ".ST": "XSTO", ".SW": "XSWX", ".SZ": "XSHG", ".T": "XTKS",
    ".TO": "XTSE", ".TW": "XTAI", ".TWO": "XTAI", ".V": "XTSE", ".VI": "XWBO",
    ".WA": "XWAR",
}  # fmt: skip
_INDICES: Final = {
    "^AXJO": "XASX", "^BSESN": "XBOM", "^BVSP": "BVMF", "^FCHI": "XPAR", "^FTSE": "XLON",
    "^GDAXI": "XETR", "^GSPTSE": "XTSE", "^HSI": "XHKG", "^KS11": "XKRX", "^MXX": "XMEX",
    "^N225": "XTKS", "^NSEI": "XBOM", "^SSMI": "XSWX", "^STOXX50E": "XETR", "^TWII": "XTAI",
}  # fmt: skip
_CRYPTO: Final = re.compile(r".+-(AUD|BTC|CAD|CNY|ETH|EUR|GBP|INR|JPY|KRW|USD|USDC|USDT)")
# Yahoo's bars of these are dated in another zone than the calendar's.
_TIMEZONES: Final = {"24/5": "Europe/London", "24/7": "UTC", "us_futures": "America/New_York"}
_SINCE: Final = ("1970-01-01", "2000-01-01")


@dataclass(frozen=True)
class Exchange:
    """An exchange: its name in `exchange_calendars`, and the zone that dates its bars."""

    name: str
    schedule: pl.DataFrame
    """One row a session: `session` (Date), `closed` (Datetime, UTC: the close, and `SETTLE`)."""
    timezone: str

    def sessions(self, start: date, as_of: datetime) -> pl.Series:
        """Sessions on or after `start` that had closed at `as_of`, ascending."""
        return self.schedule.filter(pl.col("session") >= start, pl.col("closed") <= as_of)[
            "session"
        ]


def exchange(symbol: str) -> str | None:
    """The calendar's name for a symbol, or None when its suffix is of no known exchange."""
    if symbol in _INDICES:
        return _INDICES[symbol]
    if symbol.endswith("=X"):
        return "24/5"
    if symbol.endswith("=F"):
        return "us_futures"
    if _CRYPTO.fullmatch(symbol):
        return "24/7"
    _, dot, suffix = symbol.rpartition(".")
    return _SUFFIXES.get(dot + suffix) if dot else "XNYS"


def known_suffixes() -> str:
    """The suffixes of known exchanges, for messages."""
    return " ".join(sorted([*_SUFFIXES, "=F", "=X"]))


def of(symbol: str) -> Exchange:
    """The exchange of a valid symbol."""
    name = exchange(symbol)
    if name is None:
        raise ValueError(f"{symbol!r} was not validated")
    return _load(name)


@cache
def _load(name: str) -> Exchange:
    import exchange_calendars

    for start in _SINCE:
        try:
            calendar = exchange_calendars.get_calendar(name, start=start)
            break
        except (ValueError, NotImplementedError):  # it is known, or right, from a later day on only
            continue
    else:
        calendar = exchange_calendars.get_calendar(name)
    closes = pl.Series(calendar.closes.dt.tz_localize(None).to_numpy())
    schedule = pl.DataFrame(
        {
            "session": pl.Series(calendar.sessions.to_numpy()).cast(pl.Date),
            "closed": closes.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + SETTLE,
        }
    )
    return Exchange(name, schedule, _TIMEZONES.get(name, str(calendar.tz)))
