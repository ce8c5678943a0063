"""The rows of the lake's tables as Polars frames, of the present moment or of a past state.

Only the objects of the tickers and partitions that are asked for are read. A past state is derived
from raw, ticker by ticker.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

import polars as pl

from tickerlake.errors import CorruptObjectError, TickerlakeError
from tickerlake.lake import Lake, derived, history, layout, pushdown, snapshot, time_travel
from tickerlake.lake.fold import History
from tickerlake.lake.parquet import from_parquet
from tickerlake.lake.snapshot import Snapshot
from tickerlake.lake.tables import TABLES
from tickerlake.lake.time_travel import State
from tickerlake.lake.versions import COMMIT, versions

READERS: Final = 8
"""Objects that are read at the same time."""

AT_ONCE: Final = 32
"""Tickers whose rows are in memory before they are filtered and handed on."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of a table.

    Attributes:
        tickers: None is all.
        start: the first session; None is the first that is held.
        end: the last session; None is the last that is held.
        columns: their names in order; None is all.
    """

    tickers: tuple[str, ...] | None = None
    start: date | None = None
    end: date | None = None
    columns: tuple[str, ...] | None = None


def schema(name: str) -> dict[str, pl.DataType]:
    """Return the columns of a table as SQL and Python show them: without the partition `date`."""
    ticker = {"ticker": pl.String()}
    return {**ticker, **(COMMIT if name == "raw" else {}), **TABLES[name].schema}


def read(
    lake: Lake, name: str, state: State | None, wanted: Wanted, pinned: Snapshot | None = None
) -> pl.DataFrame:
    """Read a table, sorted by ticker and session; the versions of a bar in `raw` by their order.

    Args:
        lake: the lake.
        name: of the table.
        state: the past state to read it as of; None is the present.
        wanted: which rows and columns.
        pinned: the present, if a snapshot of it has been taken.

    Raises:
        CorruptObjectError, StoreError, LostStateError: as their names say.
    """
    columns = wanted.columns or tuple(schema(name))
    source = Source(lake, name, state, pinned)
    parts = source.frames(columns, between(wanted.start, wanted.end), wanted.tickers)
    return pl.concat([source.empty().select(columns), *parts])


def between(start: date | None, end: date | None) -> pl.Expr | None:
    """Return the predicate of sessions from a first to a last one; None is no bound."""
    bounds = []
    if start is not None:
        bounds.append(pl.col("session") >= start)
    if end is not None:
        bounds.append(pl.col("session") <= end)
    return pl.all_horizontal(bounds) if bounds else None


def held(lake: Lake, state: State) -> list[str]:
    """Return the tickers that a past state may have rows of, sorted; perhaps too many."""
    found = {layout.values(key)["ticker"] for key in lake.store.keys(layout.HISTORY)}
    return sorted(found | state.pending_tickers())


def scan(
    lake: Lake, name: str, state: State | None = None, failures: list[Exception] | None = None
) -> pl.LazyFrame:
    """Return a table as a lazy frame that reads only the tickers and partitions it needs.

    See `read`. DuckDB pushes its filters into it, too; since it forgets which error made a scan
    fail, the errors are also added to `failures`.
    """
    from polars.io.plugins import register_io_source

    source = Source(lake, name, state)

    def frames(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        limit: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        if limit is not None:  # Polars means the first rows of all, and then those that satisfy
            roots = predicate.meta.root_names() if predicate is not None else []
            needed = list(dict.fromkeys([*(columns or schema(name)), *roots]))
            rows = _first(source, limit, needed)
            yield (rows if predicate is None else rows.filter(predicate)).select(
                columns or pl.all()
            )
            return
        yield source.empty().select(columns or pl.all())
        yield from source.frames(columns, predicate)

    def noted(*arguments: Any) -> Iterator[pl.DataFrame]:
        try:
            yield from frames(*arguments)
        except TickerlakeError as error:
            if failures is not None:
                failures.append(error)
            raise

    return register_io_source(noted, schema=schema(name), validate_schema=True)


def _first(source: "Source", limit: int, columns: Sequence[str]) -> pl.DataFrame:
    rows = source.empty().select(columns)
    for part in source.frames(columns, None):
        rows = pl.concat([rows, part.head(limit - rows.height)])
        if rows.height == limit:
            break
    return rows


class Source:
    """A table of a lake, as it is or as of a past state."""

    def __init__(
        self, lake: Lake, name: str, state: State | None, pinned: Snapshot | None = None
    ) -> None:
        self._lake, self._name, self._state, self._pinned = lake, name, state, pinned
        if state is None and name == "raw":  # which versions there are, only manifests know
            self._state = time_travel.newest(lake, runs=pinned.runs if pinned else None)

    def empty(self) -> pl.DataFrame:
        """Return the table without rows."""
        return pl.DataFrame(schema=schema(self._name))

    def frames(
        self,
        columns: Sequence[str] | None,
        predicate: pl.Expr | None,
        tickers: Collection[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows that satisfy a predicate, a few tickers at a time, sorted.

        Args:
            columns: the columns to return; None is all.
            predicate: over the table's columns; None is all rows.
            tickers: those to read; None finds out from the predicate.
        """
        load: Callable[..., Iterator[pl.DataFrame]]
        found: Callable[[], list[str]]
        if self._state is None:
            pinned = self._pinned or snapshot.now(self._lake.store)
            load, found = partial(self._stored, pinned), lambda: pinned.tickers
        else:
            load, found = partial(self._past, self._state), partial(held, self._lake, self._state)
        wanted = sorted(pushdown.tickers(predicate, found()) if tickers is None else tickers)
        kept = columns or list(schema(self._name))
        needed = {*kept, *(predicate.meta.root_names() if predicate is not None else ())}
        for start in range(0, len(wanted), AT_ONCE):
            for frame in load(wanted[start : start + AT_ONCE], needed, predicate):
                chosen = frame if predicate is None else frame.filter(predicate)
                yield chosen.select(kept)

    # ---- what is stored

    def _stored(
        self,
        pinned: Snapshot,
        tickers: Sequence[str],
        columns: Collection[str],
        predicate: pl.Expr | None,
    ) -> Iterator[pl.DataFrame]:
        """Yield rows from files; of tickers that a transform may be replacing, derived ones."""
        still = [ticker for ticker in tickers if ticker not in pinned.pending]
        with ThreadPoolExecutor(READERS) as pool:
            parts = self._from_files(pool, still, columns, predicate)
            moved = pool.map(partial(snapshot.has_moved, self._lake.store, pinned), still)
            others = {ticker for ticker, has in zip(still, moved, strict=True) if has}
            others |= set(tickers) - set(still)
            parts |= pool.map(partial(self._derived, pinned, columns, predicate), sorted(others))
        found = [part for ticker in tickers for part in parts[ticker]]
        if found:
            yield pl.concat(found)

    def _from_files(
        self,
        pool: ThreadPoolExecutor,
        tickers: Sequence[str],
        columns: Collection[str],
        predicate: pl.Expr | None,
    ) -> dict[str, list[pl.DataFrame]]:
        parts: dict[str, list[pl.DataFrame]] = {ticker: [] for ticker in tickers}
        keys = pool.map(partial(self._keys, predicate=predicate), tickers)
        flat = [(ticker, key) for ticker, each in zip(tickers, keys, strict=True) for key in each]
        read = pool.map(partial(self._read, columns=columns), [key for _, key in flat])
        for (ticker, _), part in zip(flat, read, strict=True):
            if part is not None:
                parts[ticker].append(part)
        return parts

    def _derived(
        self,
        pinned: Snapshot,
        columns: Collection[str],
        predicate: pl.Expr | None,
        ticker: str,
    ) -> tuple[str, list[pl.DataFrame]]:
        held = snapshot.derive(self._lake, ticker, pinned)
        if held is None:  # it is damaged, so its files have to do
            read = (self._read(key, columns) for key in self._keys(ticker, predicate))
            return ticker, [part for part in read if part is not None]
        declared = TABLES[self._name].schema
        inside = [name for name in declared if name in columns] or [next(iter(declared))]
        rows = _DERIVED[self._name](held).select(inside)
        return ticker, [rows.select(pl.lit(ticker).alias("ticker"), pl.all())]

    def _keys(self, ticker: str, predicate: pl.Expr | None) -> list[str]:
        """Return the keys that hold a ticker's rows, as its history says, without any listing."""
        if self._name in _ONE_FILE:
            return [_ONE_FILE[self._name](ticker)]
        held = history.load_summary(self._lake, ticker).history.bars["session"]
        if held.is_empty():
            return []
        days = pushdown.sessions(predicate, held[0], held[-1])
        left = held.filter(held.is_in(days.implode())).to_frame()
        dates = left.select(layout.partition(self._lake.grain)).to_series().unique().sort()
        return [layout.daily(value, ticker) for value in dates]

    def _read(self, key: str, columns: Collection[str]) -> pl.DataFrame | None:
        data = self._lake.store.get(key)
        if data is None:  # it was deleted, or a transform is about to write it
            return None
        declared = TABLES[self._name].schema
        inside = [name for name in declared if name in columns] or [next(iter(declared))]
        try:
            rows = from_parquet(data, key, inside)
        except CorruptObjectError:  # or it was written before a column was declared
            rows = from_parquet(data, key)
            unknown = {name: pl.lit(None, declared[name]) for name in inside}
            rows = rows.with_columns(**{k: v for k, v in unknown.items() if k not in rows})
        return rows.select(pl.lit(layout.values(key)["ticker"]).alias("ticker"), pl.all())

    # ---- what was known

    def _past(
        self,
        state: State,
        tickers: Sequence[str],
        _columns: Collection[str],
        predicate: pl.Expr | None,
    ) -> Iterator[pl.DataFrame]:
        found: Iterable[tuple[str, pl.DataFrame]]
        if self._name == "raw":
            found = versions(state, tickers, predicate)
        else:
            rows = _DERIVED[self._name]
            found = ((ticker, rows(held)) for ticker, held in state.histories(tickers))
        for ticker, frame in found:
            yield frame.select(pl.lit(ticker).alias("ticker"), pl.all())


_ONE_FILE: Final[dict[str, Callable[[str], str]]] = {
    "history": layout.history,
    "tickers": layout.listing,
}
"""The tables that have one file for each ticker, and its key."""

_DERIVED: Final[dict[str, Callable[[History], pl.DataFrame]]] = {
    "history": lambda held: held.bars,
    "daily": derived.refined,
    "tickers": derived.listing,
}
