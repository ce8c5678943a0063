"""Compare what a Parquet file's footer says about its columns with what is in them.

Engines skip files by these statistics, so a footer that lies hides rows that are there.
"""

import io
from typing import Any

import pyarrow.parquet as pq


def lies(data: bytes) -> list[str]:
    """Return the columns whose statistics do not match the rows.

    Raises:
        Exception: the file can't be read; pyarrow's errors are of many kinds.
    """
    file = pq.ParquetFile(io.BytesIO(data))
    found = []
    for group in range(file.metadata.num_row_groups):
        table = file.read_row_group(group)
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            values = table.column(number)
            if column.statistics is not None and not _is_true(column.statistics, values):
                found.append(column.path_in_schema)
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
