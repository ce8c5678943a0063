"""Which exchange a Yahoo symbol belongs to: tables of facts, and the rule that reads them.

Calendars have the names that `exchange_calendars` uses.
"""

import re
from dataclasses import dataclass
from typing import Final

WEEKDAYS: Final = frozenset({1, 2, 3, 4, 5})
_SUNDAY_TO_THURSDAY: Final = frozenset({7, 1, 2, 3, 4})
_SUNDAY_TO_FRIDAY: Final = frozenset({7, 1, 2, 3, 4, 5})


@dataclass(frozen=True)
class Place:
    """Where a symbol is traded.

    Attributes:
        calendar: the calendar's name; None when there is none, or none is known yet.
        timezone: of the exchange; None when the calendar states it, or it is not known yet.
        weekdays: ISO days of the week that may be sessions where the calendar does not say.
    """

    calendar: str | None
    timezone: str | None = None
    weekdays: frozenset[int] = WEEKDAYS


SUFFIX_CALENDARS: Final = {
    ".AS": "XAMS", ".AX": "XASX", ".BA": "XBUE", ".BD": "XBUD", ".BK": "XBKK", ".BO": "XBOM",
    ".BR": "XBRU", ".CBT": "us_futures", ".CL": "XBOG", ".CME": "us_futures",
    ".CMX": "us_futures", ".CN": "XTSE", ".CO": "XCSE", ".DE": "XETR", ".DU": "XDUS",
    ".F": "XFRA", ".HE": "XHEL", ".HK": "XHKG", ".HM": "XHAM", ".IC": "XICE", ".IL": "XLON",
    ".IR": "XDUB", ".IS": "XIST", ".JK": "XIDX", ".JO": "XJSE", ".KL": "XKLS", ".KQ": "XKRX",
    ".KS": "XKRX", ".L": "XLON", ".LS": "XLIS", ".MC": "XMAD", ".ME": "XMOS", ".MI": "XMIL",
    ".MX": "XMEX", ".NE": "XTSE", ".NS": "XBOM", ".NYB": "XNYS", ".NYM": "us_futures",
    ".NZ": "XNZE", ".OL": "XOSL", ".PA": "XPAR", ".PR": "XPRA", ".PS": "XPHS", ".RG": "XRIS",
    ".SA": "BVMF", ".SG": "XSTU", ".SI": "XSES", ".SN": "XSGO", ".SR": "XSAU", ".SS": "XSHG",
    ".ST": "XSTO", ".SW": "XSWX", ".SZ": "XSHG", ".T": "XTKS", ".TL": "XTAL", ".TO": "XTSE",
    ".TW": "XTAI", ".TWO": "XTAI", ".V": "XTSE", ".VI": "XWBO", ".VS": "XLIT", ".WA": "XWAR",
    ".XA": "XASX", ".XC": "XLON",
}  # fmt: skip
"""The suffixes whose exchange has a calendar that can be built."""

SUFFIX_ZONES: Final = {
    ".AE": ("Asia/Dubai", _SUNDAY_TO_FRIDAY), ".AQ": ("Europe/London", WEEKDAYS),
    ".AT": ("Europe/Athens", WEEKDAYS), ".BE": ("Europe/Berlin", WEEKDAYS),
    ".BM": ("Europe/Berlin", WEEKDAYS), ".CA": ("Africa/Cairo", _SUNDAY_TO_THURSDAY),
    ".CR": ("America/Caracas", WEEKDAYS), ".HA": ("Europe/Berlin", WEEKDAYS),
    ".KW": ("Asia/Kuwait", _SUNDAY_TO_THURSDAY), ".MU": ("Europe/Berlin", WEEKDAYS),
    ".NX": ("Europe/Paris", WEEKDAYS), ".QA": ("Asia/Qatar", _SUNDAY_TO_THURSDAY),
    ".RO": ("Europe/Bucharest", WEEKDAYS), ".TA": ("Asia/Jerusalem", _SUNDAY_TO_FRIDAY),
    ".TI": ("Europe/Rome", WEEKDAYS), ".VN": ("Asia/Ho_Chi_Minh", WEEKDAYS),
    ".XD": ("Europe/Amsterdam", WEEKDAYS),
}  # fmt: skip
"""Suffixes of exchanges without a calendar: the time zone, and the days of the week (ISO, Monday is
1) that may be sessions. Dubai moved from Sunday-Thursday to Monday-Friday in 2022, Tel Aviv in
2026."""

INDEX_CALENDARS: Final = {
    "^AEX": "XAMS", "^AORD": "XASX", "^ATX": "XWBO", "^AXJO": "XASX", "^BFX": "XBRU",
    "^BSESN": "XBOM", "^BVSP": "BVMF", "^CNXIT": "XBOM", "^DJI": "XNYS", "^FCHI": "XPAR",
    "^FTSE": "XLON", "^FVX": "XNYS", "^GDAXI": "XETR", "^GSPC": "XNYS", "^GSPTSE": "XTSE",
    "^HSCE": "XHKG", "^HSI": "XHKG", "^IBEX": "XMAD", "^IPSA": "XSGO", "^IRX": "XNYS",
    "^IXIC": "XNYS", "^JKSE": "XIDX", "^KLSE": "XKLS", "^KQ11": "XKRX", "^KS11": "XKRX",
    "^MERV": "XBUE", "^MXX": "XMEX", "^N225": "XTKS", "^NDX": "XNYS", "^NSEBANK": "XBOM",
    "^NSEI": "XBOM", "^NYA": "XNYS", "^NZ50": "XNZE", "^OMX": "XSTO", "^RUT": "XNYS",
    "^SSMI": "XSWX", "^STI": "XSES", "^STOXX50E": "XETR", "^TNX": "XNYS", "^TWII": "XTAI",
    "^TYX": "XNYS", "^VIX": "XNYS",
}  # fmt: skip
"""Indices. For any other, the time zone in the source's answer decides (`ZONE_CALENDARS`)."""

ZONE_CALENDARS: Final = {
    "Africa/Johannesburg": "XJSE", "America/Argentina/Buenos_Aires": "XBUE",
    "America/Bogota": "XBOG", "America/Buenos_Aires": "XBUE",
    "America/Lima": "XLIM", "America/Mexico_City": "XMEX", "America/New_York": "XNYS",
    "America/Santiago": "XSGO", "America/Sao_Paulo": "BVMF", "America/Toronto": "XTSE",
    "Asia/Bangkok": "XBKK", "Asia/Calcutta": "XBOM", "Asia/Hong_Kong": "XHKG",
    "Asia/Jakarta": "XIDX", "Asia/Karachi": "XKAR", "Asia/Kolkata": "XBOM",
    "Asia/Kuala_Lumpur": "XKLS", "Asia/Manila": "XPHS", "Asia/Riyadh": "XSAU",
    "Asia/Seoul": "XKRX", "Asia/Shanghai": "XSHG", "Asia/Singapore": "XSES",
    "Asia/Taipei": "XTAI", "Asia/Tokyo": "XTKS", "Atlantic/Reykjavik": "XICE",
    "Australia/Sydney": "XASX", "Europe/Amsterdam": "XAMS", "Europe/Berlin": "XETR",
    "Europe/Brussels": "XBRU", "Europe/Budapest": "XBUD", "Europe/Copenhagen": "XCSE",
    "Europe/Dublin": "XDUB", "Europe/Helsinki": "XHEL", "Europe/Istanbul": "XIST",
    "Europe/Lisbon": "XLIS", "Europe/London": "XLON", "Europe/Madrid": "XMAD",
    "Europe/Moscow": "XMOS", "Europe/Oslo": "XOSL", "Europe/Paris": "XPAR",
    "Europe/Prague": "XPRA", "Europe/Rome": "XMIL", "Europe/Stockholm": "XSTO",
    "Europe/Vienna": "XWBO", "Europe/Warsaw": "XWAR", "Europe/Zurich": "XSWX",
    "Pacific/Auckland": "XNZE",
}  # fmt: skip
"""The calendar of indices, by their time zone."""

_WITHOUT_CALENDAR: Final = {
    suffix: Place(None, zone, weekdays) for suffix, (zone, weekdays) in SUFFIX_ZONES.items()
}

BAR_ZONES: Final = {
    "24/5": "Europe/London",
    "24/7": "UTC",
    "us_futures": "America/New_York",
    "XBOG": "America/Bogota",
}
"""Calendars for which Yahoo dates bars in another time zone than the calendar's own."""

_KINDS: Final = {"=X": "24/5", "=F": "us_futures"}
_CRYPTO: Final = re.compile(r".+-(AUD|BTC|CAD|CNY|ETH|EUR|GBP|INR|JPY|KRW|USD|USDC|USDT)")


def place(symbol: str, timezone: str | None = None) -> Place | None:
    """Return where a symbol is traded; None when its suffix belongs to no known exchange.

    Args:
        symbol: as Yahoo spells it, in capitals.
        timezone: what the source said about the exchange's zone, if it has been asked.
    """
    suffix = _suffix(symbol)
    if _CRYPTO.fullmatch(symbol):
        return Place("24/7", weekdays=frozenset(range(1, 8)))
    calendar = (
        INDEX_CALENDARS.get(symbol) or _KINDS.get(symbol[-2:]) or SUFFIX_CALENDARS.get(suffix)
    )
    if calendar:
        return Place(calendar)
    if symbol.startswith("^"):
        return Place(ZONE_CALENDARS.get(timezone or ""), timezone)
    if not suffix:
        return Place("XNYS")
    return _WITHOUT_CALENDAR.get(suffix)


def _suffix(symbol: str) -> str:
    _, dot, suffix = symbol.rpartition(".")
    return dot + suffix if dot else ""


def known_suffixes() -> str:
    """Return the suffixes of known exchanges, for messages."""
    return " ".join(sorted([*SUFFIX_CALENDARS, *SUFFIX_ZONES, "=F", "=X"]))
