"""Ticker symbols: validated once, where they enter, and encoded in keys as Hive does."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

from tickerlake.errors import BadSymbolError
from tickerlake.market import exchanges

_FORM: Final = r"[A-Z0-9^][A-Z0-9.\-=&^_]{0,23}"
PATTERN: Final = rf"^{_FORM}$"
"""What a whole symbol looks like."""

_SYMBOL = re.compile(_FORM)
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")

FAULTS_SHOWN: Final = 5
"""A file that is not a universe may have thousands of bad lines."""

_LONGEST_SHOWN: Final = 40


def parse(symbols: Iterable[str]) -> list[str]:
    """Validate symbols, upper-case them and drop duplicates, keeping their order.

    Args:
        symbols: as a user typed them, for example `aapl`, `^GSPC`, `BRK-B`, `0700.HK`, `EURUSD=X`.

    Raises:
        BadSymbolError: names the symbols that are not valid, with the reasons; of many, the first
            `FAULTS_SHOWN`.
    """
    faults: dict[str, None] = {}
    good: dict[str, None] = {}
    for given in symbols:
        text = given.strip()
        # checked before it is upper-cased, which turns some letters of other alphabets into ASCII
        symbol = text.upper() if text.isascii() else text
        if fault := _fault(symbol):
            faults[f"{_shortened(text)!r} {fault}"] = None
        else:
            good[symbol] = None
    if faults:
        more = len(faults) - FAULTS_SHOWN
        raise BadSymbolError(
            f"not {'a valid ticker symbol' if len(faults) == 1 else 'valid ticker symbols'}: "
            + "; ".join(list(faults)[:FAULTS_SHOWN])
            + (f"; and {more:,} more" if more > 0 else "")
            + ". Use Yahoo's spelling, for example AAPL, BRK-B, ^GSPC, 0700.HK, EURUSD=X, BTC-USD."
        )
    return list(good)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


def _fault(symbol: str) -> str | None:
    if not symbol:
        return "is empty"
    if not _SYMBOL.fullmatch(symbol):
        return "has characters or a length that no symbol has"
    if _ISIN.fullmatch(symbol):
        return "is an ISIN, not a ticker"
    if exchanges.place(symbol) is None:
        return f"has a suffix of no exchange that we know (known: {exchanges.known_suffixes()})"
    return None


def encode(symbol: str) -> str:
    """Encode a symbol as the value of a Hive partition: `^GSPC` becomes `%5EGSPC`."""
    return quote(symbol, safe="&")


def decode(value: str) -> str:
    """Undo `encode`."""
    return unquote(value)
