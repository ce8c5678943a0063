"""A table's files as Spark reads them: at one moment, whatever a transform is doing meanwhile."""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl
from pyspark.sql.datasource import InputPartition
from pyspark.sql.types import StructType

from tickerlake.engines.spark_filters import Bounds, Pruning
from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, derived, layout, manifests, open_lake, packs, snapshot
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

FILES_A_TASK: Final = 64


@dataclass
class Files(InputPartition):
    """What one Spark task reads: keys, and of blobs the run and the moment of their commits.

    `pinned` is the moment whose rows they are; None for blobs, which never change.
    """

    keys: list[str]
    commits: list[dict[str, Any]]
    pinned: Snapshot | None = None


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
    _last: tuple[object, Mapping[str, pl.DataFrame]] = (None, {})

    def partitions(self) -> Sequence[InputPartition]:
        """Return the files that the filters leave, grouped into tasks."""
        opened = open_lake(self.lake)
        pinned = snapshot.now(opened.store)
        # blobs never change
        pending = set(pinned.pending) if self.prefix != layout.RAW else set()
        whole, changing = [], []
        for key, commit in self._files(opened):
            values = layout.values(key)
            if values["ticker"] in pending:
                changing.append(key)
            elif self._left(opened.grain, values):
                whole.append((key, commit))
        tickers = [each for each in sorted(pending) if self._left(opened.grain, {"ticker": each})]
        stable = [Files(*_split(part), self._of(pinned, part)) for part in _chunks(whole)]
        moving = _by_ticker(tickers, changing)
        return [*stable, *(Derived(*each, pinned.of([each[0]])) for each in moving)]

    def _of(self, pinned: Snapshot, part: list[tuple[str, dict[str, Any]]]) -> Snapshot | None:
        if self.prefix == layout.RAW:
            return None
        return pinned.of({layout.values(key)["ticker"] for key, _ in part})

    def _left(self, grain: Grain, values: dict[str, str]) -> bool:
        """Return whether the filters leave anything of a partition."""
        sessions = self.bounds.get("session", Bounds()).of_partition(grain)
        if "date" in values and not sessions.leave(values["date"]):
            return False
        names = (self.bounds.keys() & values.keys()) - {"session"}
        return all(self.bounds[name].leave(values[name]) for name in names)

    def _files(self, lake: Lake) -> list[tuple[str, dict[str, Any]]]:
        """Return the table's files; those of `raw` with the run that delivered them, for each."""
        if self.prefix != layout.RAW:
            return [(key, {}) for key in sorted(lake.store.keys(self.prefix))]
        found = [
            (
                layout.blob(layout.RAW, date, ticker, digest),
                {"run_id": run.run_id, "as_of": run.as_of},
            )
            for run in manifests.read_all(lake.store, manifests.all_ids(lake.store))
            for ticker, entry in run.tickers.items()
            for date, digest in entry.blobs.items()
        ]
        return sorted(found, key=lambda each: each[0])  # those of a pack one after the other

    def read(  # type: ignore[override]
        self, partition: "Files | Derived"
    ) -> Iterator["pa.RecordBatch"]:
        """Read files, one batch per file."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        schema = to_arrow_schema(self.columns)
        lake = open_lake(self.lake)
        if isinstance(partition, Derived):
            rows = self._derived(lake, partition)
        else:
            rows = self._stored(lake, partition)
        for frame in rows:
            chosen = frame.select(self.columns.names)
            yield from chosen.to_arrow().cast(schema).combine_chunks().to_batches()

    def _stored(self, lake: Lake, part: "Files") -> Iterator[pl.DataFrame]:
        """Yield the rows of files; derive those of tickers that a transform has replaced since."""
        files = {
            key: self._file(lake, key, commit)
            for key, commit in zip(part.keys, part.commits, strict=True)
        }
        histories: dict[str, History | None] = {}
        if part.pinned is not None:
            for ticker in {layout.values(key)["ticker"] for key in files}:
                if snapshot.has_moved(lake.store, part.pinned, ticker):
                    histories[ticker] = snapshot.derive(lake, ticker, part.pinned)
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

    def _derived(self, lake: Lake, part: "Derived") -> Iterator[pl.DataFrame]:
        """Yield the rows of a ticker whose files may lack a run that is committed."""
        held = snapshot.derive(lake, part.ticker, part.pinned)
        if held is not None:
            yield self._rows(lake, part.ticker, held)
            return
        found = (self._file(lake, key, {}) for key in part.keys)
        yield from (rows for rows in found if rows is not None)

    def _rows(self, lake: Lake, ticker: str, held: History) -> pl.DataFrame:
        rows = ROWS[self.prefix](held).with_columns(ticker=pl.lit(ticker))
        if self.prefix == layout.DAILY:
            rows = rows.with_columns(date=layout.partition(lake.grain))
        return rows

    def _file(self, lake: Lake, key: str, commit: dict[str, Any]) -> pl.DataFrame | None:
        data = lake.store.get(key)
        values = layout.values(key) | commit
        in_file = [name for name in self.columns.names if name not in values]
        if data is not None:
            frame = pl.read_parquet(io.BytesIO(data), columns=in_file or None)
        elif self.prefix == layout.RAW and layout.digest(key) in self._packed(lake, key):
            frame = self._packed(lake, key)[layout.digest(key)].select(in_file or pl.all())
        else:
            return None
        return frame.with_columns(pl.lit(value).alias(name) for name, value in values.items())

    def _packed(self, lake: Lake, key: str) -> Mapping[str, pl.DataFrame]:
        """Return the blobs of the pack that a blob may be in; the last pack is kept."""
        values = layout.values(key)
        place = (values["date"], values["ticker"])
        if place != self._last[0]:
            self._last = (place, packs.find(lake, *place))
        return self._last[1]


def _chunks(files: list[T]) -> list[list[T]]:
    """Return the files of each task; Spark turns no task at all into one that is None."""
    starts = range(0, max(len(files), 1), FILES_A_TASK)
    return [files[start : start + FILES_A_TASK] for start in starts]


def _split(part: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], list[dict[str, Any]]]:
    return [key for key, _ in part], [commit for _, commit in part]


def _by_ticker(tickers: list[str], keys: list[str]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {ticker: [] for ticker in tickers}
    for key in keys:
        found.get(layout.values(key)["ticker"], []).append(key)
    yield from found.items()


ROWS: Final[dict[str, Callable[[History], pl.DataFrame]]] = {
    layout.DAILY: derived.refined,
    layout.HISTORY: lambda held: held.bars,
}
"""The rows that a history gives, by a table's prefix."""
