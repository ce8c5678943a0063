import json

import dictionary
import polars as pl
import pytest

from tickerlake.lake import tables
from tickerlake.market.bars import HISTORY, QUARANTINE, RAW, TICKERS
from tickerlake.market.features import DAILY, FEATURES


def test_the_file_is_up_to_date():
    assert dictionary.PATH.read_text(encoding="utf-8") == dictionary.render(), "run: make docs"


def test_the_catalogs_tables_are_up_to_date():
    assert dictionary.TABLES_PATH.read_text(encoding="utf-8") == dictionary.render_tables(), (
        "run: make docs"
    )


def test_the_catalog_takes_the_tables():
    for table in json.loads(dictionary.render_tables()).values():
        columns = [*table["columns"], *table["partition_keys"]]
        names = [column["name"] for column in columns]
        assert len(set(names)) == len(names)
        assert all(len(column["comment"]) <= 255 for column in columns), "Glue refuses longer ones"


def test_types_of_the_catalog():
    types = [pl.Date(), pl.Float64(), pl.Int64(), pl.String(), pl.Datetime("us", "UTC")]
    names = [tables.sql_type(each) for each in types]
    assert names == ["date", "double", "bigint", "string", "timestamp"]
    with pytest.raises(KeyError):
        tables.sql_type(pl.Duration())


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_feature_is_documented(feature):
    assert feature.doc.endswith(".")
    assert feature.unit
    assert feature.source
    assert "|" not in feature.doc + feature.unit + feature.source, "it would break the table"


def test_every_other_column_is_documented_and_nothing_else():
    features = {feature.name for feature in FEATURES}
    columns = {"date", "ticker", "run_id", *RAW, *HISTORY, *QUARANTINE, *DAILY, *TICKERS}
    assert tables.COLUMNS.keys() == columns - features
    assert all(doc.endswith(".") for _, doc in tables.COLUMNS.values())


def test_no_feature_has_the_name_of_another_column():
    names = [*tables.COLUMNS, *(feature.name for feature in FEATURES)]
    assert len(set(names)) == len(names)
