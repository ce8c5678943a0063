"""The lake's tables in Spark: `spark.read.format("tickerlake").option("table", "daily").load(url)`.

A Python data source of Spark 4. It reads through our own store, so a notebook on Glue, on EMR or on
a laptop needs no jar, and opens a lake wherever the other commands do.

    from tickerlake.engines import spark_datasource as datasource
    datasource.register(spark)
    spark.read.format("tickerlake").load("s3://bucket/lake").where("ticker = 'AAPL'")

The option `table` is `daily` (default), `history`, `tickers` or `raw`; `asOf` (a moment, a run's id
or a stamp) reads it as it was.

Filters on `ticker`, `date` or `session` limit the files that are read, and
`.schema("ticker string, session date, close double")` limits the columns. Spark does not tell a
Python data source which columns a query uses, so without `.schema` all are read. `create_views`
gives SQL all tables and views.
"""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from pyspark.sql.datasource import (
    DataSource,
    DataSourceReader,
    EqualTo,
    Filter,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    InputPartition,
    LessThan,
    LessThanOrEqual,
)
from pyspark.sql.types import StructType

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import Lake, frames, layout, manifests, open_lake, states
from tickerlake.lake.frames import Wanted
from tickerlake.lake.store import environment, open_store
from tickerlake.lake.tables import TABLES, Table
from tickerlake.lake.views import VIEWS, sql

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

READABLE: Final = ("daily", "history", "tickers", "raw")

COMMIT: Final = {"run_id": "string", "as_of": "timestamp"}
"""What `raw` has besides its own columns: the run that delivered the bar."""

FILES_A_TASK: Final = 64
TICKERS_A_TASK: Final = 16


def register(spark: "SparkSession") -> None:
    """Register the format with a session, and let Spark push filters down to it."""
    spark.conf.set("spark.sql.python.filterPushdown.enabled", "true")
    spark.dataSource.register(Tickerlake)


def create_views(spark: "SparkSession", lake: str, as_of: str | None = None) -> None:
    """Make the tables and views of a lake known to a session's SQL, as temporary views.

    Args:
        spark: the session; the format is registered with it, too.
        lake: its folder or URL.
        as_of: a moment, a run's id or a stamp, to have them as they were; None is now.
    """
    register(spark)
    for name in READABLE:
        source = spark.read.format("tickerlake").option("table", name)
        if as_of is not None:
            source = source.option("asOf", as_of)
        source.load(lake).createOrReplaceTempView(name)
    for name in VIEWS:
        spark.sql(f"create or replace temporary view {name} as {sql(name, 'spark')}")


class Tickerlake(DataSource):
    """The format `tickerlake`. Options: `table`, one of `READABLE` (or `daily`), and `asOf`."""

    @classmethod
    def name(cls) -> str:
        """Return the name to pass to `format`."""
        return "tickerlake"

    def schema(self) -> str:
        """Return the partition columns, followed by the table's own."""
        types = self._types()
        return ", ".join(f"`{name}` {kind}" for name, kind in types.items())

    def reader(self, schema: StructType) -> "Reader | PastReader":
        """Return a reader of the columns in a schema."""
        table, types = self._table(), self._types()
        unknown = sorted(set(schema.names) - types.keys())
        if unknown:
            raise UsageError(f"the table has no column {', '.join(unknown)}")
        for given in schema.fields:
            # a filter on another type would choose the wrong files
            if given.dataType.simpleString() != types[given.name]:
                raise UsageError(f"column {given.name} is of type {types[given.name]}")
        path = self.options.get("path")
        if not path:
            raise UsageError("which lake? Give its folder or URL: .load('s3://bucket/lake')")
        if (as_of := self.options.get("asOf")) is not None:
            return PastReader(path, table.name, schema, environment(path), as_of)
        return Reader(path, table.prefix, schema, environment(path))

    def _types(self) -> dict[str, str]:
        table = self._table()
        return {**table.sql_types(), **(COMMIT if table.name == "raw" else {})}

    def _table(self) -> Table:
        name = self.options.get("table", "daily")
        if name in VIEWS:
            raise UsageError(f"{name} is a view: create_views(spark, url) makes it known to Spark")
        if name not in READABLE:
            raise UsageError(f"there is no table {name!r}; the tables are {', '.join(READABLE)}")
        return TABLES[name]


@dataclass
class Files(InputPartition):
    """The keys that one Spark task reads; those of `raw` with the run that delivered them."""

    keys: list[str]
    commits: list[dict[str, Any]]


@dataclass
class Bounds:
    """What filters leave of a column: the values of a set, between a least and a greatest one."""

    among: set[Any] | None = None
    least: Any = None
    greatest: Any = None

    def narrow(self, condition: Filter) -> bool:
        """Apply a filter; return False if it can't be expressed as bounds."""
        match condition:
            case EqualTo(value=value) if value is not None:
                self.among = {value} & (self.among if self.among is not None else {value})
            case In(value=values):
                found = set(values) - {None}
                self.among = found & (self.among if self.among is not None else found)
            # the bounds of partitions are inclusive: Spark checks every row again
            case GreaterThan(value=value) | GreaterThanOrEqual(value=value) if value is not None:
                self.least = value if self.least is None else max(self.least, value)
            case LessThan(value=value) | LessThanOrEqual(value=value) if value is not None:
                self.greatest = value if self.greatest is None else min(self.greatest, value)
            case _:
                return False
        return True

    def of_partition(self, grain: layout.Grain) -> "Bounds":
        """Return these bounds of a session as bounds of its partition."""

        def cut(day: date | None) -> str | None:
            return None if day is None else layout.partition_of(day, grain)

        among = None if self.among is None else {cut(day) for day in self.among}
        return Bounds(among, cut(self.least), cut(self.greatest))

    def leave(self, value: Any) -> bool:
        """Return whether a value is within the bounds."""
        return (
            (self.among is None or value in self.among)
            and (self.least is None or value >= self.least)
            and (self.greatest is None or value <= self.greatest)
        )


class Pruning(DataSourceReader):
    """A reader that notes the filters that decide what it has to read."""

    bounds: dict[str, Bounds]

    def pushFilters(self, filters: list[Filter]) -> Iterator[Filter]:  # noqa: N802 - Spark's name
        """Note the filters that prune partitions; return all, as Spark has to check the rows."""
        for condition in filters:
            column = getattr(condition, "attribute", ())
            if column in (("ticker",), ("date",), ("session",)):
                self.bounds.setdefault(column[0], Bounds()).narrow(condition)
            yield condition


@dataclass
class Reader(Pruning):
    """Reads a table's files into the columns of a schema."""

    lake: str
    prefix: str
    columns: StructType
    environment: dict[str, str]
    bounds: dict[str, Bounds] = field(default_factory=dict)

    def partitions(self) -> Sequence[Files]:
        """Return the files that the filters leave, grouped into tasks."""
        opened = open_lake(self.lake)
        bounds = {name: each for name, each in self.bounds.items() if name != "session"}
        sessions = self.bounds.get("session", Bounds()).of_partition(opened.grain)

        def left(values: dict[str, str]) -> bool:
            if "date" in values and not sessions.leave(values["date"]):
                return False
            return all(bounds[name].leave(values[name]) for name in bounds.keys() & values.keys())

        found = [each for each in self._files(opened) if left(layout.values(each[0]))]
        # Spark turns an empty list into one partition that is None
        starts = range(0, max(len(found), 1), FILES_A_TASK)
        parts = [found[start : start + FILES_A_TASK] for start in starts]
        return [Files([key for key, _ in part], [commit for _, commit in part]) for part in parts]

    def _files(self, lake: Lake) -> list[tuple[str, dict[str, Any]]]:
        """Return the table's files; those of `raw` with the run that delivered them, for each."""
        if self.prefix != layout.RAW:
            return [(key, {}) for key in sorted(lake.store.keys(self.prefix))]
        return [
            (
                layout.blob(layout.RAW, date, ticker, digest),
                {"run_id": run.run_id, "as_of": run.as_of},
            )
            for run in manifests.read_all(lake.store, manifests.all_ids(lake.store))
            for ticker, entry in run.tickers.items()
            for date, digest in entry.blobs.items()
        ]

    def read(self, partition: Files) -> Iterator["pa.RecordBatch"]:  # type: ignore[override]
        """Read files, one batch per file."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        schema = to_arrow_schema(self.columns)
        store = open_store(self.lake)
        for key, commit in zip(partition.keys, partition.commits, strict=True):
            data = store.get(key)
            if data is None:
                raise CorruptObjectError(f"{key} was deleted before it could be read")
            values = layout.values(key) | commit
            in_file = [name for name in self.columns.names if name not in values]
            frame = pl.read_parquet(io.BytesIO(data), columns=in_file or None)
            frame = frame.with_columns(
                pl.lit(value).alias(name) for name, value in values.items()
            ).select(self.columns.names)
            yield from frame.to_arrow().cast(schema).combine_chunks().to_batches()


@dataclass
class State(InputPartition):
    """The tickers that one Spark task derives, and the stamp of the state that they are part of."""

    stamp: str
    tickers: list[str]


@dataclass
class PastReader(Pruning):
    """Derives the rows of a table as of a past state."""

    lake: str
    table: str
    columns: StructType
    environment: dict[str, str]
    as_of: str
    bounds: dict[str, Bounds] = field(default_factory=dict)

    def partitions(self) -> Sequence[State]:
        """Return the tickers that the filters leave, grouped into tasks."""
        opened = open_lake(self.lake)
        found = states.resolve(opened, self.as_of)
        bounds = self.bounds.get("ticker", Bounds())
        names = [name for name in frames.held(opened, found) if bounds.leave(name)]
        starts = range(0, max(len(names), 1), TICKERS_A_TASK)
        return [State(found.stamp, names[start : start + TICKERS_A_TASK]) for start in starts]

    def read(self, partition: State) -> Iterator["pa.RecordBatch"]:  # type: ignore[override]
        """Derive tickers, one batch for each."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        schema, opened = to_arrow_schema(self.columns), open_lake(self.lake)
        state = states.resolve(opened, partition.stamp)
        sessions = self.bounds.get("session", Bounds())
        for ticker in partition.tickers:
            wanted = Wanted((ticker,), sessions.least, sessions.greatest)
            frame = frames.read(opened, self.table, state, wanted)
            if "date" in self.columns.names:
                frame = frame.with_columns(date=layout.partition(opened.grain))
            table = frame.select(self.columns.names).to_arrow()
            yield from table.cast(schema).combine_chunks().to_batches()
