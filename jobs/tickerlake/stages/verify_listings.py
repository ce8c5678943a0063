"""Verify the table `tickers`: one object, whose rows follow from the histories."""

from collections.abc import Iterator
from functools import cached_property

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, listings
from tickerlake.lake.fold import History
from tickerlake.lake.parquet_statistics import lies
from tickerlake.stages.findings import Finding


class ListingCheck:
    """The comparison of the table's rows with what raw gives.

    What is wrong with the object as a whole is reported as a finding without a ticker.
    """

    def __init__(self, lake: Lake) -> None:
        """Read the table."""
        self._data = lake.store.get(layout.LISTINGS)
        self._damage = ""
        self._rows = pl.DataFrame(schema=listings.SCHEMA)
        try:
            self._rows = listings.load(lake.store)
        except CorruptObjectError as error:
            self._damage = f"can't be read: {error}"

    @property
    def tickers(self) -> set[str]:
        """The tickers that the table has rows of."""
        return {*self._rows["ticker"]}

    def whole(self) -> Iterator[Finding]:
        """Yield what is wrong with the object as a whole."""
        if self._damage:
            yield Finding("derived", layout.LISTINGS, self._damage)
        elif self._data is not None and (columns := lies(self._data)):
            text = f"has a footer whose statistics are wrong ({', '.join(columns)})"
            yield Finding("derived", layout.LISTINGS, text)

    def row(self, ticker: str, held: History) -> Iterator[Finding]:
        """Yield what is wrong with a ticker's row; `held` is the history that raw gives."""
        if self._damage:
            return
        expected = listings.of_history(ticker, held)
        if self._data is None and not expected.is_empty():
            yield Finding("derived", layout.LISTINGS, "is missing")
        elif not expected.equals(self._by_ticker.get((ticker,), self._rows.clear())):
            text = f"does not say of {ticker} what raw gives"
            yield Finding("derived", layout.LISTINGS, text, ticker)

    @cached_property
    def _by_ticker(self) -> dict[tuple[object, ...], pl.DataFrame]:
        return self._rows.partition_by("ticker", as_dict=True)
