"""Translate the declared views from DuckDB's dialect into Trino's (Athena's) and Spark's.

`python tools/translations.py` writes `jobs/tickerlake/lake/views.json`. So the package needs no
translator when it runs.
"""

import json
from pathlib import Path
from textwrap import dedent
from typing import Final

import sqlglot

from tickerlake.lake.views import VIEWS
from tickerlake.market.bars import EVENT

PATH: Final = Path(__file__).parents[1] / "jobs" / "tickerlake" / "lake" / "views.json"
DIALECTS: Final = ("trino", "spark")


def translate(sql: str, dialect: str) -> str:
    """Return a query in another dialect.

    Raises:
        sqlglot.errors.SqlglotError: it can't be expressed there.
    """
    [translated] = sqlglot.transpile(
        dedent(sql),
        read="duckdb",
        write=dialect,
        pretty=True,
        unsupported_level=sqlglot.ErrorLevel.RAISE,
    )
    if dialect == "trino":  # there, an array of rows becomes a column for each field
        return translated.replace(
            "UNNEST(events) AS u(e)", f"UNNEST(events) AS e({', '.join(EVENT)})"
        )
    return translated


def render() -> str:
    """Return the text of the file with all translations."""
    found = {
        dialect: {
            name: translate(
                view.athena_sql if view.athena_sql and dialect == "trino" else view.sql, dialect
            )
            for name, view in VIEWS.items()
        }
        for dialect in DIALECTS
    }
    return json.dumps(found, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
