"""A footer that says anything else than the rows is found."""

import io
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tickerlake.lake.parquet_statistics import lies


def written(*values: int | None) -> bytes:
    """A file with two rows in each row group."""
    buffer = io.BytesIO()
    table = pa.table({"number": pa.array(values, pa.int64()), "other": [1] * len(values)})
    pq.write_table(table, buffer, row_group_size=2, use_dictionary=False, compression="none")
    return buffer.getvalue()


@pytest.mark.parametrize("values", [(5001, 5002), (5001, None, None, None), ()])
def test_a_footer_that_is_right(values):
    assert lies(written(*values)) == []


@pytest.mark.parametrize("pair", [(5001, 5002), (5003, 5004)])
@pytest.mark.parametrize("new", [(4999, 5002), (5002, 4999), (5009, 5002), (5001, 5009)])
def test_a_value_outside_of_what_the_footer_says(pair, new):
    """Below or above the bounds, in the first or the last row group."""
    rows = struct.pack("<qq", *pair)  # only the rows have both side by side
    data = written(5001, 5002, 5003, 5004)
    assert data.count(rows) == 1
    assert lies(data.replace(rows, struct.pack("<qq", *new))) == ["number"]
