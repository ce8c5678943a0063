"""A table's files as Spark reads them: at one moment, whatever a transform is doing meanwhile.

Spark pickles a reader once, and before it asks for the partitions. So what all tasks need, the runs
of the moment, travels with the reader, and a partition has only what its own tickers need.
"""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from pyspark.sql.datasource import InputPartition
from pyspark.sql.types import StructType

from tickerlake.engines.spark_filters import Bounds, Pruning
from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, derived, layout, open_lake, snapshot
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

FILES_A_TASK: Final = 64


@dataclass
class Files(InputPartition):
    """What one Spark task reads: keys, and the moment whose rows they are, without its runs."""

    keys: list[str]
    pinned: Snapshot


@dataclass
class Derived(InputPartition):
    """A ticker that one Spark task derives, and its keys in case that it is damaged."""

    ticker: str
    keys: list[str]
    pinned: Snapshot


@dataclass
class Reader(Pruning):
    """Reads a table's files into the columns of a schema."""

    lake: str
    prefix: str
    columns: StructType
    environment: dict[str, str]
    bounds: dict[str, Bounds] = field(default_factory=dict)

    @cached_property
    def pinned(self) -> Snapshot:
        """The moment that it reads; in a task, only its runs."""
        return snapshot.now(open_lake(self.lake).store)

    def __getstate__(self) -> dict[str, Any]:
        """Return what to pickle."""
        return vars(self) | {"pinned": Snapshot(self.pinned.runs, {}, {})}

    def partitions(self) -> Sequence[InputPartition]:
        """Return the files that the filters leave, grouped into tasks."""
        opened, pinned = open_lake(self.lake), self.pinned
        whole, changing = [], []
        for key in sorted(opened.store.keys(self.prefix)):
            values = layout.values(key)
            if values["ticker"] in pinned.pending:
                changing.append(key)
            elif self._left(opened.grain, values):
                whole.append(key)
        tickers = [
            each for each in sorted(pinned.pending) if self._left(opened.grain, {"ticker": each})
        ]
        stable = [
            Files(part, self._of({layout.values(key)["ticker"] for key in part}))
            for part in _chunks(whole)
        ]
        moving = _by_ticker(tickers, changing)
        return [*stable, *(Derived(ticker, keys, self._of({ticker})) for ticker, keys in moving)]

    def _of(self, tickers: set[str]) -> Snapshot:
        return replace(self.pinned.of(tickers), runs=frozenset())

    def _left(self, grain: Grain, values: dict[str, str]) -> bool:
        """Return whether the filters leave anything of a partition."""
        sessions = self.bounds.get("session", Bounds()).of_partition(grain)
        if "date" in values and not sessions.leave(values["date"]):
            return False
        names = (self.bounds.keys() & values.keys()) - {"session"}
        return all(self.bounds[name].leave(values[name]) for name in names)

    def read(  # type: ignore[override]
        self, partition: "Files | Derived"
    ) -> Iterator["pa.RecordBatch"]:
        """Read files, one batch per file."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        schema = to_arrow_schema(self.columns)
        lake = open_lake(self.lake)
        pinned = replace(partition.pinned, runs=self.pinned.runs)
        if isinstance(partition, Derived):
            rows = self._derived(lake, partition, pinned)
        else:
            rows = self._stored(lake, partition.keys, pinned)
        for frame in rows:
            chosen = frame.select(self.columns.names)
            yield from chosen.to_arrow().cast(schema).combine_chunks().to_batches()

    def _stored(self, lake: Lake, keys: list[str], pinned: Snapshot) -> Iterator[pl.DataFrame]:
        """Yield the rows of files; derive those of tickers that a transform has replaced since."""
        files = {key: self._file(lake, key) for key in keys}
        histories: dict[str, History | None] = {}
        for ticker in {layout.values(key)["ticker"] for key in files}:
            if snapshot.has_moved(lake.store, pinned, ticker):
                histories[ticker] = snapshot.derive(lake, ticker, pinned)
        for key, rows in files.items():
            values = layout.values(key)
            held = histories.get(values["ticker"])
            if held is not None:
                derived = self._rows(lake, values["ticker"], held)
                yield derived.filter(pl.col(name) == value for name, value in values.items())
            elif rows is None:
                raise CorruptObjectError(f"{key} was deleted before it could be read")
            else:
                yield rows

    def _derived(self, lake: Lake, part: "Derived", pinned: Snapshot) -> Iterator[pl.DataFrame]:
        """Yield the rows of a ticker whose files may lack a run that is committed."""
        held = snapshot.derive(lake, part.ticker, pinned)
        if held is not None:
            yield self._rows(lake, part.ticker, held)
            return
        found = (self._file(lake, key) for key in part.keys)
        yield from (rows for rows in found if rows is not None)

    def _rows(self, lake: Lake, ticker: str, held: History) -> pl.DataFrame:
        rows = ROWS[self.prefix](held).with_columns(ticker=pl.lit(ticker))
        if self.prefix == layout.DAILY:
            rows = rows.with_columns(date=layout.partition(lake.grain))
        return rows

    def _file(self, lake: Lake, key: str) -> pl.DataFrame | None:
        data = lake.store.get(key)
        if data is None:
            return None
        values = layout.values(key)
        in_file = [name for name in self.columns.names if name not in values]
        frame = pl.read_parquet(io.BytesIO(data), columns=in_file or None)
        return frame.with_columns(pl.lit(value).alias(name) for name, value in values.items())


def _chunks(files: list[str]) -> list[list[str]]:
    """Return the files of each task; Spark turns no task at all into one that is None."""
    starts = range(0, max(len(files), 1), FILES_A_TASK)
    return [files[start : start + FILES_A_TASK] for start in starts]


def _by_ticker(tickers: list[str], keys: list[str]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {ticker: [] for ticker in tickers}
    for key in keys:
        found.get(layout.values(key)["ticker"], []).append(key)
    yield from found.items()


ROWS: Final[dict[str, Callable[[History], pl.DataFrame]]] = {
    layout.DAILY: derived.refined,
    layout.HISTORY: lambda held: held.bars,
    layout.TICKERS: derived.listing,
}
"""The rows that a history gives, by a table's prefix."""
