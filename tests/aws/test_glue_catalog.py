"""The Data Catalog, by moto's server: it equals the lake, after whatever has happened."""

import base64
import itertools
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import dictionary
import pytest
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from helpers import bar, bars, new_lake, tickerlake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from tickerlake.aws import glue_views
from tickerlake.aws.glue_catalog import Catalog, Synced
from tickerlake.errors import CatalogError, UsageError
from tickerlake.lake import Lake, layout, manifests
from tickerlake.lake.manifests import Entry, Manifest, new_run_id
from tickerlake.lake.parquet import digest, partitions, to_parquet
from tickerlake.lake.store import Store
from tickerlake.lake.views import VIEWS
from tickerlake.stages import transform

URL = "s3://bucket/some/lake"
TICKERS = ["AAPL", "BRK-B", "^GSPC", "EURUSD=X", "0700.HK"]
DAY = date(2013, 2, 27)
IN_PLACE = Synced()
FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

pytestmark = pytest.mark.usefixtures("aws")

_number = itertools.count()


@cache
def _client(endpoint: str) -> Any:
    return boto3.client("glue", endpoint_url=endpoint)


def glue() -> Any:
    """A client; making one takes longer than a call."""
    return _client(os.environ["AWS_ENDPOINT_URL"])


def memory(grain: layout.Grain = "day") -> Lake:
    """A lake whose objects are in memory, whatever its URL says."""
    return Lake(Store(URL, MemoryStore()), grain)


def database(url: str = URL) -> str:
    """A new database as infra/ makes it."""
    name = f"lake_{next(_number)}"
    glue().create_database(DatabaseInput={"Name": name})
    for table, declared in dictionary.tables().items():
        columns, keys = (
            [{key.title(): text for key, text in each.items()} for each in declared[of]]
            for of in ("columns", "partition_keys")
        )
        glue().create_table(
            DatabaseName=name,
            TableInput={
                "Name": table,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
                "PartitionKeys": keys,
                "StorageDescriptor": {
                    "Location": f"{url}/{declared['location']}",
                    "InputFormat": "parquet in",
                    "OutputFormat": "parquet out",
                    "SerdeInfo": {"SerializationLibrary": "parquet serde"},
                    "Columns": columns,
                },
            },
        )
    return name


def deliver(lake: Lake, sessions: dict[str, set[date]]) -> None:
    """Commit a run that delivers a bar of each of these sessions."""
    entries = {}
    for ticker, days in sessions.items():
        blobs = {}
        for partition, rows in partitions(bars(*map(bar, sorted(days))), lake.grain):
            blobs[partition] = digest(rows)
            key = layout.blob(layout.RAW, partition, ticker, blobs[partition])
            lake.store.put_new(key, to_parquet(rows))
        entries[ticker] = Entry(
            outcome="ok", start=min(days), end=max(days), new=len(days), blobs=blobs, splits={}
        )
    manifests.commit(
        lake.store,
        Manifest(run_id=new_run_id(), as_of=datetime.now(UTC), source="test", tickers=entries),
    )


def run(lake: Lake, database: str) -> None:
    transform.transform(lake, register=Catalog(lake, database).register)


def days(count: int, first: date = DAY) -> set[date]:
    return {first + timedelta(number) for number in range(count)}


def stored(lake: Lake) -> dict[str, dict[tuple[str, ...], str]]:
    """The partitions that the lake has: table -> values -> location."""
    found: dict[str, dict[tuple[str, ...], str]] = {}
    for table, declared in dictionary.tables().items():
        found[table] = {}
        for key in lake.store.keys(declared["location"]):
            if key.endswith(".parquet"):
                values = tuple(layout.values(key).values())
                found[table][values] = f"{lake.store.url}/{key.rpartition('/')[0]}/"
    return found


def registered(database: str) -> dict[str, dict[tuple[str, ...], str]]:
    """The same of the catalog."""
    return {
        table: {
            tuple(each["Values"]): each["StorageDescriptor"]["Location"]
            for each in glue().get_partitions(DatabaseName=database, TableName=table)["Partitions"]
        }
        for table in dictionary.tables()
    }


def assert_equal(database: str, lake: Lake) -> None:
    assert registered(database) == stored(lake)
    assert Catalog(lake, database).sync() == IN_PLACE


@dataclass
class Calls:
    """The calls of Glue from now on, and what is to happen around them."""

    made: list[tuple[str, dict[str, object]]] = field(default_factory=list, repr=False)
    before: object = lambda _: None
    after: object = lambda _, answer: answer

    def of(self, operation: str) -> list[dict[str, object]]:
        return [arguments for name, arguments in self.made if name == operation]


@pytest.fixture
def calls(monkeypatch) -> Calls:
    seen = Calls()
    original = BaseClient._make_api_call

    def call(self, operation, arguments):
        if self.meta.service_model.service_name != "glue":
            return original(self, operation, arguments)
        seen.made.append((operation, arguments))
        seen.before(operation)
        return seen.after(operation, original(self, operation, arguments))

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return seen


# ---- after a transform


@pytest.mark.parametrize("grain", layout.GRAINS)
def test_a_transform_registers_what_it_delivers(grain):
    lake, name = memory(grain), database()
    deliver(lake, {ticker: days(4) for ticker in TICKERS})
    run(lake, name)
    assert_equal(name, lake)
    held = registered(name)
    assert held["history"][("^GSPC",)] == f"{URL}/history/ticker=%5EGSPC/"
    partition = layout.partition_of(DAY, grain)
    assert (
        held["daily"][(partition, "EURUSD=X")]
        == f"{URL}/refined/daily/date={partition}/ticker=EURUSD%3DX/"
    )


def test_a_partition_is_read_as_its_table_is():
    lake, name = memory(), database()
    deliver(lake, {"^GSPC": days(1)})
    run(lake, name)
    for table in registered(name):
        expected = glue().get_table(DatabaseName=name, Name=table)["Table"]["StorageDescriptor"]
        [partition] = glue().get_partitions(DatabaseName=name, TableName=table)["Partitions"]
        own = partition["StorageDescriptor"]
        assert [(each["Name"], each["Type"]) for each in own.pop("Columns")] == [
            (each["Name"], each["Type"]) for each in expected.pop("Columns")
        ]
        assert own.pop("Location").startswith(expected.pop("Location"))
        assert own == expected


def test_only_new_partitions_are_registered(calls):
    lake, name = memory(), database()
    deliver(lake, {"A": days(3), "B": days(3)})
    run(lake, name)
    calls.made.clear()
    tomorrow = DAY + timedelta(3)
    deliver(lake, {"A": {tomorrow}})
    run(lake, name)
    asked = {
        arguments["TableName"]: [each["Values"] for each in arguments["PartitionInputList"]]
        for arguments in calls.of("BatchCreatePartition")
    }
    new = [(str(tomorrow), "A")]
    assert asked == {"raw": new, "history": [("A",)], "daily": new, "tickers": [("A",)]}
    calls.made.clear()
    run(lake, name)
    assert calls.made == [], "there was nothing to do"


def test_250_partitions_are_three_calls(calls):
    name = database()
    keys = [layout.history(f"T{number}") for number in range(250)]
    Catalog(memory(), name).register(keys)
    sizes = [len(each["PartitionInputList"]) for each in calls.of("BatchCreatePartition")]
    assert sorted(sizes) == [50, 100, 100]
    assert len(registered(name)["history"]) == 250


def test_registering_twice_and_at_once_is_fine():
    lake, name = memory("month"), database()
    deliver(lake, {ticker: days(60) for ticker in TICKERS})
    start = threading.Barrier(4)

    def one(_: int) -> None:
        start.wait()
        run(lake, name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert_equal(name, lake)
    keys = [*lake.store.keys(layout.RAW), *lake.store.keys(layout.DAILY)]
    Catalog(lake, name).register(keys)
    assert_equal(name, lake)


class Killed(BaseException):
    """As by SIGKILL."""


@pytest.fixture
def killer(monkeypatch, calls):
    """Kills before the n-th step from now: a write to the lake or a call of Glue."""
    plan = SimpleNamespace(at=None, steps=itertools.count())

    def step(_: str = "") -> None:
        number = next(plan.steps)
        if plan.at is not None and number >= plan.at:
            raise Killed

    def wrap(method):
        original = getattr(Store, method)

        def write(self, *arguments):
            step()
            return original(self, *arguments)

        monkeypatch.setattr(Store, method, write)

    for method in ("put", "put_new", "replace", "delete"):
        wrap(method)
    calls.before = step

    def arm(at: int | None) -> int:
        """Says how many steps there were since it was armed last."""
        seen = next(plan.steps)
        plan.at, plan.steps = at, itertools.count()
        return seen

    return arm


def test_killed_anywhere_the_next_transform_loses_no_partition(killer):
    def prepared() -> tuple[Lake, str]:
        killer(None)
        lake, name = memory("month"), database()
        deliver(lake, {"A": days(2)})
        run(lake, name)
        deliver(lake, {"A": days(9)})
        deliver(lake, {"^C": days(1)})
        return lake, name

    lake, name = prepared()
    killer(None)
    run(lake, name)
    steps = killer(None)
    assert_equal(name, lake)
    for at in range(steps):
        lake, name = prepared()
        killer(at)
        with pytest.raises(Killed):
            run(lake, name)
        killer(None)
        run(lake, name)
        assert registered(name) == stored(lake), f"killed before step {at} of {steps}"
        assert manifests.pending_ids(lake.store) == []


def test_what_was_not_registered_is_not_acknowledged(calls):
    lake, name = memory(), database()
    deliver(lake, {"A": days(3)})

    def refuse(operation: str) -> None:
        if operation == "BatchCreatePartition":
            raise refusal("AccessDeniedException", operation)

    calls.before = refuse
    with pytest.raises(CatalogError, match=f"{name}.*AccessDenied.*run this again"):
        run(lake, name)
    assert len(stored(lake)["daily"]) == 3, "the lake itself is up to date"
    assert len(manifests.pending_ids(lake.store)) == 1
    calls.before = lambda _: None
    run(lake, name)
    assert_equal(name, lake)
    assert manifests.pending_ids(lake.store) == []


def test_the_others_are_registered_when_a_ticker_fails():
    lake, name = memory(), database()
    deliver(lake, {"A": days(2), "B": days(2)})
    blobs = [key for key in lake.store.keys(layout.RAW) if "ticker=B/" in key]
    whole = {key: lake.store.get(key) for key in blobs}
    lake.store.delete(blobs)
    run(lake, name)
    assert registered(name) == stored(lake)
    assert registered(name)["history"].keys() == {("A",)}
    for key, data in whole.items():
        lake.store.put(key, data)
    run(lake, name)
    assert_equal(name, lake)
    assert registered(name)["history"].keys() == {("A",), ("B",)}


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


# ---- sync


TABLES = dictionary.tables()
PLACES = [
    *((layout.RAW, day, ticker) for day in range(2) for ticker in TICKERS[1:4]),
    *((layout.DAILY, day, ticker) for day in range(3) for ticker in TICKERS[1:3]),
    *((layout.HISTORY, 0, ticker) for ticker in TICKERS),
]


def key(prefix: str, day: int, ticker: str) -> str:
    if prefix == layout.HISTORY:
        return layout.history(ticker)
    partition = str(DAY + timedelta(day))
    if prefix == layout.DAILY:
        return layout.daily(partition, ticker)
    return layout.blob(layout.RAW, partition, ticker, "0" * 32)


@settings(max_examples=10, deadline=None, suppress_health_check=FUNCTION_SCOPED)
@given(
    there=st.sets(st.sampled_from(PLACES)),
    held=st.sets(st.sampled_from(PLACES)),
    drifted=st.sets(st.sampled_from(PLACES)),
    page=st.integers(1, 4),
)
def test_a_sync_makes_any_catalog_equal_to_any_lake(calls, there, held, drifted, page):
    lake, name = memory(), database()
    calls.before, calls.after = lambda _: None, lambda _, answer: answer
    Catalog(lake, name).register(key(*place) for place in held)
    drift(name, [key(*place) for place in held & drifted])
    for place in there:
        lake.store.put(key(*place), b"data")
    lake.store.put(layout.run("20130301"), b"no partition")
    calls.after = paged(page)
    done = Catalog(lake, name).sync()
    calls.after = lambda _, answer: answer
    counts = len(there - held), len(there & held & drifted), len(held - there)
    assert done == Synced(*counts, views=0 if held else len(VIEWS))
    assert_equal(name, lake)


def drift(database: str, keys: list[str]) -> None:
    """As partitions are that were registered before a column came, or by hand elsewhere."""
    for number, each in enumerate(keys):
        [table] = [name for name, of in TABLES.items() if each.startswith(of["location"])]
        where = {"DatabaseName": database, "TableName": table}
        values = list(layout.values(each).values())
        held = glue().get_partition(**where, PartitionValues=values)["Partition"]
        descriptor = held["StorageDescriptor"]
        if number % 2:
            descriptor["Columns"] = descriptor["Columns"][:-1]
        else:
            descriptor["Location"] = "s3://bucket/elsewhere/"
        glue().update_partition(
            **where,
            PartitionValueList=values,
            PartitionInput={"Values": values, "StorageDescriptor": descriptor},
        )


def paged(size: int):
    """Cuts what GetPartitions answers into pages, as AWS does."""
    rest: list[object] = []

    def cut(operation, answer):
        if operation == "GetPartitions":
            found = rest or answer["Partitions"]
            answer["Partitions"], rest[:] = found[:size], found[size:]
            answer["NextToken"] = str(len(rest)) if rest else ""
        return answer

    return cut


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["GetTable", "GetPartitions", "BatchCreatePartition"])
def test_a_run_in_the_middle_of_a_sync_loses_nothing(calls, operation, when):
    lake, name = memory(), database()
    deliver(lake, {"A": days(2)})
    run(lake, name)
    lake.store.put(layout.daily("2013-01-02", "A"), b"unregistered")
    deliver(lake, {"A": days(5), "B": days(2)})
    met: list[str] = []

    def meet(current: str, answer: object = None) -> object:
        _, arguments = calls.made[-1]
        daily = "daily" in (arguments.get("TableName"), arguments.get("Name"))
        if daily and current == operation and not met:
            met.append(current)
            run(lake, name)
        return answer

    setattr(calls, when, meet)
    Catalog(lake, name).sync()
    assert met
    assert_equal(name, lake)


def test_syncs_at_once_are_fine():
    lake, name = memory(), database()
    gone = [layout.history(f"GONE{number}") for number in range(20)]
    Catalog(lake, name).register(gone)
    deliver(lake, {"A": days(9)})
    transform.transform(lake)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: Catalog(lake, name).sync(), range(3)))
    assert_equal(name, lake)


def test_a_rebuild_syncs():
    lake = s3_lake()
    name = database(lake.store.url)
    deliver(lake, {"A": days(3), "B": days(1)})
    arguments = ["transform", "--lake", lake.store.url, "--catalog", name]
    assert tickerlake(*arguments).returncode == 0
    stray, lost = layout.daily("1999-01-04", "A"), layout.daily(str(DAY), "A")
    lake.store.put(stray, b"stray")
    lake.store.delete([lost])
    Catalog(lake, name).sync()
    assert ("1999-01-04", "A") in registered(name)["daily"]
    assert tickerlake(*arguments, "--rebuild").returncode == 0
    assert_equal(name, lake)
    assert registered(name)["daily"].keys() == {
        *((str(day), "A") for day in days(3)),
        (str(DAY), "B"),
    }


# ---- columns


@pytest.mark.parametrize("way", ["register", "sync"])
def test_columns_become_the_declared_ones_and_the_rest_stays(calls, way):
    lake, name = memory(), database()
    deliver(lake, {"A": days(2)})
    run(lake, name)
    before = table_input(name)
    changed = table_input(name)
    columns = changed["StorageDescriptor"]["Columns"]
    changed["StorageDescriptor"]["Columns"] = [
        columns[1],
        columns[0] | {"Comment": "another"},
        columns[2] | {"Type": "bigint"},
        {"Name": "no_more", "Type": "string"},
    ]
    changed["Description"] = before["Description"] = "Terraform's"
    changed["Parameters"] = before["Parameters"] = {"classification": "parquet", "own": "1"}
    glue().update_table(DatabaseName=name, TableInput=changed)
    calls.made.clear()
    calls.after = without_owner
    deliver(lake, {"A": {DAY + timedelta(5)}})
    if way == "sync":
        transform.transform(lake)
        Catalog(lake, name).sync()
    else:
        run(lake, name)
    assert table_input(name) == before
    assert len(calls.of("UpdateTable")) == 1
    calls.made.clear()
    assert_equal(name, lake)
    assert not calls.of("UpdateTable")


def without_owner(operation: str, answer: dict[str, Any]) -> object:
    if operation == "GetTable":
        answer["Table"].setdefault("Owner", "")
    return answer


def table_input(database: str) -> dict[str, object]:
    found = glue().get_table(DatabaseName=database, Name="daily")["Table"]
    members = ("Name", "Description", "TableType", "Parameters", "PartitionKeys")
    return {name: found[name] for name in (*members, "StorageDescriptor") if name in found}


def test_of_runs_that_update_a_table_at_once_each_may_go_on(calls):
    lake, name = memory(), database()
    changed = table_input(name)
    changed["StorageDescriptor"]["Columns"] = changed["StorageDescriptor"]["Columns"][:3]
    glue().update_table(DatabaseName=name, TableInput=changed)
    deliver(lake, {"A": days(1)})

    def conflict(operation, answer):
        if operation == "UpdateTable":
            raise glue().exceptions.ConcurrentModificationException(
                {"Error": {"Code": "ConcurrentModificationException"}}, operation
            )
        return answer

    calls.after = conflict
    run(lake, name)
    assert registered(name) == stored(lake)


# ---- what can be wrong


def test_a_lake_on_disk_can_not_be_registered(lake):
    with pytest.raises(UsageError, match="needs a lake on S3"):
        Catalog(lake, "lake")


def test_without_tables_it_says_what_makes_them():
    lake = memory()
    deliver(lake, {"A": days(1)})
    with pytest.raises(CatalogError, match=r"nowhere.*terraform apply"):
        run(lake, "nowhere")
    name = database()
    glue().delete_table(DatabaseName=name, Name="daily")
    with pytest.raises(CatalogError, match=f"{name}.*terraform apply"):
        Catalog(lake, name).sync()
    assert len(manifests.pending_ids(lake.store)) == 1


def test_the_tables_of_another_lake_are_left_alone():
    lake, name = memory(), database("s3://bucket/some/lake-2")
    deliver(lake, {"A": days(1)})
    for call in (lambda: run(lake, name), Catalog(lake, name).sync):
        with pytest.raises(UsageError, match="some/lake-2/raw/, not in the lake s3://bucket/some/"):
            call()
    assert registered(name) == {table: {} for table in dictionary.tables()}


def test_a_partition_that_is_refused_is_named(calls):
    lake, name = memory(), database()
    deliver(lake, {"^C": days(1)})
    fields = {
        "BatchCreatePartition": "PartitionValues",
        "BatchUpdatePartition": "PartitionValueList",
    }

    def refuse(operation, answer):
        if operation in fields:
            detail = {"ErrorCode": "InternalServiceException", "ErrorMessage": "oh"}
            answer["Errors"] = [{fields[operation]: [str(DAY), "^C"], "ErrorDetail": detail}]
        return answer

    calls.after = refuse
    named = r"InternalServiceException.*\^C.*table raw.*: oh"
    with pytest.raises(CatalogError, match=named):
        run(lake, name)
    assert len(manifests.pending_ids(lake.store)) == 1
    drift(name, list(lake.store.keys("raw/date=2013-02-27/")))
    with pytest.raises(CatalogError, match=named):
        Catalog(lake, name).sync()


@pytest.fixture
def wire(monkeypatch):
    """Glue's first answers, on the wire: (status, code); then those of the server."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    original = URLLib3Session.send
    faults: list[tuple[int, str]] = []

    def send(self, request):
        if not faults or not request.headers.get("X-Amz-Target", b"").startswith(b"AWSGlue"):
            return original(self, request)
        status, code = faults.pop(0)
        body = json.dumps({"__type": code, "message": "because"}).encode()
        raw = SimpleNamespace(stream=lambda: iter([body]))
        return AWSResponse(request.url, status, {}, raw)

    monkeypatch.setattr(URLLib3Session, "send", send)
    return faults


def test_throttling_is_waited_for(wire):
    lake, name = memory(), database()
    deliver(lake, {"A": days(3)})
    wire += [(400, "ThrottlingException")] * 4 + [(500, "InternalServiceException")]
    run(lake, name)
    assert wire == []
    assert_equal(name, lake)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "AccessDeniedException"),
        (400, "ThrottlingException"),
        (500, "InternalServiceException"),
        (400, "ResourceNumberLimitExceededException"),
    ],
)
def test_what_glue_refuses_is_told_in_its_words(wire, status, code):
    lake, name = memory(), database()
    deliver(lake, {"A": days(1)})
    wire += [(status, code)] * 100
    with pytest.raises(CatalogError, match=f"{name}.*{code}.*because.*run this again"):
        run(lake, name)
    assert len(wire) >= 90, "it must give up some day"


@pytest.mark.usefixtures("wire")
def test_an_endpoint_that_does_not_answer(monkeypatch):
    lake = memory()
    deliver(lake, {"A": days(1)})
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:9")
    with pytest.raises(CatalogError, match=r"127\.0\.0\.1:9.*run this again"):
        run(lake, "lake")


def test_without_a_region(monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(CatalogError, match="region"):
        Catalog(memory(), "lake")


def test_the_role_permits_exactly_these_calls(calls):
    lake, name = memory(), database()
    changed = table_input(name)
    changed["StorageDescriptor"]["Columns"] = []
    glue().update_table(DatabaseName=name, TableInput=changed)
    calls.made.clear()
    deliver(lake, {"A": days(2)})
    run(lake, name)
    lake.store.delete([layout.daily(str(DAY), "A")])
    other = layout.daily(str(DAY + timedelta(1)), "A")
    seen = {operation for operation, _ in calls.made}
    drift(name, [other])
    calls.made.clear()
    assert Catalog(lake, name).sync() == Synced(updated=1, removed=1)
    seen |= {operation for operation, _ in calls.made}
    text = (Path(__file__).parents[2] / "infra/modules/iam/main.tf").read_text()
    [statement] = re.findall(r'sid = "MaintainPartitions"\n *actions = \[(.*?)\]', text, re.DOTALL)
    assert {f"glue:{operation}" for operation in seen} == set(re.findall(r'"(.*?)"', statement))


# ---- views


def views(database: str) -> dict[str, dict[str, Any]]:
    """The views in a database, decoded as Athena does it."""
    found = {}
    for page in glue().get_paginator("get_tables").paginate(DatabaseName=database):
        for table in page["TableList"]:
            if table["TableType"] == "VIRTUAL_VIEW":
                assert table["Parameters"]["presto_view"] == "true"
                [encoded] = re.fullmatch(
                    r"/\* Presto View: (\S+) \*/", table["ViewOriginalText"]
                ).groups()
                found[table["Name"]] = json.loads(base64.b64decode(encoded))
    return found


def test_the_views_are_written_when_they_are_not_as_declared(calls):
    lake, name = memory(), database()
    deliver(lake, {"A": days(2)})
    run(lake, name)
    found = views(name)
    assert found.keys() == VIEWS.keys()
    assert all(each["schema"] == name for each in found.values())
    assert found["gaps"]["columns"] == [
        {"name": "ticker", "type": "varchar"},
        {"name": "session", "type": "date"},
        {"name": "exchange", "type": "varchar"},
    ]
    text = {"Name": "gaps", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "/* of yesterday */"}
    glue().update_table(DatabaseName=name, TableInput=text)
    glue().delete_table(DatabaseName=name, Name="latest")
    assert Catalog(lake, name).sync() == Synced(views=2)
    assert views(name) == found
    calls.made.clear()
    assert Catalog(lake, name).sync() == IN_PLACE
    assert not calls.of("UpdateTable")
    assert not calls.of("CreateTable")


def test_a_table_with_the_name_of_a_view_is_left_alone(caplog):
    lake, name = memory(), database()
    glue().create_table(DatabaseName=name, TableInput={"Name": "beta", "TableType": "MINE"})
    assert Catalog(lake, name).sync() == Synced(views=len(VIEWS) - 1)
    assert "beta" not in views(name)
    assert f"{name}.beta" in caplog.text


# ---- the command


def s3_lake(*, sample: bool = False) -> Lake:
    bucket = f"bucket-{next(_number)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return new_lake(f"s3://{bucket}/some/lake", "day", sample=sample)


def test_the_command():
    lake = s3_lake(sample=True)
    url, name = lake.store.url, database(lake.store.url)
    arguments = ["--offline", "--tickers", "AAPL", "--start", "2013-02-14"]
    first = tickerlake("run", *arguments, "--as-of", "2013-02-20T22:30Z", TICKERLAKE_LAKE=url)
    assert first.returncode == 0, first.stderr
    assert registered(name)["daily"] == {}
    done = tickerlake("catalog", "sync", "--lake", url + "/", "--catalog", name)
    assert done.returncode == 0, done.stderr
    counts = f"10 registered, 0 updated, 0 removed; {len(VIEWS)} views written"
    assert done.stdout == f"Partitions in {name}: {counts}.\n"
    assert_equal(name, lake)
    done = tickerlake("run", *arguments[:3], "--lake", url, "--catalog", name)
    assert done.returncode == 0, done.stderr
    assert ("2013-03-01", "AAPL") in registered(name)["daily"]
    assert_equal(name, lake)
    deliver(lake, {"^GSPC": days(1)})
    done = tickerlake("transform", TICKERLAKE_LAKE=url, TICKERLAKE_CATALOG=name)
    assert done.returncode == 0, done.stderr
    assert_equal(name, lake)
    deliver(lake, {"^GSPC": days(2)})
    done = tickerlake("transform", "--lake", url, "--catalog", "nowhere")
    assert done.returncode == 1
    assert "terraform apply" in done.stderr
    assert len(manifests.pending_ids(lake.store)) == 1


@pytest.mark.parametrize("command", [["transform"], ["catalog", "sync"]])
def test_the_command_on_a_lake_on_disk(lake, command):
    deliver(lake, {"A": days(1)})
    done = tickerlake(*command, "--lake", lake.store.url, "--catalog", "lake")
    assert done.returncode == 2
    assert "needs a lake on S3" in done.stderr
    assert stored(lake)["daily"] == {}, "it says so before it does something"


@pytest.mark.parametrize("change", [{"Type": "binary"}, {"Comment": "another"}], ids=str)
def test_a_type_or_a_comment_alone_is_brought_to_the_table(change):
    lake, name = memory(), database()
    before, changed = table_input(name), table_input(name)
    columns = changed["StorageDescriptor"]["Columns"]
    columns[-1] = columns[-1] | change
    glue().update_table(DatabaseName=name, TableInput=changed)
    Catalog(lake, name).sync()
    assert (
        table_input(name)["StorageDescriptor"]["Columns"]
        == (before["StorageDescriptor"]["Columns"])
    )


def test_a_sync_counts_what_somebody_else_registered_as_nothing(calls):
    """Between the listing of partitions and the registration."""
    lake, name = memory(), database()
    keys = [key(layout.DAILY, day, "AAPL") for day in range(3)]
    for each in keys:
        lake.store.put(each, b"data")
    rivals = iter([True])

    def before(operation: str) -> None:
        if operation == "BatchCreatePartition" and next(rivals, False):
            Catalog(lake, name).register(keys[:2])

    calls.before = before
    assert Catalog(lake, name).sync() == Synced(registered=1)


def test_a_comment_is_as_long_as_glue_takes():
    """The limit is 255 characters; backticks mean nothing in the console."""
    assert glue_views._comment("`a` " + "x" * 300) == "a " + "x" * 253
    assert glue_views._comment("x" * 255) == "x" * 255
