"""The lake's tables in Spark: `spark.read.format("tickerlake").option("table", "daily").load(url)`.

A Python data source of Spark 4. It reads through our own store, so a notebook on Glue, on EMR or on
a laptop needs no jar, and opens a lake wherever the other commands do.

    from tickerlake.engines import spark_datasource as datasource
    datasource.register(spark)
    spark.read.format("tickerlake").load("s3://bucket/lake").where("ticker = 'AAPL'")

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
from tickerlake.lake import Lake, layout, manifests, open_lake
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


def register(spark: "SparkSession") -> None:
    """Register the format with a session, and let Spark push filters down to it."""
    spark.conf.set("spark.sql.python.filterPushdown.enabled", "true")
    spark.dataSource.register(Tickerlake)


def create_views(spark: "SparkSession", lake: str) -> None:
    """Make the tables and views of a lake known to a session's SQL, as temporary views."""
    register(spark)
    for name in READABLE:
        table = spark.read.format("tickerlake").option("table", name).load(lake)
        table.createOrReplaceTempView(name)
    for name in VIEWS:
        spark.sql(f"create or replace temporary view {name} as {sql(name, 'spark')}")


class Tickerlake(DataSource):
    """The format `tickerlake`. Option `table`: one of `READABLE`; `daily` if there is none."""

    @classmethod
    def name(cls) -> str:
        """Return the name to pass to `format`."""
        return "tickerlake"

    def schema(self) -> str:
        """Return the partition columns, followed by the table's own."""
        types = self._types()
        return ", ".join(f"`{name}` {kind}" for name, kind in types.items())

    def reader(self, schema: StructType) -> "Reader":
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
        return Reader(path, table.prefix, schema, environment(path))

    def _types(self) -> dict[str, str]:
        table = self._table()
        return {**table.sql_types(), **(COMMIT if table.name == "raw" else {})}

    def _table(self) -> Table:
        name = self.options.get("table", "daily")
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


@dataclass
class Reader(DataSourceReader):
    """Reads a table's files into the columns of a schema."""

    lake: str
    prefix: str
    columns: StructType
    environment: dict[str, str]
    bounds: dict[str, Bounds] = field(default_factory=dict)

    def pushFilters(self, filters: list[Filter]) -> Iterator[Filter]:  # noqa: N802 - Spark's name
        """Note the filters that prune partitions; return all, as Spark has to check the rows."""
        for condition in filters:
            column = getattr(condition, "attribute", ())
            if column in (("ticker",), ("date",), ("session",)):
                self.bounds.setdefault(column[0], Bounds()).narrow(condition)
            yield condition

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
