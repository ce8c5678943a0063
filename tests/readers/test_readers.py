"""Engines read lakes without our code, by the snippets of docs/readers.md.

Every lake is opened: at each grain, with all odd symbols together and each alone. What an engine
says must be what the histories give.
"""

import json
import math
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import boto3
import polars as pl
import pytest
from engines import QUESTIONS
from helpers import bar, bars, new_lake, point_to
from small_market import SESSIONS, START, evening, in_turn

from tickerlake.aws.glue_catalog import Catalog
from tickerlake.lake import Lake, history, layout, open_lake
from tickerlake.lake.derived import refined
from tickerlake.lake.tables import TABLES
from tickerlake.sources import Fetched
from tickerlake.stages import extract, transform

pytestmark = pytest.mark.readers

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = Path(__file__).with_name("engines.py")
ODD: Final = ["^GSPC", "BRK-B", "EURUSD=X", "0700.HK", "M&M.NS", "TRUE", "NAN", "INF", "T050"]
HYPARQUET: Final = ("hyparquet@1.33.0", "hyparquet-compressors@1.1.2")

_ARROW: Final = {"string", "large_string", "string_view", "str"}
_TEXT: Final = _ARROW | {
    "VARCHAR", "String", "object", "LowCardinality(String)", "Nullable(String)",
}  # fmt: skip
_DATE: Final = {
    "DATE", "Date", "date32[day]", "Nullable(Date32)", "date",
    "object",  # pandas holds Python's dates
    "datetime64[ns]",  # fastparquet's way
}  # fmt: skip
_FLOAT: Final = {"DOUBLE", "Float64", "double", "float64", "Nullable(Float64)", "number"}
_INTEGER: Final = {"BIGINT", "Int64", "int64", "Nullable(Int64)", "bigint"}
TYPES: Final = {
    "date": _TEXT,
    "ticker": _TEXT,
    "session": _DATE,
    "close": _FLOAT,
    "volume": _INTEGER,
    "flags": _TEXT,
    "rsi_14": _FLOAT,
}


class Odd:
    """Each symbol has prices of its own."""

    name = "odd"

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        first = 10.0 * (1 + ODD.index(symbol))
        days = [day for day in SESSIONS if start <= day <= end]
        rows = [bar(day, first + number % 7, volume=number) for number, day in enumerate(days)]
        return Fetched(bars(*rows))


def fill(lake: Lake, tickers: list[str]) -> None:
    source, as_of = Odd(), evening(SESSIONS[-1])
    extract.extract(lake, source, tickers, as_of=as_of, start=START, workers=1)
    assert transform.transform(lake, engine=in_turn).exit_code == 0


@pytest.fixture(scope="session")
def lakes(tmp_path_factory) -> dict[Path, list[str]]:
    """Folders with a lake, and their tickers."""
    found = {}
    for grain in layout.GRAINS:
        for number, tickers in enumerate([ODD, *([each] for each in ODD)]):
            folder = tmp_path_factory.mktemp("readers") / f"{grain}-{number}"
            fill(new_lake(str(folder / "lake"), grain), tickers)
            found[folder] = tickers
    return found


def snippet(engine: str, language: str = "python") -> str:
    _, _, section = (ROOT / "docs/readers.md").read_text().partition(f"\n## {engine}\n")
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, f"docs/readers.md has no snippet for {engine}"
    return found[1]


def truth(folder: Path, tickers: list[str]) -> dict[str, list]:
    """The answers to `QUESTIONS`, from the histories."""
    lake = open_lake(str(folder / "lake"))
    daily = pl.concat(
        refined(history.load(lake, ticker)).with_columns(
            ticker=pl.lit(ticker), date=layout.partition(lake.grain)
        )
        for ticker in tickers
    )
    session, of_each = pl.col("session"), daily.group_by("ticker")
    text = session.dt.to_string("%Y-%m-%d")
    since = daily.filter(session >= date(2013, 2, 1))
    some = daily.filter((pl.col("date") > "2013-01-20") & (pl.col("date") < "2013-03"))
    return {
        "of each ticker": of_each.agg(
            pl.len(), pl.col("volume").sum(), text.min().alias("a"), text.max().alias("b")
        ).rows(),
        "one ticker": daily.filter(ticker=tickers[0]).select(text, "close").rows(),
        "since a day": [(since.height, since["close"].sum())],
        "some partitions": some.group_by("date").len().rows(),
        "nulls": of_each.agg(n=pl.col("rsi_14").count(), r=pl.col("rsi_14").mean()).rows(),
    }


def compare(answers: dict[str, list], folder: Path, tickers: list[str]) -> None:
    right = truth(folder, tickers)
    assert answers.keys() == right.keys() == QUESTIONS.keys()
    for name, rows in right.items():
        found = sorted(([*row] for row in answers[name]), key=str)
        wanted = sorted(([*row] for row in rows), key=str)
        assert len(found) == len(wanted), name
        for one, other in zip(found, wanted, strict=True):
            assert all(map(is_close, one, other)), (folder.name, name, one, other)


def is_close(one: object, other: object) -> bool:
    """Engines add floats in orders of their own."""
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def uv(*arguments: str, text: str = "") -> str:
    program = shutil.which("uv") or str(ROOT / ".venv/bin/uv")
    command = [program, "run", "--quiet", "--no-project", "--script", str(SCRIPT), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def asked(engine: str, code: str, lakes: dict[Path, list[str]]) -> list[dict[str, Any]]:
    """What an engine says of each lake."""
    folders = [f"{folder}::{tickers[0]}" for folder, tickers in lakes.items()]
    return [json.loads(line) for line in uv(engine, *folders, text=code).splitlines()]


def check(found: dict[str, Any], folder: Path, tickers: list[str]) -> None:
    for column, kinds in TYPES.items():
        assert found["types"][column] in kinds, (folder.name, column, found["types"])
    compare(found["answers"], folder, tickers)


@pytest.mark.parametrize(
    "engine",
    [
        "DuckDB", "Polars", "PyArrow", "pandas", "Daft", "DataFusion", "ClickHouse", "fastparquet",
    ],
)  # fmt: skip
def test_the_snippet_of_the_docs_reads_every_lake(lakes, engine):
    said = asked(engine, snippet(engine), lakes)
    for (folder, tickers), found in zip(lakes.items(), said, strict=True):
        check(found, folder, tickers)


# ---- on S3, and through the Data Catalog


@pytest.fixture(scope="session")
def uploaded(lakes, moto) -> Iterator[None]:
    """Each lake in a bucket that is named after its folder."""
    with pytest.MonkeyPatch.context() as patch:
        point_to(moto, patch)
        s3 = boto3.client("s3")
        for folder in lakes:
            s3.create_bucket(Bucket=folder.name)
            for file in (folder / "lake/refined/daily").rglob("*.parquet"):
                key = file.relative_to(folder).as_posix()
                s3.put_object(Bucket=folder.name, Key=key, Body=file.read_bytes())
        yield


@pytest.mark.usefixtures("uploaded", "aws")
def test_awswrangler_reads_every_lake_on_s3(lakes):
    code = snippet("awswrangler").replace("s3://bucket/", "s3://FOLDER/")
    for (folder, tickers), found in zip(
        lakes.items(), asked("awswrangler", code, lakes), strict=True
    ):
        check(found, folder, tickers)


def catalog(database: str, url: str) -> None:
    """A table of the Data Catalog as infra/ declares it, with the lake's partitions."""
    glue = boto3.client("glue")
    glue.create_database(DatabaseInput={"Name": database})
    for table in TABLES.values():
        kinds = table.sql_types()
        columns = [{"Name": name, "Type": kind} for name, kind in kinds.items()]
        storage = {
            "Columns": [each for each in columns if each["Name"] not in table.partition_keys],
            "Location": f"{url}/{table.prefix}",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde."
                "ParquetHiveSerDe"
            },
        }
        keys = [each for each in columns if each["Name"] in table.partition_keys]
        described = {"Name": table.name, "PartitionKeys": keys, "StorageDescriptor": storage}
        described |= {"TableType": "EXTERNAL_TABLE", "Parameters": {"classification": "parquet"}}
        glue.create_table(DatabaseName=database, TableInput=described)


@pytest.mark.usefixtures("uploaded", "aws")
def test_awswrangler_through_the_catalog_gives_what_the_docs_say(lakes):
    """The catalog's own values are decoded; awswrangler takes those of the path."""
    code = snippet("awswrangler")
    path = 'wr.s3.read_parquet("s3://bucket/lake/refined/daily/", dataset=True)'
    assert path in code
    code = code.replace(path, 'wr.s3.read_parquet_table(database="FOLDER", table="daily")')
    some = {folder: tickers for folder, tickers in lakes.items() if len(tickers) > 1}
    for folder in some:
        bucket = f"s3://{folder.name}/lake"
        catalog(folder.name, bucket)
        with_marker = (folder / "lake/_lake.json").read_bytes()
        boto3.client("s3").put_object(Bucket=folder.name, Key="lake/_lake.json", Body=with_marker)
        Catalog(open_lake(bucket), folder.name).sync()
    for (folder, tickers), found in zip(
        some.items(), asked("awswrangler", code, some), strict=True
    ):
        check(found, folder, tickers)


# ---- outside Python


def test_javascript_reads_every_lake(lakes, tmp_path):
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no Node.js")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    subprocess.run([*install, *HYPARQUET], check=True)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "snippet.js").write_text(snippet("JavaScript", "javascript"))
    for folder, tickers in lakes.items():
        rows = [str(SCRIPT.with_name("rows.mjs")), str(tmp_path / "snippet.js"), tickers[0]]
        done = subprocess.run(["node", *rows], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        found = json.loads(done.stdout)
        types = {**found["types"], "session": found["types"]["session"]}
        check({**found, "types": types}, folder, tickers)


def test_plain_spark_reads_every_lake(lakes, monkeypatch):
    if not shutil.which("java"):
        pytest.skip("there is no Java")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    try:
        for folder, tickers in lakes.items():
            monkeypatch.chdir(folder)
            code = snippet("Spark").replace('"lake/', f'"{folder}/lake/')
            scope: dict[str, Any] = {"spark": spark}
            exec(code, scope)  # noqa: S102
            daily = scope["daily"]
            daily.cache().createOrReplaceTempView("daily")
            kinds = dict(daily.dtypes)
            assert {kinds[name] for name in ("date", "ticker", "flags")} == {"string"}
            assert (kinds["session"], kinds["close"], kinds["volume"]) == (
                "date", "double", "bigint",
            )  # fmt: skip
            answers = {}
            for name, question in QUESTIONS.items():
                sql = question.format(symbol=tickers[0], day="date '2013-02-01'")
                answers[name] = [
                    [value.isoformat() if isinstance(value, date) else value for value in row]
                    for row in spark.sql(sql).collect()
                ]
            compare(answers, folder, tickers)
    finally:
        spark.stop()


# ---- what the docs say that engines cannot do


LIMITS: Final = {
    "Polars refuses a folder that also holds other files": (
        "^GSPC",
        """
            import polars as pl
            try:
                pl.scan_parquet("lake/raw").collect()
            except Exception as error:
                print(type(error).__name__)
        """,
        "Error",
    ),
    "Polars guesses types": (
        "TRUE",
        """
            import polars as pl
            daily = pl.scan_parquet("lake/refined/daily/**/*.parquet", hive_partitioning=True)
            print(daily.collect_schema()["ticker"])
        """,
        "Boolean",
    ),
    "DuckDB guesses types": (
        "INF",
        """
            import duckdb
            files = "'lake/refined/daily/**/*.parquet'"
            print(duckdb.sql(f"select distinct typeof(ticker) from {files}"))
        """,
        "DATE",
    ),
    "Daft guesses types": (
        "INF",
        """
            import daft
            daily = daft.read_parquet("lake/refined/daily/**/*.parquet", hive_partitioning=True)
            print({field.name: field.dtype for field in daily.schema()}["ticker"])
        """,
        "Float64",
    ),
    "ClickHouse guesses types": (
        "INF",
        """
            import chdb
            files = "file('lake/refined/daily/*/*/*.parquet')"
            print(chdb.query(f"select distinct toTypeName(ticker) from {files}"))
        """,
        "Float64",
    ),
    "ClickHouse does not decode": (
        "^GSPC",
        """
            import chdb
            files = "file('lake/refined/daily/*/*/*.parquet')"
            print(chdb.query(f"select distinct ticker from {files}"))
        """,
        "%5EGSPC",
    ),
    "fastparquet guesses types": (
        "INF",
        """
            from fastparquet import ParquetFile
            print(ParquetFile("lake/refined/daily").to_pandas()["ticker"].cat.categories.dtype)
        """,
        "float64",
    ),
    "fastparquet does not decode": (
        "^GSPC",
        """
            from fastparquet import ParquetFile
            print(list(ParquetFile("lake/refined/daily").to_pandas()["ticker"].cat.categories))
        """,
        "%5EGSPC",
    ),
}


def test_what_engines_cannot_do_is_as_the_docs_say(lakes):
    """When this fails, an engine has learned something: change docs/readers.md."""
    year = {tickers[0]: folder for folder, tickers in lakes.items() if len(tickers) == 1}
    code = "import os"
    for symbol, lines, _ in LIMITS.values():
        code += f"\nos.chdir({str(year[symbol])!r})\nprint(end='\\0')\n" + textwrap.dedent(lines)
    _, *said = uv("-", str(ROOT), text=code).split("\0")
    wanted = {limit: word for limit, (*_, word) in LIMITS.items()}
    found = dict(zip(LIMITS, said, strict=True))
    assert {limit: text for limit, text in found.items() if wanted[limit] not in text} == {}
