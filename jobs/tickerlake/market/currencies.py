"""Cash in another currency than the price's, or in another unit of it, such as pence and pounds."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit of a currency: its ISO code, and how many of the unit make one."""

    currency: str
    per_one: int


class Payment(NamedTuple):
    """The cash per share of one session as it is stored: columns of `market.bars.BAR`."""

    dividend: float
    capital_gain: float
    dividend_currency: str | None


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


def settle(paid: Mapping[str, tuple[float, float]], currency: str) -> Payment:
    """Decide how cash that was paid in several currencies is stored.

    Args:
        paid: dividend and capital gain by currency.
        currency: the price's.

    Returns:
        Dividend and capital gain in the price's currency. If the only cash is a dividend in one
        other currency: the dividend in that currency, and its code. Otherwise, what was paid in
        other currencies is given as text, such as `+0.5 USD`, and is not part of the amounts.

    >>> settle({"USD": (0.5, 0.0)}, "GBp")
    Payment(dividend=0.5, capital_gain=0.0, dividend_currency='USD')
    >>> settle({"GBp": (12.0, 0.0), "USD": (0.5, 0.0)}, "GBp")
    Payment(dividend=12.0, capital_gain=0.0, dividend_currency='+0.5 USD')
    """
    foreign = {code: amounts for code, amounts in paid.items() if code != currency}
    dividend, gain = paid.get(currency, (0.0, 0.0))
    if not foreign:
        return Payment(dividend, gain, None)
    (code, (foreign_dividend, foreign_gain)), *others = foreign.items()
    if not others and not foreign_gain and not dividend and not gain:
        return Payment(foreign_dividend, 0.0, code)
    besides = " ".join(f"+{sum(amounts):.6g} {code}" for code, amounts in sorted(foreign.items()))
    return Payment(dividend, gain, besides)
