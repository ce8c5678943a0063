"""Compare what a Parquet file's footer says about its columns with what is in them.

Engines skip files by these statistics, so a footer that lies hides rows that are there.
"""

import io
import logging
from typing import Any

import pyarrow.parquet as pq

log = logging.getLogger(__name__)


def lies(data: bytes) -> list[str]:
    """Return the columns whose statistics do not match the rows; nested ones are not looked at."""
    try:
        return _lies(data)
    except Exception as error:  # noqa: BLE001 - pyarrow raises many kinds
        log.debug("pyarrow can't read it: %s", error)
        return ["all of it"]


def _lies(data: bytes) -> list[str]:
    file = pq.ParquetFile(io.BytesIO(data))
    found = []
    for group in range(file.metadata.num_row_groups):
        table = file.read_row_group(group)
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            name, statistics = column.path_in_schema, column.statistics
            if statistics is None or name not in table.column_names:
                continue
            if not _is_true(statistics, table.column(name)):
                found.append(name)
    return found


def _is_true(statistics: Any, values: Any) -> bool:
    import pyarrow.compute as pc

    if statistics.has_null_count and statistics.null_count != values.null_count:
        return False
    if not statistics.has_min_max:
        return True
    if values.null_count == len(values):
        return False
    bounds = pc.min_max(values).as_py()
    return bool(statistics.min <= bounds["min"] and statistics.max >= bounds["max"])
