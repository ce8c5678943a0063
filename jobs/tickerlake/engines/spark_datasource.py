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

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pyspark.sql.datasource import (
    DataSource,
    DataSourceReader,
    InputPartition,
)
from pyspark.sql.types import StructType

from tickerlake.engines.spark_files import Reader
from tickerlake.engines.spark_filters import Bounds, Pruning
from tickerlake.errors import UsageError
from tickerlake.lake import frames, layout, open_lake, time_travel
from tickerlake.lake.frames import Wanted
from tickerlake.lake.store import environment
from tickerlake.lake.tables import TABLES, Table
from tickerlake.lake.views import VIEWS, sql

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

READABLE: Final = ("daily", "history", "tickers", "raw")

COMMIT: Final = {"run_id": "string", "as_of": "timestamp"}
"""What `raw` has besides its own columns: the run that delivered the bar."""

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

    def reader(self, schema: StructType) -> "Reader | ListingReader | PastReader":
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
        if table.name == "tickers":
            return ListingReader(path, schema, environment(path))
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
class ListingReader(DataSourceReader):
    """Reads the table `tickers`, which is one object, in one task."""

    lake: str
    columns: StructType
    environment: dict[str, str]

    def read(self, partition: InputPartition) -> Iterator["pa.RecordBatch"]:  # noqa: ARG002
        """Read all rows."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        rows = frames.read(open_lake(self.lake), "tickers", None, Wanted())
        table = rows.select(self.columns.names).to_arrow().cast(to_arrow_schema(self.columns))
        yield from table.combine_chunks().to_batches()


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
        found = time_travel.resolve(opened, self.as_of)
        bounds = self.bounds.get("ticker", Bounds())
        names = [name for name in frames.held(opened, found) if bounds.leave(name)]
        starts = range(0, max(len(names), 1), TICKERS_A_TASK)
        return [State(found.stamp, names[start : start + TICKERS_A_TASK]) for start in starts]

    def read(self, partition: State) -> Iterator["pa.RecordBatch"]:  # type: ignore[override]
        """Derive tickers, one batch for each."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        schema, opened = to_arrow_schema(self.columns), open_lake(self.lake)
        state = time_travel.resolve(opened, partition.stamp)
        sessions = self.bounds.get("session", Bounds())
        for ticker in partition.tickers:
            wanted = Wanted((ticker,), sessions.least, sessions.greatest)
            frame = frames.read(opened, self.table, state, wanted)
            if "date" in self.columns.names:
                frame = frame.with_columns(date=layout.partition(opened.grain))
            table = frame.select(self.columns.names).to_arrow()
            yield from table.cast(schema).combine_chunks().to_batches()
