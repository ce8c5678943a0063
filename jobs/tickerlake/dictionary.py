"""The data dictionary, `docs/data-dictionary.md`, from the declared columns and features.

`python -m tickerlake.dictionary` writes it, in a checkout.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from tickerlake.features import DAILY, FEATURES
from tickerlake.schema import HISTORY, QUARANTINE, RAW, SIGNIFICANT_DIGITS

PATH: Final = Path(__file__).parents[2] / "docs" / "data-dictionary.md"

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


def _type(of: pl.DataType) -> str:
    """The type as Parquet and Athena call it."""
    if isinstance(of, pl.Datetime):
        return "timestamp"
    return {"String": "string", "Date": "date", "Int64": "bigint", "Float64": "double"}[str(of)]


def _columns(schema: Mapping[str, pl.DataType], partitions: Iterable[str]) -> _Rows:
    types = dict.fromkeys(partitions, "string")
    types |= {name: _type(of) for name, of in schema.items()}
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
                _type(DAILY[feature.name]),
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


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
