"""Write down the declared tables: as Markdown for people, as JSON for Terraform.

`python tools/dictionary.py` writes `docs/data-dictionary.md` and
`infra/modules/catalog/tables.json`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tickerlake.lake.tables import QUARANTINED, TABLES, Table, column, comment, sql_type
from tickerlake.lake.views import VIEWS, View
from tickerlake.market.bars import BAR, SIGNIFICANT_DIGITS
from tickerlake.market.features import FEATURES
from tickerlake.market.flags import FLAGS

_CHECKOUT: Final = Path(__file__).parents[1]
PATH: Final = _CHECKOUT / "docs" / "data-dictionary.md"
TABLES_PATH: Final = _CHECKOUT / "infra" / "modules" / "catalog" / "tables.json"

_INTRODUCTION: Final = """\
# Data dictionary

<!-- generated from jobs/tickerlake by `make docs`; a test fails when it is stale -->

All columns of all tables and [views](#views). The tables' files are Parquet, with rows sorted by
`session`. The partition columns `date` and `ticker` are in the path, not in the files, and both are
strings; `history` and `tickers` have only `ticker`. [How to read them right](readers.md).

- Types are named as in Athena: `bigint` is a 64-bit integer, `double` a 64-bit float.
- The unit `price` is the currency of the column `currency`, per share; a `ratio` of 0.01 is 1 %.
- *First bar* is the number of the first bar of a ticker, counted from 0, that has a value: `sma_20`
  is null in the first 19 sessions. From then on, a value is null only where the description says
  so.
- No column of `daily` ever holds NaN or infinity.
- In formulas, `[-1]` is the session before, and a number of sessions includes the current one.
  `TA-Lib NAME(parameters)` is a function of [TA-Lib](https://ta-lib.org/functions/), whose own code
  computes the feature.
"""

_Rows = Sequence[tuple[str, ...]]


def _columns(table: Table) -> _Rows:
    return [(f"`{name}`", kind, *column(name)) for name, kind in table.sql_types().items()]


def _table(header: tuple[str, ...], rows: _Rows) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _section(title: str, text: str, header: tuple[str, ...], rows: _Rows) -> str:
    return f"\n## {title}\n\n{text}\n\n{_table(header, rows)}"


def _views() -> str:
    """Return the part on views."""
    rows = [(f"[`{name}`](#{name})", view.doc) for name, view in VIEWS.items()]
    text = (
        "A view is a query with a name. It is the same in `tickerlake query`, in Athena (once the"
        " transformer or `tickerlake catalog sync` has run), in Spark, and in a file that"
        " `tickerlake views FILE.duckdb` writes. Its values are computed when it is read."
    )
    sections = (
        _section(name, view.doc, ("Column", "Type", "Unit", "Description"), _of_view(view))
        for name, view in VIEWS.items()
    )
    return _section("Views", text, ("View", "Rows"), rows) + "".join(
        section.replace("\n## ", "\n### ", 1) for section in sections
    )


def _of_view(view: View) -> _Rows:
    return [(f"`{name}`", *column) for name, column in view.columns.items()]


def render() -> str:
    """Return the data dictionary as Markdown."""
    header = ("Column", "Type", "Unit", "Description")
    features = {feature.name: feature for feature in FEATURES}
    daily = []
    for name, kind, unit, doc in _columns(TABLES["daily"]):
        feature = features.get(name.strip("`"))
        warm_up = str(feature.warm_up) if feature else "0" if name.strip("`") in BAR else ""
        daily.append((name, kind, unit, warm_up, doc, feature.source if feature else ""))
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
                "The newest version of every bar, one file per ticker. Prices, dividends and"
                " volumes are on today's split basis.",
                header,
                _columns(TABLES["history"]),
            ),
            _section(
                "tickers",
                "What is known of each ticker, one row and one file per ticker.",
                header,
                _columns(TABLES["tickers"]),
            ),
            _section(
                "raw",
                "What the source said, never changed. Prices, dividends and volumes are on the"
                " split basis of the fetch; prices and dividends are rounded to"
                f" {SIGNIFICANT_DIGITS} significant digits. In `tickerlake query`, the table `raw`"
                " holds every committed version of every bar. There it has the columns `run_id` and"
                " `as_of` of the run that delivered the bar, and no `date`.",
                header,
                _columns(TABLES["raw"]),
            ),
            _section(
                "quarantine",
                "Rows that can't be used, as the source delivered them. Other engines can read the"
                " files; they are no table of `tickerlake query`, nor of the Data Catalog.",
                header,
                _columns(QUARANTINED),
            ),
            _section(
                "Flags",
                "The names that the column `flags` of `history` and `daily` may hold.",
                ("Flag", "What it says of a bar"),
                [(f"`{name}`", meaning) for name, meaning in FLAGS.items()],
            ),
            _views(),
        ]
    )


def tables() -> dict[str, dict[str, Any]]:
    """Return the catalog's tables: location, columns and partition keys."""
    return {
        name: {
            "location": table.prefix,
            "columns": [
                {"name": name, "type": sql_type(dtype), "comment": comment(name)}
                for name, dtype in table.schema.items()
            ],
            "partition_keys": [
                {"name": name, "type": "string", "comment": comment(name)}
                for name in table.partition_keys
            ],
        }
        for name, table in TABLES.items()
    }


def render_tables() -> str:
    """Return the text of the file from which infra/ creates the catalog's tables."""
    return json.dumps(tables(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    TABLES_PATH.write_text(render_tables(), encoding="utf-8")
