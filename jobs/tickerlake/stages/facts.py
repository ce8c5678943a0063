"""Facts: what `show` and the report say about a ticker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from tickerlake.lake.fold import History
from tickerlake.market import exchanges, features
from tickerlake.market.arrays import YEAR
from tickerlake.stages.status import Ticker


class Event(NamedTuple):
    """Something that took effect in a session: cash per share, or new shares for each old one."""

    session: date
    size: float


class Flagged(NamedTuple):
    """A session whose bar has flags: names of `market.flags.FLAGS`, separated by commas."""

    session: date
    names: str


@dataclass(frozen=True)
class Facts:
    """What is known about a ticker.

    Attributes:
        held: what the lake holds of it.
        name: what people call it; the symbol when no name is known.
        exchange: where it is traded; '' when that is not known.
        currency: of its prices, as the source spells it; '' when that is not known.
        rows: the table `daily` of this ticker (`market.features.DAILY`), all sessions.
        dividends: all of them, oldest first.
        splits: all of them, oldest first.
        known: the history itself.
    """

    held: Ticker
    name: str
    exchange: str
    currency: str
    rows: pl.DataFrame
    dividends: Sequence[Event]
    splits: Sequence[Event]
    known: History

    @property
    def ticker(self) -> str:
        """The symbol."""
        return self.held.ticker

    @property
    def close(self) -> float | None:
        """The last close, or None without a bar."""
        return self.rows["close"][-1] if self.rows.height else None

    @property
    def change(self) -> float | None:
        """The change of the last close, in the currency; None with fewer than two bars."""
        closes = self.rows["close"]
        return closes[-1] - closes[-2] if len(closes) > 1 else None

    @property
    def change_ratio(self) -> float | None:
        """The same as a ratio; None where a price is not positive."""
        return self.rows["return_1d"][-1] if self.rows.height else None

    @property
    def year(self) -> tuple[float, float] | None:
        """The lowest low and the highest high of 52 weeks (252 sessions, or all that there are)."""
        if self.rows.is_empty():
            return None
        last = self.rows.tail(YEAR)
        return float(last["low"].min()), float(last["high"].max())  # type: ignore[arg-type]

    @property
    def flagged(self) -> list[Flagged]:
        """The sessions that have flags, oldest first."""
        odd = self.rows.filter(pl.col("flags") != "")
        return [Flagged(*row) for row in odd.select("session", "flags").iter_rows()]


def facts(held: Ticker, known: History) -> Facts:
    """Return what is known about a ticker.

    The features are computed from its history, one object, instead of being read from the many of
    `daily`; that both are the same is the lake's first invariant.

    Args:
        held: the ticker.
        known: its history.
    """
    place = exchanges.place(held.ticker, known.timezone)
    bars = known.bars
    currencies = bars["currency"].drop_nulls()
    return Facts(
        held=held,
        name=known.listing.name or held.ticker,
        exchange=known.listing.exchange
        or (place.calendar if place else None)
        or known.timezone
        or "",
        currency=currencies[-1] if len(currencies) else known.listing.currency or "",
        rows=features.daily(bars),
        dividends=_events(bars, "dividend", 0.0),
        splits=_events(bars, "split", 1.0),
        known=known,
    )


def _events(bars: pl.DataFrame, name: str, none: float) -> list[Event]:
    happened = bars.filter(pl.col(name) != none)
    return [Event(*row) for row in happened.select("session", name).iter_rows()]
