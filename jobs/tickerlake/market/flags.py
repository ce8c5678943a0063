"""The flags of bars that are kept although something is odd about them; `market.quality` sets them.

This module must load without Polars: manifests have flags, and what only reads manifests is quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

FLAGS: Final[Mapping[str, str]] = {
    "range_widened": "The open or the close was outside low to high; the range was widened.",
    "open_unknown": "The source did not know the open; it is null.",
    "range_unknown": "The source did not know the high or the low; filled from open and close.",
    "volume_unknown": "The source gave no usable volume; it is 0.",
    "event_unknown": "An impossible dividend, capital gain or split was dropped.",
    "dividend_currency": "The dividend was paid in another currency; returns leave it out.",
    "off_calendar": "The exchange's calendar has no session on this day.",
    "after_gap": "The first bar after more than five sessions without one.",
    "timezone": "The source dates this ticker in another time zone than the exchange's calendar.",
    "missed_split": "The close jumps as it would if an adjustment for a split were missing.",
    "unit_error": "The close jumps about a hundredfold, as it does when a unit is mistaken.",
    "large_dividend": "The dividend is above 30 % of the close before.",
}
"""What each flag says about a bar, by its name."""

CONTEXTUAL: Final = ("after_gap", "missed_split", "unit_error", "large_dividend")
"""Flags that depend on other bars, so they are set again whenever a history changes."""


@dataclass(frozen=True)
class Flag:
    """A bar that is kept although something is odd about it; `name` is one of `FLAGS`."""

    session: date
    name: str
    detail: str = ""
