"""A lake in one DuckDB file: the same rows, for clients that know nothing of us."""

import shutil

import duckdb
import pytest
from helpers import tickerlake
from polars.testing import assert_frame_equal

from tickerlake.lake import layout, open_lake
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.stages.query import query
from tickerlake.stages.relations import MEANINGS


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    url = str(tmp_path_factory.mktemp("copy") / "lake")
    options = ["--offline", "--grain", "year", "--lake", url, "--start", "2012-01-03"]
    assert tickerlake("run", *options, "FB", "IBM").returncode == 0
    return url


def test_the_file_says_what_a_query_says(lake, tmp_path):
    file = tmp_path / "it's [one].duckdb"
    for _ in range(2):  # the second time it is replaced
        done = tickerlake("views", str(file), "--lake", lake)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Wrote {file}: rows of raw ")
    assert list(tmp_path.iterdir()) == [file]
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        shown = {name for (name,) in connection.sql("show tables").fetchall()}
        assert shown == {*TABLES, *VIEWS}
        for name in shown:
            expected = query(open_lake(lake), f"select * from {name}")
            found = connection.sql(f"select * from {name}").pl()
            assert found.columns == expected.columns
            keys = [each for each in expected.columns if each in ("ticker", "session", "week",
                    "month", "benchmark")]  # fmt: skip
            assert_frame_equal(found.sort(keys), expected.sort(keys), check_dtypes=False)
        silent = "select count(*) from duckdb_columns() where comment is null and table_name = ?"
        for name in TABLES:
            assert connection.execute(silent, [name]).fetchall() == [(0,)]
        said = dict(connection.sql("select table_name, comment from duckdb_tables()").fetchall())
        assert {name: said[name] for name in TABLES} == {name: MEANINGS[name] for name in TABLES}
        said = dict(connection.sql("select view_name, comment from duckdb_views()").fetchall())
        assert {name: said[name] for name in VIEWS} == {n: each.doc for n, each in VIEWS.items()}


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_file_that_is_not_ours_stays(lake, tmp_path, content):
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    done = tickerlake("views", str(file), "--lake", lake)
    assert done.returncode == 2
    assert "choose another name" in done.stderr
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_somebody_elses_database_stays(lake, tmp_path):
    file = tmp_path / "mine.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table t as select 1 as a")
    assert tickerlake("views", str(file), "--lake", lake).returncode == 2
    with duckdb.connect(str(file)) as connection:
        assert connection.sql("select a from t").fetchall() == [(1,)]


def test_what_goes_wrong_is_a_sentence_and_leaves_nothing(lake, tmp_path):
    done = tickerlake("views", str(tmp_path / "no" / "folder.duckdb"), "--lake", lake)
    assert done.returncode == 2
    assert "can't write" in done.stderr
    done = tickerlake("views", str(tmp_path / "x.duckdb"), "--lake", str(tmp_path / "nolake"))
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_lake_is_not_copied(lake, tmp_path):
    broken = tmp_path / "lake"
    shutil.copytree(lake, broken)
    (broken / layout.history("FB")).write_bytes(b"no Parquet")
    done = tickerlake("views", str(tmp_path / "x.duckdb"), "--lake", str(broken))
    assert done.returncode == 1
    assert "tickerlake verify" in done.stderr
    assert list(tmp_path.iterdir()) == [broken]
