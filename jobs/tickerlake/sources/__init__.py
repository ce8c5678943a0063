"""Where bars come from."""

from datetime import date
from typing import Protocol

import polars as pl


class Source(Protocol):
    """A source of daily bars."""

    name: str

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> pl.DataFrame:
        """Return bars (`market.bars.RAW`) of the sessions in [start, end], on today's split basis.

        Raises:
            UnknownSymbolError, RateLimitedError, SourceFailedError: as their names say.
        """
