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
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql.datasource import (
    DataSource,
    InputPartition,
)
from pyspark.sql.types import StructType

from tickerlake.engines.spark_files import Reader
from tickerlake.engines.spark_filters import Bounds, Pruning
from tickerlake.errors import UsageError
from tickerlake.lake import Lake, checkpoints, frames, layout, open_lake, time_travel
from tickerlake.lake.by_ticker import ByTicker
from tickerlake.lake.commits import Commits
from tickerlake.lake.frames import Wanted
from tickerlake.lake.store import environment
from tickerlake.lake.tables import TABLES, Table
from tickerlake.lake.time_travel import State
from tickerlake.lake.versions import versions_of
from tickerlake.lake.views import VIEWS, sql

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from pyspark.sql import SparkSession

READABLE: Final = ("daily", "history", "tickers", "raw")

COMMIT: Final = {"run_id": "string", "as_of": "timestamp"}
"""What `raw` has besides its own columns: the run that delivered the bar."""

TICKERS_A_TASK: Final = 16

TASKS: Final = 64
"""At most, as each reads the manifests beside the checkpoint."""


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
        as_of = self.options.get("asOf")
        if as_of is not None or table.name == "raw":  # which versions there are, only manifests say
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
class Tickers(InputPartition):
    """The tickers that one Spark task reads or derives."""

    names: list[str]


@dataclass
class PastReader(Pruning):
    """Derives the rows of a table as of a past state, and reads those of `raw` at any.

    The state's runs travel with the reader, which is pickled once (see `spark_files`).
    """

    lake: str
    table: str
    columns: StructType
    environment: dict[str, str]
    as_of: str | None
    bounds: dict[str, Bounds] = field(default_factory=dict)

    @cached_property
    def runs(self) -> tuple[str, ...]:
        """The runs that the state is made of."""
        opened = open_lake(self.lake)
        if self.as_of is None:
            return time_travel.newest(opened).runs
        return time_travel.resolve(opened, self.as_of).runs

    def __getstate__(self) -> dict[str, Any]:
        """Return what to pickle."""
        return vars(self) | {"runs": self.runs}

    def partitions(self) -> Sequence[Tickers]:
        """Return the tickers that the filters leave, grouped into tasks."""
        bounds = self.bounds.get("ticker", Bounds())
        state = self._state(open_lake(self.lake))
        names = [name for name in frames.held(state.lake, state) if bounds.leave(name)]
        size = max(TICKERS_A_TASK, -(-len(names) // TASKS))
        starts = range(0, max(len(names), 1), size)
        return [Tickers(names[start : start + size]) for start in starts]

    def read(self, partition: Tickers) -> Iterator["pa.RecordBatch"]:  # type: ignore[override]
        """Read or derive tickers, one batch for some of them."""
        from pyspark.sql.pandas.types import to_arrow_schema

        os.environ.update(self.environment)
        schema, state = to_arrow_schema(self.columns), self._state(open_lake(self.lake))
        rows = self._raw if self.table == "raw" else self._derived
        date = layout.partition(state.lake.grain)
        for frame in rows(state, partition.names):
            whole = frame.with_columns(date=date) if "date" in self.columns.names else frame
            table = whole.select(self.columns.names).to_arrow()
            yield from table.cast(schema).combine_chunks().to_batches()

    def _state(self, lake: Lake) -> State:
        return State(lake, Commits(lake.store), self.runs)

    def _derived(self, state: State, tickers: Sequence[str]) -> Iterator["pl.DataFrame"]:
        sessions = self.bounds.get("session", Bounds())
        for start in range(0, len(tickers), TICKERS_A_TASK):
            some = tuple(tickers[start : start + TICKERS_A_TASK])
            wanted = Wanted(some, sessions.least, sessions.greatest)
            yield frames.read(state.lake, self.table, state, wanted)

    def _raw(self, state: State, tickers: Sequence[str]) -> Iterator["pl.DataFrame"]:
        import polars as pl

        sessions = self.bounds.get("session", Bounds())
        predicate = frames.between(sessions.least, sessions.greatest)
        store = state.lake.store
        said = ByTicker(store, state.runs, tickers, checkpoints.load(store))
        for ticker in tickers:
            rows = versions_of(state, ticker, said.of(ticker), predicate)
            yield rows.select(pl.lit(ticker).alias("ticker"), pl.all())
