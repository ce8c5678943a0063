"""Ticker symbols: validated once, where they enter, and encoded in keys as Hive does."""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

from tickerlake.errors import BadSymbolError
from tickerlake.market import exchanges

_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-=&^_]{0,23}")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


def parse(symbols: Iterable[str]) -> list[str]:
    """Validate symbols, upper-case them and drop repetitions, keeping their order.

    Args:
        symbols: as a user typed them, for example `aapl`, `^GSPC`, `BRK-B`, `0700.HK`, `EURUSD=X`.

    Raises:
        BadSymbolError: names every symbol that can't be one, with the reason.
    """
    faults: list[str] = []
    good: dict[str, None] = {}
    for given in symbols:
        symbol = given.strip().upper()
        if fault := _fault(symbol):
            faults.append(f"{given.strip()!r} {fault}")
        else:
            good[symbol] = None
    if faults:
        raise BadSymbolError(
            "no such ticker symbols: " + "; ".join(faults) + ". Use Yahoo's spelling, for example"
            " AAPL, BRK-B, ^GSPC, 0700.HK, EURUSD=X, BTC-USD."
        )
    return list(good)


def _fault(symbol: str) -> str | None:
    if not symbol:
        return "is empty"
    if not _SYMBOL.fullmatch(symbol):
        return "has characters or a length that no symbol has"
    if _ISIN.fullmatch(symbol):
        return "is an ISIN, not a ticker"
    if exchanges.place(symbol) is None:
        return f"has a suffix of no known exchange (known: {exchanges.known_suffixes()})"
    return None


def encode(symbol: str) -> str:
    """Encode a symbol as the value of a Hive partition: `^GSPC` becomes `%5EGSPC`."""
    return quote(symbol, safe="&")


def decode(value: str) -> str:
    """Undo `encode`."""
    return unquote(value)
