"""Currencies that are units of one another: pence and pounds, agorot and shekels."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit of a currency: its ISO code, and how many of the unit make one."""

    currency: str
    per_one: int


MINOR_UNITS: Final[Mapping[str, Unit]] = {
    "GBp": Unit("GBP", 100),
    "GBX": Unit("GBP", 100),
    "ILA": Unit("ILS", 100),
    "ZAc": Unit("ZAR", 100),
    "ZAC": Unit("ZAR", 100),
    "USX": Unit("USD", 100),
    "KWF": Unit("KWD", 1000),
}
"""Units that prices are quoted in, by their code as Yahoo and its users spell it."""


def find_unit(code: str) -> Unit:
    """Return the unit that a code stands for.

    >>> find_unit("GBp")
    Unit(currency='GBP', per_one=100)
    >>> find_unit("EUR")
    Unit(currency='EUR', per_one=1)
    """
    return MINOR_UNITS.get(code) or Unit(code, 1)


def convert(amount: float, code: str, target: str) -> float | None:
    """Convert an amount between units of one currency.

    Returns:
        The amount in the unit `target`; None when the two are different currencies.

    >>> convert(0.25, "GBP", "GBp")
    25.0
    >>> convert(25.0, "ILA", "ILS")
    0.25
    >>> convert(0.25, "USD", "GBp") is None
    True
    """
    source, wanted = find_unit(code), find_unit(target)
    if source.currency != wanted.currency:
        return None
    return amount * wanted.per_one / source.per_one
