"""Where bars come from."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from tickerlake.market.listing import Listing

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Fetched:
    """One answer of a source.

    Attributes:
        bars: `market.bars.RAW`, sorted by session, on today's split basis. Includes the bar of a
            session that is not over. What the source does not know is null. An event (dividend,
            capital gain, split) on a day without a bar has a row of its own, without prices and
            volume. A dividend never includes the capital gain of its day, which is always in the
            price's currency. `dividend_currency` is a code when the day's only cash is a dividend
            in that currency; other cash that is not in the price's currency is given as text, such
            as `+0.5 USD`, and is not part of the amounts.
        listing: what the answer says about the ticker.
        open_until: the moment (UTC) at which the session that the source calls current ends; its
            bar is not final before then. None when the source does not say.
        current_session: the date of that session.
        last_trade: the moment (UTC) of the newest price; None when the source does not say. While
            it is before `open_until`, the bar of the current session may still change.
        previous_close: the close of the last session before the window that was asked for, on the
            same split basis as `bars`; None when the source does not say, or there was none.
    """

    bars: "pl.DataFrame"
    listing: Listing = field(default_factory=Listing)
    open_until: datetime | None = None
    current_session: date | None = None
    last_trade: datetime | None = None
    previous_close: float | None = None


class Source(Protocol):
    """A source of daily bars."""

    name: str

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        """Fetch the bars of the sessions in [start, end].

        Args:
            symbol: as the source spells it.
            start: the first session.
            end: the last session.
            timezone: of the exchange, if known; bars are dated in the zone of the answer.

        Raises:
            UnknownSymbolError, RateLimitedError, SourceUnreachableError, SourceFailedError: as
                their names say.
        """
