"""What the declared columns and features say: Markdown for people, tables for the catalog.

`python -m tickerlake.dictionary` writes both, `docs/data-dictionary.md` and
`infra/modules/catalog/tables.json`, in a checkout.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

import polars as pl

from tickerlake import layout
from tickerlake.features import DAILY, FEATURES
from tickerlake.schema import HISTORY, QUARANTINE, RAW, SIGNIFICANT_DIGITS

_CHECKOUT: Final = Path(__file__).parents[2]
PATH: Final = _CHECKOUT / "docs" / "data-dictionary.md"
TABLES_PATH: Final = _CHECKOUT / "infra" / "modules" / "catalog" / "tables.json"

COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "date": (
        "",
        "The partition: `session` cut to the lake's grain (`2026-11-20`, `2026-11` or `2026`).",
    ),
    "ticker": ("", "The symbol, as the source spells it; percent-encoded in keys."),
    "session": ("", "The trading session's date at the exchange."),
    "open": ("price", "First price of the session."),
    "high": ("price", "Highest price of the session."),
    "low": ("price", "Lowest price of the session."),
    "close": ("price", "Last price of the session, without dividends."),
    "volume": ("shares", "Shares traded in the session."),
    "dividend": ("price", "Cash dividend that went ex that morning; 0 when none."),
    "split": ("ratio", "New shares that an old one became that morning; 1 when none."),
    "currency": ("", "The quote currency's code, as the source spells it (`GBp` is pence)."),
    "source": ("", "Where the bar is from."),
    "reasons": ("", "Names of the checks that the row failed, separated by commas."),
    "as_of": ("", "When the source said so: the moment of the fetch, UTC, to the microsecond."),
    "basis_factor": (
        "ratio",
        "Fetched prices were divided, volumes multiplied by it; not 1 if a split came afterwards.",
    ),
}
"""Unit and description of the columns that are no features."""

_INTRODUCTION: Final = """\
# Data dictionary

<!-- generated from jobs/tickerlake by `make docs`; a test fails when it is stale -->

The columns of every table. All are Parquet, with rows sorted by `session`. `date` and `ticker` are
partition columns: they are in the path, not in the files, and they are strings; `history` has only
`ticker`.

- Types are called as in Parquet and Athena: `bigint` is a 64-bit integer, `double` a 64-bit float.
- Unit `price` is quote currency (column `currency`) per share; `ratio` is a fraction (0.01 is 1 %).
- *First bar* is the 0-based number of the first bar of a ticker that has a value: `sma_20` is null
  in a ticker's first 19 sessions. After it, null stands only where the description says so.
- No column of `daily` ever holds NaN or infinity.
- In formulas `[-1]` is the session before, and a number of sessions includes the row's own.
  `TA-Lib NAME(parameters)` is a function of [TA-Lib](https://ta-lib.org/functions/), whose own code
  computes the feature.
"""

_Rows = Sequence[tuple[str, ...]]


class Column(TypedDict):
    """A column as the Glue Data Catalog has it."""

    name: str
    type: str
    comment: str


class Table(TypedDict):
    """A table as the Glue Data Catalog has it; `location` is a prefix of the lake."""

    location: str
    columns: list[Column]
    partition_keys: list[Column]


def athena_type(of: pl.DataType) -> str:
    """The type as Hive, Athena and the Glue Data Catalog call it.

    Raises:
        KeyError: no column of the lake has this type yet.
    """
    if isinstance(of, pl.Datetime):
        return "timestamp"
    return {"String": "string", "Date": "date", "Int64": "bigint", "Float64": "double"}[str(of)]


def _columns(schema: Mapping[str, pl.DataType], partitions: Iterable[str]) -> _Rows:
    types = dict.fromkeys(partitions, "string")
    types |= {name: athena_type(of) for name, of in schema.items()}
    return [(f"`{name}`", kind, *COLUMNS[name]) for name, kind in types.items()]


def _table(header: tuple[str, ...], rows: _Rows) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _section(title: str, text: str, header: tuple[str, ...], rows: _Rows) -> str:
    return f"\n## {title}\n\n{text}\n\n{_table(header, rows)}"


def render() -> str:
    """The text of the data dictionary, as Markdown."""
    header = ("Column", "Type", "Unit", "Description")
    both = ("date", "ticker")
    facts = {name: of for name, of in DAILY.items() if name in COLUMNS}
    daily = [
        *(
            (name, kind, unit, "0" if name.strip("`") in facts else "", doc, "")
            for name, kind, unit, doc in _columns(facts, both)
        ),
        *(
            (
                f"`{feature.name}`",
                athena_type(DAILY[feature.name]),
                feature.unit,
                str(feature.warm_up),
                feature.doc,
                feature.source,
            )
            for feature in FEATURES
        ),
    ]
    return _INTRODUCTION + "".join(
        [
            _section(
                "daily",
                "The table to query: bars and features. Prices, dividends and volumes are on"
                " today's split basis.",
                ("Column", "Type", "Unit", "First bar", "Description", "Source"),
                daily,
            ),
            _section(
                "history",
                "The newest version of every bar, one file a ticker. Prices, dividends and volumes"
                " are on today's split basis.",
                header,
                _columns(HISTORY, ("ticker",)),
            ),
            _section(
                "raw",
                "What the source said, never changed. Prices, dividends and volumes are on the"
                " split basis of the fetch; prices and dividends are rounded to"
                f" {SIGNIFICANT_DIGITS} significant digits. In `tickerlake query` the table `raw`"
                " holds every committed version of every bar; it begins with the columns `ticker`,"
                " `run_id` and `as_of` of the run that delivered it, and has no `date`.",
                header,
                _columns(RAW, both),
            ),
            _section(
                "quarantine",
                "Rows of the source that failed a check, as they came.",
                header,
                _columns(QUARANTINE, both),
            ),
        ]
    )


def tables() -> dict[str, Table]:
    """The tables of the Glue Data Catalog: what infra/ creates, and `catalog` keeps up to date."""
    both = ("date", "ticker")
    return {
        "raw": _catalogued(layout.RAW, RAW, both),
        "history": _catalogued(layout.HISTORY, HISTORY, ("ticker",)),
        "daily": _catalogued(layout.DAILY, DAILY, both),
    }


def _catalogued(
    location: str, schema: Mapping[str, pl.DataType], partitions: Iterable[str]
) -> Table:
    docs = {feature.name: (feature.unit, feature.doc) for feature in FEATURES}

    def column(name: str, kind: str) -> Column:
        unit, doc = docs.get(name) or COLUMNS[name]
        comment = f"{doc} Unit: {unit}." if unit else doc
        return {"name": name, "type": kind, "comment": comment.replace("`", "")}

    return {
        "location": location,
        "columns": [column(name, athena_type(of)) for name, of in schema.items()],
        "partition_keys": [column(name, "string") for name in partitions],
    }


def render_tables() -> str:
    """The text of the file that infra/ reads the catalog's tables from."""
    return json.dumps(tables(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    TABLES_PATH.write_text(render_tables(), encoding="utf-8")
