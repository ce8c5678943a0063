"""What a source says about a ticker besides its bars."""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import NamedTuple


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
