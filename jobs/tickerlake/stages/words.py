"""Words: numbers as people read them, in `show` and in the report."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final

NONE: Final = "-"
"""What stands for a number that there is not."""

_THOUSANDS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_CENTS_UNTIL: Final = 10_000
_LARGEST_DENOMINATOR: Final = 100
_CLOSE: Final = 1e-6


def price(value: float | None) -> str:
    """Return a price to six significant digits, never with an exponent.

    >>> [price(value) for value in (430.47, 21.5, 1.5e-6, 1234567.0, -37.63, 0.0, None)]
    ['430.47', '21.50', '0.0000015', '1,234,570', '-37.63', '0.00', '-']
    """
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{Decimal(f'{value:.6g}'):,f}"
    whole, dot, digits = text.partition(".")
    digits = digits.rstrip("0")
    if abs(value) < _CENTS_UNTIL:
        digits = digits.ljust(2, "0")
    return whole + (dot or ".") + digits if digits else whole


def percent(ratio: float | None, *, signed: bool = True) -> str:
    """Return a ratio in percent, with a sign.

    >>> percent(-0.02476), percent(0.5, signed=False), percent(0.0), percent(None)
    ('-2.48 %', '50.00 %', '0.00 %', '-')
    """
    if ratio is None or not math.isfinite(ratio):
        return NONE
    text = f"{round(ratio * 100, 2) + 0.0:,.2f} %"  # the sum turns -0.0 into 0.0
    return f"+{text}" if signed and round(ratio * 100, 2) > 0 else text


def signed(value: float | None) -> str:
    """Return a change of a price, with a sign.

    >>> signed(1.5), signed(-1.5), signed(0.0)
    ('+1.50', '-1.50', '0.00')
    """
    text = price(value)
    return f"+{text}" if value and value > 0 and text != NONE else text


def large(value: float | None) -> str:
    """Return a large number to three digits.

    >>> large(138112400), large(950), large(0), large(None)
    ('138M', '950', '0', '-')
    """
    if value is None or not math.isfinite(value):
        return NONE
    for size, letter in _THOUSANDS:
        if abs(value) >= size:
            return f"{Decimal(f'{value / size:.3g}'):f}{letter}"
    return f"{value:,.0f}"


def split(ratio: float) -> str:
    """Return a split as people say it: new shares for old ones.

    >>> split(2.0), split(0.1), split(1.5), split(1.0416)
    ('2:1', '1:10', '3:2', '1.0416:1')
    """
    close = Fraction(ratio).limit_denominator(_LARGEST_DENOMINATOR)
    if close > 0 and abs(float(close) / ratio - 1) < _CLOSE:
        return f"{close.numerator}:{close.denominator}"
    return f"{ratio:.6g}:1"
