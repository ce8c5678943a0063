"""The tables of a lake, declared once: names, prefixes, partition keys, columns and their meaning.

`query`, the Spark data source, the Glue Data Catalog and the data dictionary are all made from
`TABLES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from tickerlake.lake import layout
from tickerlake.market.bars import EVENT, HISTORY, QUARANTINE, RAW, TICKERS
from tickerlake.market.features import DAILY, FEATURES

Schema = Mapping[str, pl.DataType]


@dataclass(frozen=True)
class Table:
    """A table: the Parquet files below `prefix`, one folder for each value of `partition_keys`.

    Attributes:
        name: its name in SQL.
        prefix: what its keys in the lake begin with.
        partition_keys: the columns that are in the path, not in the files; all are strings.
        schema: the columns in the files.
        file: the name of the one file in each folder; blobs have names of their own.
    """

    name: str
    prefix: str
    partition_keys: tuple[str, ...]
    schema: Schema
    file: str = "*.parquet"

    def sql_types(self) -> dict[str, str]:
        """All columns with their SQL types, partition keys first."""
        return {
            **dict.fromkeys(self.partition_keys, "string"),
            **{name: sql_type(dtype) for name, dtype in self.schema.items()},
        }


_RAW = Table("raw", layout.RAW, ("date", "ticker"), RAW)
_HISTORY = Table("history", layout.HISTORY, ("ticker",), HISTORY, "history.parquet")
_DAILY = Table("daily", layout.DAILY, ("date", "ticker"), DAILY, "data.parquet")
_TICKERS = Table("tickers", layout.TICKERS, ("ticker",), TICKERS, "data.parquet")

TABLES: Final[Mapping[str, Table]] = {
    table.name: table for table in (_RAW, _HISTORY, _DAILY, _TICKERS)
}
"""The tables that SQL can query."""

QUARANTINED: Final = Table("quarantine", layout.QUARANTINE, ("date", "ticker"), QUARANTINE)
"""The rows that were not accepted. It is in no catalog."""

_SQL_TYPES: Final[Mapping[str, str]] = {
    "String": "string",
    "Date": "date",
    "Int64": "bigint",
    "Float64": "double",
    "Datetime(time_unit='us', time_zone='UTC')": "timestamp",
    "List(Date)": "array<date>",
}


def sql_type(dtype: pl.DataType) -> str:
    """Return the SQL type of a column: Hive's, Athena's and Spark's name for it.

    Raises:
        KeyError: no column of the lake has this type yet.
    """
    if dtype == TICKERS["events"]:
        fields = (f"{name}:{sql_type(field)}" for name, field in EVENT.items())
        return f"array<struct<{','.join(fields)}>>"
    return _SQL_TYPES[str(dtype)]


class Column(NamedTuple):
    """What a column means: its unit ('' if it has none), and a sentence."""

    unit: str
    doc: str


COLUMNS: Final[Mapping[str, Column]] = {
    "date": Column(
        "",
        "The partition: `session` cut to the lake's grain (`2026-11-20`, `2026-11` or `2026`).",
    ),
    "ticker": Column("", "The symbol, as the source spells it; percent-encoded in paths."),
    "session": Column("", "The date of the trading session, at the exchange."),
    "open": Column("price", "First price of the session."),
    "high": Column("price", "Highest price of the session."),
    "low": Column("price", "Lowest price of the session."),
    "close": Column("price", "Last price of the session; not adjusted for dividends."),
    "volume": Column("shares", "Shares traded in the session."),
    "dividend": Column("price", "Cash dividend per share, on its ex-date; 0 if none."),
    "capital_gain": Column(
        "price", "Capital gain per share that a fund paid out, on its ex-date; 0 if none."
    ),
    "split": Column("ratio", "New shares for each old one, on the ex-date; 1 if none."),
    "currency": Column("", "Currency of the prices, as the source spells it (`GBp` is pence)."),
    "dividend_currency": Column(
        "",
        "Null if all cash was paid in the prices' currency; otherwise the currency of both amounts"
        " or, after a plus sign, what was paid besides in other currencies.",
    ),
    "source": Column("", "The source that delivered the bar."),
    "flags": Column(
        "", "What is unusual about the bar: names separated by commas; empty if nothing is."
    ),
    "reasons": Column("", "Names of the checks that the row failed, separated by commas."),
    "run_id": Column("", "The run that delivered the bar."),
    "as_of": Column("", "When the bar was fetched (UTC, in microseconds)."),
    "basis_factor": Column(
        "ratio",
        "What prices were divided and volume multiplied by since the fetch; 1 unless a split came.",
    ),
    "name": Column("", "The name of the company, fund or instrument, as the source spells it."),
    "exchange": Column("", "The exchange, as the source spells it."),
    "instrument_type": Column(
        "",
        "In the source's words: EQUITY, ETF, MUTUALFUND, INDEX, CURRENCY, CRYPTOCURRENCY, FUTURE.",
    ),
    "timezone": Column("", "The exchange's time zone; sessions are dated in it."),
    "first_trade_date": Column("", "The first day of trading that the source knows of."),
    "listed_since": Column(
        "", "The earlier of the first day of trading and the first session held."
    ),
    "first_session": Column("", "The session of the first bar held."),
    "last_session": Column("", "The session of the last bar held."),
    "sessions": Column("sessions", "How many bars are held."),
    "gaps": Column(
        "", "The exchange's sessions between the first and the last bar that have no bar."
    ),
    "retired": Column(
        "", "The day after which the ticker is not asked for any more; null if it is."
    ),
    "renamed_to": Column("", "The ticker that continues this one's history; null if none does."),
    "events": Column(
        "",
        "What runs have changed about the ticker as a whole, oldest first: splits, restatements,"
        " renames and retirements. The view `revisions` has a row for each.",
    ),
}
"""The columns that are not features."""


def column(name: str) -> Column:
    """Return what a column of any table means."""
    return _FEATURES.get(name) or COLUMNS[name]


def comment(name: str) -> str:
    """Return what a column means as one plain text, for a catalog."""
    unit, doc = column(name)
    return (f"{doc} Unit: {unit}." if unit else doc).replace("`", "")


_FEATURES: Final = {feature.name: Column(feature.unit, feature.doc) for feature in FEATURES}
