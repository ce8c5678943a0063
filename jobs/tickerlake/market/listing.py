"""What is known of a ticker besides its bars: a source's words, and the columns of `tickers`."""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Final, NamedTuple

import polars as pl

EVENT: Final[dict[str, pl.DataType]] = {
    "as_of": pl.Datetime("us", "UTC"),
    "run_id": pl.String(),
    "event": pl.String(),
    "session": pl.Date(),
    "old": pl.Float64(),
    "new": pl.Float64(),
    "detail": pl.String(),
}
"""The fields of an event; see `Event`."""

TICKERS: Final[dict[str, pl.DataType]] = {
    "name": pl.String(),
    "exchange": pl.String(),
    "instrument_type": pl.String(),
    "currency": pl.String(),
    "timezone": pl.String(),
    "first_trade_date": pl.Date(),
    "listed_since": pl.Date(),
    "first_session": pl.Date(),
    "last_session": pl.Date(),
    "sessions": pl.Int64(),
    "gaps": pl.List(pl.Date()),
    "retired": pl.Date(),
    "renamed_to": pl.String(),
    "events": pl.List(pl.Struct(EVENT)),
}
"""What is known of a ticker, from the source's answers, its bars, and the commits on its life."""


class Event(NamedTuple):
    """Something that a run changed about a ticker as a whole.

    Attributes:
        as_of: the moment (UTC) at which the run saw the market.
        run_id: the run.
        event: `split`, `restated`, `renamed_from`, `renamed_to`, `retired` or `resumed`.
        session: a split's ex-date, or the last day of a retired ticker.
        old: the ratio that was believed before of a split; 1 is none.
        new: the ratio that is believed now; 1 is none.
        detail: why the past was restated, or the other ticker of a rename.
    """

    as_of: datetime
    run_id: str
    event: str
    session: date | None = None
    old: float | None = None
    new: float | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Listing:
    """What the source says about the ticker itself; None where it says nothing."""

    name: str | None = None
    exchange: str | None = None
    instrument_type: str | None = None
    """In the source's words: EQUITY, ETF, MUTUALFUND, INDEX, CURRENCY, CRYPTOCURRENCY, FUTURE."""
    currency: str | None = None
    timezone: str | None = None
    """Of the exchange, for example `America/New_York`; bars are dated in it."""
    first_trade_date: date | None = None

    def updated(self, newer: "Listing") -> "Listing":
        """Return what is known when a newer answer is added; what it leaves out stays.

        >>> Listing(name="Facebook", currency="USD").updated(Listing(name="Meta")).name
        'Meta'
        >>> Listing(name="Facebook", currency="USD").updated(Listing(name="Meta")).currency
        'USD'
        """
        said = {name: value for name, value in asdict(newer).items() if value is not None}
        return replace(self, **said)
