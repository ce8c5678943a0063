"""The lake's Parquet files: encoding, decoding, naming and partitioning of rows."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import layout
from tickerlake.lake.layout import Grain

if TYPE_CHECKING:
    import pyarrow as pa


def to_parquet(rows: "pl.DataFrame | pa.Table", metadata: Mapping[str, str] | None = None) -> bytes:
    """Encode rows; the same rows give the same bytes.

    Most files are small, and written every day. So they are compressed by Snappy, only text has a
    dictionary, and only `session`, by which people filter, has statistics (benchmarks/writer.py).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tickerlake.market.arrays import arrow

    table = arrow(rows) if isinstance(rows, pl.DataFrame) else rows
    buffer = pa.BufferOutputStream()
    with pq.ParquetWriter(
        buffer,
        table.schema,
        compression="snappy",
        use_dictionary=[each.name for each in table.schema if pa.types.is_string_view(each.type)],
        write_statistics=["session"],
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata or {})
    data: bytes = buffer.getvalue().to_pybytes()
    return data


def to_blob(rows: pl.DataFrame) -> bytes:
    """Encode a blob by Polars: the extractor's image has no PyArrow, and raw is kept for ever."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(data: bytes, key: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Decode a Parquet file, or some columns of it.

    Raises:
        CorruptObjectError: it is not a Parquet file; names the key.
    """
    try:
        return pl.read_parquet(io.BytesIO(data), columns=columns, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise CorruptObjectError(f"{key} is not a Parquet file: {error}") from error


def digest(frame: pl.DataFrame) -> str:
    """Return the name of a blob with these rows: a hash of the rows, not of the file."""
    return hashlib.sha256(repr(frame.rows()).encode()).hexdigest()[:32]


def partitions(frame: pl.DataFrame, grain: Grain) -> Iterator[tuple[str, pl.DataFrame]]:
    """Split rows by the partition column `date`: yield its values and their rows, in order."""
    dates = np.unique(frame["session"].to_numpy().astype(f"datetime64[{layout.UNITS[grain]}]"))
    if len(dates) <= 1:  # as on most days: nothing to split
        yield from ((str(date), frame) for date in dates)
        return
    marked = frame.with_columns(_partition=layout.partition(grain))
    parts = marked.partition_by("_partition", as_dict=True, include_key=False, maintain_order=True)
    for (value,), part in parts.items():
        yield value, part
