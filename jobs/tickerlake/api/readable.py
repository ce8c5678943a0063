"""What can be read of a lake, as it is or as it was; `Lake` adds what can be done with it."""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Self

import polars as pl

from tickerlake.api.arguments import Day, Tickers
from tickerlake.api.results import Frame
from tickerlake.api.tables import Tables
from tickerlake.lake import Lake as Opened
from tickerlake.lake import open_lake
from tickerlake.lake.time_travel import Asked, State
from tickerlake.settings import Grain


class Readable:
    """The tables of a lake, as it is or as of a moment of its past."""

    def __init__(self, url: str, *, grain: Grain | None = None, state: State | None = None) -> None:
        self.url = url
        self._grain = grain
        self._state = state

    def __repr__(self) -> str:
        try:
            return f"<Lake {self.url}: {self._tables().description()}>"
        except Exception as error:  # noqa: BLE001 - a repr must not fail
            return f"<Lake {self.url}: {error}>"

    # ---- the state

    @property
    def stamp(self) -> str:
        """The stamp of the lake's state: a short name for the runs that it is made of.

        >>> lake = open("sample")
        >>> lake.at(lake.stamp).stamp == lake.stamp
        True
        """
        return self._tables().stamp

    @property
    def as_of(self) -> datetime | None:
        """The moment (UTC) of a past state; None for the lake as it is.

        >>> open("sample").at("2005-02-25").as_of.isoformat()
        '2005-02-25T23:59:59.999999+00:00'
        """
        return self._state.moment if self._state else None

    def at(self, moment: Asked) -> Self:
        """Return the lake as it was: what it knew at a moment, value for value.

        Reading it derives the tickers that are asked for from raw; nothing is stored. What was
        fetched later was not known: a lake that was filled yesterday knew nothing last year.

        Args:
            moment: a moment (UTC if it has no time zone), a day (its end, in UTC), the id of a run
                (what the lake held when that run had been processed), or a stamp.

        Raises:
            UsageError: it is none of these, there is no such run, or the lake knew nothing yet.
            LostStateError: the lake can't give the state with this stamp.

        Apple split 2:1 on 2005-02-28; the evening before, prices were twice those of today:

        >>> lake = open("sample")
        >>> then = lake.at("2005-02-25").daily("AAPL", start="2005-02-18", end="2005-02-18")
        >>> today = lake.daily("AAPL", start="2005-02-18", end="2005-02-18")
        >>> then["close"].item(), today["close"].item()
        (86.81, 43.405)
        """
        return type(self)(self.url, state=self._tables(moment).state)

    # ---- tables

    def daily(
        self,
        tickers: Tickers | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        columns: Iterable[str] | None = None,
        as_of: Asked | None = None,
    ) -> Frame:
        """Return bars with features, sorted by ticker and session.

        Args:
            tickers: one or several; None is all.
            start: the first session.
            end: the last session.
            columns: their names, in the order in which you want them; None is all.
            as_of: short for `lake.at(as_of).daily(…)`.

        Raises:
            UsageError: the lake does not hold a ticker, or the table has no such column.
            BadSymbolError, LakeError: as their names say.

        >>> columns = ["session", "close", "rsi_14"]
        >>> open("sample").daily("AAPL", start="2005-03-09", columns=columns)
        shape: (2, 3)
        ┌────────────┬───────┬───────────┐
        │ session    ┆ close ┆ rsi_14    │
        │ ---        ┆ ---   ┆ ---       │
        │ date       ┆ f64   ┆ f64       │
        ╞════════════╪═══════╪═══════════╡
        │ 2005-03-09 ┆ 39.35 ┆ 41.762668 │
        │ 2005-03-10 ┆ 39.83 ┆ 44.069208 │
        └────────────┴───────┴───────────┘
        stamp: ...
        """
        return self._tables(as_of).read("daily", tickers, start, end, columns)

    def history(
        self,
        tickers: Tickers | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        columns: Iterable[str] | None = None,
        as_of: Asked | None = None,
    ) -> Frame:
        """Return the newest version of every bar, on today's split basis; see `daily`.

        >>> columns = ["session", "close", "as_of", "flags"]
        >>> open("sample").history(["AAPL"], columns=columns).shape
        (69, 4)
        """
        return self._tables(as_of).read("history", tickers, start, end, columns)

    def raw(
        self,
        tickers: Tickers | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        columns: Iterable[str] | None = None,
        as_of: Asked | None = None,
    ) -> Frame:
        """Return every version of every bar, with the run that delivered it; see `daily`.

        Apple's first bar of December was fetched before its split, and once more after it:

        >>> raw = open("sample").raw("AAPL", end="2004-12-01", columns=["as_of", "close"])
        >>> [(f"{as_of:%Y-%m-%d}", close) for as_of, close in raw.rows()]
        [('2005-02-25', 67.79), ('2005-03-10', 33.895)]
        """
        return self._tables(as_of).read("raw", tickers, start, end, columns)

    def tickers(
        self,
        tickers: Tickers | None = None,
        *,
        columns: Iterable[str] | None = None,
        as_of: Asked | None = None,
    ) -> Frame:
        """Return what is known of each ticker: name, exchange, currency, first and last session.

        >>> open("sample").tickers(columns=["ticker", "currency", "sessions"]).rows()
        [('AAPL', 'USD', 69), ('GOOG', 'USD', 69), ('MSFT', 'USD', 69)]
        """
        return self._tables(as_of).read("tickers", tickers, None, None, columns)

    def scan(self, table: str = "daily", *, as_of: Asked | None = None) -> pl.LazyFrame:
        """Return a table as a LazyFrame that reads only what is needed.

        Filters on `ticker` and `session` decide which files are read.

        Args:
            table: `daily`, `tickers`, `history` or `raw`; views are for `sql`.
            as_of: short for `lake.at(as_of).scan(…)`.

        >>> import polars as pl
        >>> daily = open("sample").scan("daily")
        >>> daily.filter(pl.col("ticker") == "AAPL").select(pl.max("close")).collect().item()
        45.065
        """
        return self._tables(as_of).scan(table)

    def sql(self, query: str, *, as_of: Asked | None = None) -> Frame:
        """Run one SQL statement (DuckDB's dialect) that reads the lake's tables and views.

        Raises:
            UsageError: the statement is wrong, or does more than read.

        >>> open("sample").sql("select count(*) as bars from daily where ticker = 'AAPL'").item()
        69
        """
        return self._tables(as_of).sql(query)

    # ---- the past of a ticker

    def log(self, ticker: str) -> Frame:
        """Return what each run delivered for a ticker, and what that changed, oldest first.

        Columns: `run_id`, `as_of` and `source` of the run; the `first` and `last` session that it
        delivered; how many bars are `new`, how many it `replaced`, and how many values of them the
        source has `revised`; the `splits` that it brought, and how many bars these `rebased`; why
        the past was `restated`; `quarantined` rows; `retired`, `renamed_from`, `renamed_to`.

        Raises:
            UsageError: the lake has no delivery of this ticker.

        >>> open("sample").log("AAPL").select("new", "replaced", "splits", "rebased").rows()
        [(60, 0, '', 0), (9, 60, '2 on 2005-02-28', 60)]
        """
        return self._tables().log(ticker)

    def diff(self, ticker: str, start: Asked, end: Asked | None = None) -> Frame:
        """Return how a ticker's bars differ between two states of the lake.

        Values are compared on the split basis of the second state, so a split alone is no
        difference. Columns: `session`; `change` (`added`, `removed` or `revised`); for a revised
        value its `column`, the `old` and the `new` one (`old_text` and `new_text` of texts), and
        when the new one was fetched.

        Args:
            ticker: its symbol.
            start: the first state; see `at`.
            end: the second one; None is this lake's.

        Raises:
            UsageError, LostStateError: see `at`.

        >>> lake = open("sample")
        >>> lake.diff("AAPL", "2005-02-25")["change"].value_counts().rows()
        [('added', 9)]
        """
        return self._tables().diff(ticker, start, end)

    # ---- inside

    @cached_property
    def _opened(self) -> Opened:
        return self._state.lake if self._state else open_lake(self.url)

    @cached_property
    def _current(self) -> Tables:
        return Tables(self._opened, self._state)

    def _tables(self, as_of: Asked | None = None) -> Tables:
        return self._current if as_of is None else self._current.at(as_of)
