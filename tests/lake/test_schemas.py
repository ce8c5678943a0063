"""The files of a table have one schema, of types that Athena and Spark read."""

import io

import pyarrow.parquet as pq
import pytest
from helpers import new_lake
from small_market import STEPS, run

from tickerlake.lake.tables import TABLES

REFUSED = ("INT96", "FIXED_LEN_BYTE_ARRAY")


@pytest.mark.parametrize("grain", ["day", "month", "year"])
def test_a_table_has_one_schema_of_types_that_every_engine_reads(grain):
    lake = new_lake("memory://", grain)
    for day in STEPS[:2]:
        run(lake, day)
    for table in TABLES.values():
        schemas = set()
        for key in lake.store.keys(table.prefix):
            if key.endswith(".parquet"):
                data = lake.store.get(key)
                assert data is not None
                schema = pq.ParquetFile(io.BytesIO(data)).schema
                columns = (schema.column(number) for number in range(len(schema)))
                schemas.add(
                    tuple(
                        (each.path, each.physical_type, str(each.logical_type)) for each in columns
                    )
                )
        assert len(schemas) == 1, table.name
        for path, physical, logical in schemas.pop():
            assert path not in ("date", "ticker"), "a partition column is in the path alone"
            assert physical not in REFUSED
            assert "nano" not in logical.lower()
            assert "isSigned=false" not in logical
            if path == "session":
                assert (physical, logical) == ("INT32", "Date")
