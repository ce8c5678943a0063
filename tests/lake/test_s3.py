"""The same lake on S3, by moto's server: objects, conditional puts, queries."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from helpers import objects, tickerlake

from tickerlake.errors import ConflictError, StoreError
from tickerlake.lake import open_lake
from tickerlake.lake.store import open_store


@pytest.fixture
def bucket(aws, tmp_path) -> str:  # noqa: ARG001 - a fixture can't use `usefixtures`
    name = tmp_path.name.replace("_", "-").lower()
    boto3.client("s3").create_bucket(Bucket=name)
    return name


def test_a_lake_on_s3_holds_the_same_as_one_on_disk(bucket, tmp_path):
    there, here = f"s3://{bucket}/some/prefix", str(tmp_path / "lake")
    for lake in (there, here):
        done = tickerlake("run", "--offline", "--lake", lake, "--grain", "year")
        assert done.returncode == 0, done.stderr
        assert "2,208 new bars" in done.stdout
        assert "Nothing has changed" in tickerlake("run", "--offline", "--lake", lake).stdout
        assert tickerlake("verify", "--lake", lake).returncode == 0
    same = ("refined/daily/", "raw/date=")
    on_s3, on_disk = (objects(open_lake(lake), *same) for lake in (there, here))
    assert on_s3 == on_disk
    sql = "select ticker, count(*) n, max(session) s from {} group by ticker order by ticker"
    for table in ("raw", "history", "daily"):
        answers = [
            tickerlake("query", sql.format(table), "--lake", lake, "--format", "csv").stdout
            for lake in (there, here)
        ]
        assert answers[0] == answers[1]
        assert answers[0].count("\n") == 6
    status = json.loads(tickerlake("status", "--lake", there, "--format", "json").stdout)
    assert len(status["tickers"]) == 5


def test_conditional_puts(bucket):
    store = open_store(f"s3://{bucket}/lake")
    assert store.put_new("a", b"1")
    assert not store.put_new("a", b"2")
    _, version = store.get_versioned("a")
    store.replace("a", b"2", version)
    with pytest.raises(ConflictError):
        store.replace("a", b"3", version)
    with pytest.raises(ConflictError):
        store.replace("a", b"3", None)
    store.delete(["a"])
    with pytest.raises(ConflictError):
        store.replace("a", b"3", version)
    assert store.get("a") is None


def test_of_many_that_create_at_once_one_wins(bucket):
    store = open_store(f"s3://{bucket}/lake")
    start = threading.Barrier(8)

    def create(number: int) -> bool:
        start.wait()
        return store.put_new("a", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(8))) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get("a"),
        lambda store: store.get_versioned("a"),
        lambda store: list(store.keys("")),
        lambda store: store.put("a", b"1"),
        lambda store: store.put_new("a", b"1"),
        lambda store: store.delete(["a"]),
    ],
    ids=["get", "get_versioned", "keys", "put", "put_new", "delete"],
)
@pytest.mark.usefixtures("aws")
def test_a_bucket_that_is_not_there_is_no_empty_one(ask):
    with pytest.raises(StoreError, match="s3://not-there/lake"):
        ask(open_store("s3://not-there/lake"))


@pytest.mark.parametrize("answer", [404, 412])
def test_what_is_gone_was_replaced_by_somebody(bucket, monkeypatch, answer):
    """S3 answers 404 to a conditional put of what is gone; memory and emulators answer 412."""
    import obstore

    error = {404: FileNotFoundError, 412: obstore.exceptions.PreconditionError}[answer]
    store = open_store(f"s3://{bucket}/lake")
    store.put("a", b"1")
    version = store.get_versioned("a").version
    store.delete(["a"])

    def refused(*_: object, **__: object) -> None:
        raise error("NoSuchKey")

    monkeypatch.setattr(obstore, "put", refused)
    with pytest.raises(ConflictError):
        store.replace("a", b"2", version)


def test_a_bucket_that_is_not_there_and_an_endpoint_that_does_not_answer(bucket, monkeypatch):
    done = tickerlake("run", "--offline", "--lake", "s3://not-there/lake")
    assert done.returncode == 1
    assert "s3://not-there/lake" in done.stderr
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = tickerlake("status", "--lake", f"s3://{bucket}/lake")
    assert done.returncode == 1
    assert f"s3://{bucket}/lake failed" in done.stderr


def test_without_credentials_it_says_what_to_set(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    done = tickerlake("status", "--lake", "s3://bucket/lake")
    assert done.returncode == 1
    assert "AWS_PROFILE" in done.stderr


@pytest.fixture
def nowhere(monkeypatch, tmp_path) -> None:
    """Credentials, but neither region nor endpoint."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("command", ["status", "transform", "verify"])
def test_without_a_region_it_says_what_to_give(command):
    done = tickerlake(command, "--lake", "s3://bucket/lake")
    assert done.returncode == 1
    assert "no AWS region to open s3://bucket/lake: give --region" in done.stderr


@pytest.mark.usefixtures("nowhere")
def test_where_a_region_comes_from(monkeypatch, tmp_path):
    def found() -> str:
        return open_store("s3://bucket/lake")._objects.inner.config["region"]

    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    assert found() == "eu-west-1"
    (tmp_path / "config").unlink()
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert found() == "eu-west-2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert found() == "eu-west-3"
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert found() == "us-east-1", "an emulator takes any"


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("arguments", "environment", "region"),
    [
        (["--region", "eu-west-1"], {"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ([], {"TICKERLAKE_REGION": "eu-west-1"}, "eu-west-1"),
        ([], {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ([], {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
    ],
)
def test_the_command_tells_boto3_its_region(arguments, environment, region, monkeypatch):
    """The Data Catalog is in the region of the lake."""
    seen = []

    def opened(_: str) -> None:
        seen.append(boto3.Session().region_name)
        raise StoreError("that is all")

    monkeypatch.setattr("tickerlake.lake.open_lake", opened)
    assert tickerlake("status", "--lake", "s3://b/l", *arguments, **environment).returncode == 1
    assert seen == [region]


def keys(bucket: str) -> list[str]:
    """As boto3 lists them, not as our own store does."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


@pytest.mark.parametrize("prefix", ["", "some/prefix", "a=b", "with space/and&more/"])
def test_everything_is_below_the_prefix_and_two_lakes_of_a_bucket_do_not_meet(bucket, prefix):
    words = ["run", "--offline", "--grain", "year", "--start", "2013-02-01"]
    url = f"s3://{bucket}/{prefix}"
    assert tickerlake(*words, "FB", "--lake", url).returncode == 0
    first = keys(bucket)
    below = prefix.strip("/") + "/" if prefix else ""
    assert all(key.startswith(below) for key in first)
    expected = {"_lake.json", "history/ticker=FB/history.parquet",
                "refined/daily/date=2013/ticker=FB/data.parquet"}  # fmt: skip
    assert {below + key for key in expected} <= set(first)
    assert tickerlake(*words, "IBM", "--lake", f"s3://{bucket}/other").returncode == 0
    second = sorted(set(keys(bucket)) - set(first))
    assert second
    assert all(key.startswith("other/") for key in second)
    assert {"_lake.json", "history/ticker=IBM/history.parquet"} == {
        key.removeprefix("other/") for key in second if "_lake" in key or "history" in key
    }
    for ticker, place in (("FB", url), ("IBM", f"s3://{bucket}/other")):
        sql = "select distinct ticker from daily"
        answer = tickerlake("query", sql, "--lake", place, "--format", "csv")
        assert answer.stdout.splitlines() == ["ticker", ticker]
