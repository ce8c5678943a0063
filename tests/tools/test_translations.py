"""The views in other dialects: up to date, and of the declared columns and types."""

import pytest
import sqlglot
import translations
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS, sql

SCHEMA = {name: table.sql_types() for name, table in TABLES.items()}
COMMIT = {"run_id": "string", "as_of": "timestamp"}


def test_the_file_is_up_to_date():
    assert translations.PATH.read_text(encoding="utf-8") == translations.render(), "run: make docs"


@pytest.mark.parametrize("dialect", ["duckdb", *translations.DIALECTS])
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_the_declared_columns_in_every_dialect(name, dialect):
    tables = SCHEMA if dialect == "trino" else {**SCHEMA, "raw": SCHEMA["raw"] | COMMIT}
    parsed = sqlglot.parse_one(sql(name, dialect), read=dialect)
    schema = {
        table: {
            column: sqlglot.exp.DataType.build(kind, dialect="hive").sql(dialect)
            for column, kind in columns.items()
        }
        for table, columns in tables.items()
    }
    # raises for a table or a column that does not exist
    known = annotate_types(qualify(parsed, schema=schema, dialect=dialect), schema=schema)
    declared = VIEWS[name].columns
    assert [each.alias_or_name for each in known.selects] == list(declared)
    for each in known.selects:
        found = each.type.sql("hive").lower()
        if found != "unknown" and dialect != "spark":  # tests/spark asks Spark itself
            assert found == declared[each.alias_or_name].kind, each.alias_or_name
