"""The lake's views in a database of the Glue Data Catalog, where Athena finds them.

Athena keeps a view as a table without files, whose text is the query in Trino's dialect, encoded.
"""

import base64
import json
import logging
from contextlib import suppress
from typing import Any, Final

from tickerlake.lake.views import VIEWS, View, sql

log = logging.getLogger(__name__)

_TRINO_TYPES: Final = {"string": "varchar", "timestamp": "timestamp(3)"}
"""Trino's names of types, where they differ from Hive's."""

_TYPE: Final = "VIRTUAL_VIEW"
_PREFIX: Final = "/* Presto View: "
_LONGEST_COMMENT: Final = 255


def put_views(glue: Any, database: str) -> int:
    """Create the views, and replace those that are not as declared.

    Args:
        glue: a client of Glue.
        database: the database, which has the tables.

    Returns:
        How many were created or replaced.

    Raises:
        ClientError, BotoCoreError: Glue refused, or can't be reached.
    """
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    held = {table["Name"]: table for page in pages for table in page["TableList"]}
    put = 0
    for name, view in VIEWS.items():
        wanted = definition(view, database)
        if name not in held:
            with suppress(glue.exceptions.AlreadyExistsException):  # by another run, just now
                glue.create_table(DatabaseName=database, TableInput=wanted)
        elif held[name].get("TableType") != _TYPE:
            log.warning("%s.%s is not a view: rename it, or the view is missing", database, name)
            continue
        elif not _is_same(held[name], wanted):
            with suppress(glue.exceptions.ConcurrentModificationException):
                glue.update_table(DatabaseName=database, TableInput=wanted)
        else:
            continue
        put += 1
        log.info("%s.%s: view written", database, name)
    return put


def definition(view: View, database: str) -> dict[str, Any]:
    """Return a view as Glue stores it.

    Athena's own views are the model: `SHOW CREATE VIEW` works on these, too.
    """
    text = {
        "originalSql": sql(view.name, "trino"),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [
            {"name": name, "type": _TRINO_TYPES.get(column.kind, column.kind)}
            for name, column in view.columns.items()
        ],
    }
    encoded = base64.b64encode(json.dumps(text).encode()).decode()
    return {
        "Name": view.name,
        "Description": view.doc,
        "TableType": _TYPE,
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "ViewOriginalText": f"{_PREFIX}{encoded} */",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {
            "Columns": [
                {"Name": name, "Type": column.kind, "Comment": _comment(column.doc)}
                for name, column in view.columns.items()
            ],
            "Location": "",
            "SerdeInfo": {},
        },
    }


def _comment(doc: str) -> str:
    return doc.replace("`", "")[:_LONGEST_COMMENT]


def _is_same(held: dict[str, Any], wanted: dict[str, Any]) -> bool:
    columns = [
        [(each["Name"], each["Type"], each.get("Comment", "")) for each in columns]
        for columns in (
            held.get("StorageDescriptor", {}).get("Columns", []),
            wanted["StorageDescriptor"]["Columns"],
        )
    ]
    names = ("ViewOriginalText", "Description")
    return columns[0] == columns[1] and all(held.get(name) == wanted[name] for name in names)
