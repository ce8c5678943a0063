"""SQL over a lake: what it answers, what it may not do, and in which folders."""

import shutil
import time
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from helpers import bar, bars, new_lake

from tickerlake import app
from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import blobs, establish, layout, manifests, open_lake, snapshot
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.views import VIEWS
from tickerlake.settings import ExtractSettings, SourceSettings, TransformSettings
from tickerlake.stages import query as querying
from tickerlake.stages.query import query
from tickerlake.stages.relations import MEANINGS


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> str:
    """A lake of two tickers and two runs."""
    lake = str(tmp_path_factory.mktemp("query") / "lake")
    for evening in (datetime(2013, 2, 28, 22, 30, tzinfo=UTC), None):
        settings = ExtractSettings(
            lake,
            ("FB", "IBM"),
            start=date(2013, 1, 2),
            grain="month",
            source=SourceSettings(offline=True, as_of=evening, requests_per_second=1000.0),
        )
        assert app.extract(settings).exit_code == 0
        assert app.transform(TransformSettings(lake)).exit_code == 0
    return lake


def ask(lake: str, sql: str, *, unsafe: bool = False) -> list[dict[str, object]]:
    return query(open_lake(lake), sql, unsafe=unsafe).to_dicts()


def test_tables(filled):
    assert [each["name"] for each in ask(filled, "show tables")] == sorted([*MEANINGS, *VIEWS])
    [counts] = ask(
        filled,
        "select (select count(*) from daily) d, (select count(*) from HISTORY) h,"
        " (select count(distinct run_id) from raw) r",
    )
    assert counts == {"d": 82, "h": 82, "r": 2}
    names = {each["column_name"] for each in ask(filled, "describe daily")}
    assert {"ticker", "session", "close"} <= names
    assert "date" not in names


def test_an_empty_lake_has_empty_tables(tmp_path):
    lake = str(tmp_path / "lake")
    establish(new_lake(lake))
    for table in MEANINGS:
        assert ask(lake, f"select * from {table}") == []


@pytest.mark.parametrize(
    "name",
    [
        "env=prod", "date=2026-01-01", "ticker=XYZ", "my [lake]", "100%", "a%20b", "it's", "a b+c",
        "x{1}", "star*", "wh?t", 'quo"te', "\u00fc", "semi;colon", "-- x",
    ],
)  # fmt: skip
def test_a_folder_may_have_any_name(filled, tmp_path, name):
    lake = tmp_path / name / "lake"
    shutil.copytree(filled, lake)
    expected = {"FB", "IBM"}
    for table in MEANINGS:
        rows = ask(str(lake), f"select * from {table}")
        assert {row["ticker"] for row in rows} == expected
        assert not {"env", "date"} & rows[0].keys()


def test_a_relative_folder(filled, monkeypatch):
    monkeypatch.chdir(Path(filled).parent)
    assert ask("lake", "select count(*) as n from raw") == [{"n": 82}]


# ---- one statement, which reads


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("", "there is none"),
        ("-- nothing", "there is none"),
        ("select 1; select 2", "these are 2"),
        ("select 1; drop view daily", "these are 2"),
        ("selec 1", "syntax error"),
        (
            "select * from dayly",
            "The tables are raw, history, daily, tickers; the views are latest",
        ),
        ("select nope from daily", "nope"),
        ("select ?", "parameters"),
        ("select 'x'::int", "Conversion"),
        ("select error('boom')", "boom"),
    ],
)
def test_what_is_no_question_is_an_error_in_words(filled, sql, words):
    for unsafe in (False, True):
        with pytest.raises(UsageError, match=words):
            ask(filled, sql, unsafe=unsafe)


@pytest.fixture
def secret(tmp_path) -> Path:
    file = tmp_path / "secret.csv"
    file.write_text("word\nhush\n")
    return file


def test_a_query_reads_nothing_but_the_lake(filled, secret):
    lake = Path(filled)
    outside = [
        f"select * from '{secret}'",
        f"select * from read_csv('{secret}')",
        f"select * from read_text('{secret}')",
        f"select * from glob('{secret.parent}/*')",
        f"select * from read_text('{lake}/../{secret.name}')",
        f"select * from sniff_csv('{secret}')",
        f"attach '{secret}' as x",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "select * from enable_logging(storage = 'file', storage_path = 'x')",
        "select * from read_text('https://example.com/')",
    ]
    for sql in outside:
        with pytest.raises(UsageError) as error:
            ask(filled, sql)
        assert "hush" not in str(error.value)
    assert ask(filled, f"select * from '{secret}'", unsafe=True) == [{"word": "hush"}]


@pytest.mark.parametrize("folder", ["lake", "elsewhere"])
@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{}'",
        "COPY daily TO '{}' (format parquet)",
        "with x as (copy (select 1) to '{}') select 1",
        "with x as (/**/cOpY (select 1) to '{}') from x",
        "explain analyze copy (select 1) to '{}'",
        "export database '{}'",
        "attach '{}' as x",
        "create table t as select 1",
        "pragma enable_profiling",
        "call enable_logging(storage = 'file', storage_path = '{}')",
    ],
)
def test_a_query_writes_nothing(filled, tmp_path, sql, folder):
    lake = tmp_path / "lake"
    shutil.copytree(filled, lake)
    (tmp_path / "elsewhere").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="--unsafe"):
        ask(str(lake), sql.format(tmp_path / folder / "out"))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_owner_may_write(filled, tmp_path):
    file = tmp_path / "out.parquet"
    sql = f"copy (select * from daily) to '{file}'"
    assert ask(filled, sql, unsafe=True) == [{"Count": 82}]
    assert pl.read_parquet(file).height == 82


def test_variables_of_the_program_are_no_tables(filled):
    with pytest.raises(UsageError, match="MEANINGS"):
        ask(filled, "select * from MEANINGS")


@pytest.mark.parametrize(
    "sql",
    [
        "pivot (select ticker, close from daily) on ticker using max(close)",
        "explain select * from daily",
        "summarize daily",
        "with x as (select 1 as a) select * from x",
        "values (1)",
        "from daily limit 1",
    ],
)
def test_all_that_reads_is_allowed(filled, sql):
    assert ask(filled, sql)


def test_the_folder_is_named_as_its_owner_knows_it(filled, tmp_path):
    lake = tmp_path / "my [lake]"
    shutil.copytree(filled, lake)
    [history] = [key for key in open_lake(str(lake)).store.keys(layout.HISTORY) if "FB" in key]
    (lake / history).write_bytes(b"no Parquet")
    with pytest.raises(CorruptObjectError, match="tickerlake verify") as error:
        ask(str(lake), "select * from history")
    assert f"{lake}/history" in str(error.value)


def test_a_second_file_in_a_partition_is_not_read(filled, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(filled, lake)
    for name in ("data", "history"):
        for file in list(lake.rglob(f"{name}.parquet")):
            shutil.copy(file, file.with_name(f"{name} 2.parquet"))
            (file.parent / "deeper").mkdir()
            shutil.copy(file, file.parent / "deeper")
    sql = "select (select count(*) from {}) as n"
    assert [ask(str(lake), sql.format(name))[0]["n"] for name in MEANINGS] == [82, 2, 82, 82]


def test_a_missing_blob_is_named(filled, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(filled, lake)
    blob = next((lake / "raw").glob("date=*/*/*.parquet"))
    blob.unlink()
    with pytest.raises(CorruptObjectError, match=blob.name):
        ask(str(lake), "select * from raw")


# ---- values


def test_sums_are_integers(filled):
    [row] = ask(
        filled,
        "select sum(volume) as v, 1.5 as d, sum(18446744073709551615::ubigint) as u from daily",
    )
    assert isinstance(row["v"], int)
    assert row["d"] == 1.5
    assert row["u"] == pytest.approx(82 * 2.0**64)


def test_moments_are_in_utc_wherever_the_machine_is(filled, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        [row] = ask(filled, "select min(as_of) as first from raw")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert row["first"].isoformat() == "2013-02-28T22:30:00+00:00"


def test_columns_of_one_name_and_of_odd_types(filled):
    sql = "select 1 as a, 2 as a, interval 1 day as i, 'x'::blob as b, map {'k': 1} as m"
    [row] = ask(filled, sql)
    assert list(row.values())[:4] == [1, 2, "1 day", "x"]


def test_the_order_stays(filled):
    sql = "select session, interval 1 day as i from daily where ticker = 'FB' order by session desc"
    found = [row["session"] for row in ask(filled, sql)]
    assert found == sorted(found, reverse=True)


@pytest.mark.usefixtures("aws")
def test_a_bucket_is_read_and_nothing_else(filled, secret):
    import boto3

    boto3.client("s3").create_bucket(Bucket="asked")
    source, target = open_lake(filled), new_lake("s3://asked/my=lake", "month")
    for prefix in ("raw/", "history/", "refined/", "tickers/"):
        for key in source.store.keys(prefix):
            target.store.put(key, source.store.get(key))
    sql = "select ticker, count(*) as n from {} group by 1 order by 1"
    for table in MEANINGS:
        rows = 1 if table == "tickers" else 41
        assert query(target, sql.format(table)).rows() == [("FB", rows), ("IBM", rows)]
    with pytest.raises(UsageError):
        query(target, f"select * from '{secret}'")
    assert query(target, f"select * from '{secret}', daily limit 1", unsafe=True).height == 1


def test_a_version_that_comes_back_is_there_once_for_each_run(tmp_path):
    """10, 11, and 10 again: three runs, of which two list the same blob."""
    lake = new_lake(str(tmp_path / "lake"), "day")
    day = date(2026, 2, 2)
    made = []
    for minutes, close in enumerate((10.0, 11.0, 10.0)):
        entry = Entry(
            outcome="ok", start=day, end=day, new=1, splits={},
            blobs=blobs.write(lake, layout.RAW, "^GSPC", bars(bar(day, close))),
        )  # fmt: skip
        manifest = Manifest(
            run_id=manifests.new_run_id(),
            as_of=datetime(2026, 2, 2, 22, minutes, tzinfo=UTC),
            source="test",
            tickers={"^GSPC": entry},
        )
        manifests.commit(lake.store, manifest)
        made.append((manifest.run_id, manifest.as_of, close, "^GSPC"))
    for name in ("raw", "RAW", '"raw"'):
        sql = f"select run_id, as_of, close, ticker from {name} order by as_of"
        assert query(lake, sql).rows() == made


@pytest.mark.parametrize("name", ["raw", "RAW", "Daily", "HISTORY", "main.daily", '"daily"'])
def test_a_table_may_be_written_in_any_way(filled, name):
    assert ask(filled, f"select count(*) as n from {name}") == [{"n": 82}]


def test_what_fails_while_files_are_replaced_is_asked_again(filled, monkeypatch):
    """A ticker's files may vanish under a reader; once its tickers are known, an error is one."""
    lake = open_lake(filled)
    moves = [{"FB"}, set()]
    asked: list[set[str]] = []

    def answer(*arguments: object, **_: object) -> pl.DataFrame:
        asked.append({*arguments[3]._given})
        if len(asked) == 1:
            raise CorruptObjectError("a file is gone", key="x")
        return pl.DataFrame({"a": [1]})

    monkeypatch.setattr(querying, "_answer", answer)
    monkeypatch.setattr(snapshot, "moved", lambda *_: moves.pop(0))
    assert query(lake, "select count(*) from daily").rows() == [(1,)]
    assert len(asked) == 2
    assert asked[1] - asked[0] <= {"FB"}
    moves[:], asked[:] = [set()], []
    with pytest.raises(CorruptObjectError, match="a file is gone"):
        query(lake, "select count(*) from daily")
