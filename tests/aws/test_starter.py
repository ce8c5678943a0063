"""The starter: S3's events, however odd, start the transformer once for every manifest."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import quote, quote_plus

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto.glue.models import glue_backends

from tickerlake.aws import starter
from tickerlake.aws.starter import Arrival
from tickerlake.errors import MalformedEventError
from tickerlake.lake import layout

RUN = "20130301T223000000000Z-0a1b2c"
OTHER = "20130304T223000000000Z-3d4e5f"

TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-11-20T22:30:00.000Z",
    "Bucket": "bucket",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}


def record(key: str, bucket: str = "bucket") -> dict[str, object]:
    """A record as S3 sends it (event version 2.1). The key comes encoded, as in a form."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-20T22:30:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:extractor"},
        "requestParameters": {"sourceIPAddress": "10.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "runs",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {
                "key": quote_plus(key),
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    }


def handle(event: object) -> list[Arrival]:
    arrivals: list[Arrival] = []
    handled = starter.handle(event, arrivals.append)
    assert handled == [arrival.run_id for arrival in arrivals]
    return arrivals


def test_the_keys_are_those_of_the_lake():
    """The starter must not import `layout`, which needs more than boto3."""
    assert starter.RUNS == layout.RUNS
    assert starter.RECEIPTS == layout.RECEIPTS


def test_every_record_is_handled():
    event = {
        "Records": [
            record(layout.run(RUN)),
            record("some/lake/" + layout.run(OTHER), "other-bucket"),
        ]
    }
    here, there = handle(event)
    assert here == Arrival("bucket", "", RUN)
    assert here.lake == "s3://bucket"
    assert there == Arrival("other-bucket", "some/lake/", OTHER)
    assert there.lake == "s3://other-bucket/some/lake"


@pytest.mark.parametrize("prefix", ["a lake/", "a+b=c/", "50%/", "größe/", "a%20b/", "raw/_runs/"])
@pytest.mark.parametrize("encode", [quote_plus, quote])
def test_keys_are_decoded(prefix, encode):
    """S3 writes a space as `+`, LocalStack as `%20`."""
    one = record("")
    one["s3"]["object"]["key"] = encode(prefix + layout.run(RUN))
    assert handle({"Records": [one]}) == [Arrival("bucket", prefix, RUN)]


@pytest.mark.parametrize(
    "key",
    [
        "_lake.json",
        layout.receipt(RUN),
        layout.blob(layout.RAW, "2013-03-01", "AAPL", "0" * 32),
        layout.history("AAPL"),
        "raw/_runs/",
        "raw/_runs/.json",
        f"raw/_runs/{RUN}",
        f"raw/_runs/{RUN}.json.tmp",
        f"raw/_runs/{RUN}.parquet",
        f"raw/_runs/deeper/{RUN}.json",
        f"raw/runs/{RUN}.json",
        f"not-raw/_runs/{RUN}.json",
        f"lake/straw/_runs/{RUN}.json",
        "",
    ],
)
def test_only_manifests_start_something(key):
    assert handle({"Records": [record(key), record(layout.run(OTHER))]}) == [
        Arrival("bucket", "", OTHER)
    ]


def test_the_test_event_of_a_new_notification_is_no_error():
    assert handle(TEST_EVENT) == []


def without(path: str) -> dict[str, object]:
    """A record that lacks something."""
    one = record(layout.run(RUN))
    *parents, last = path.split("/")
    place = one
    for parent in parents:
        place = place[parent]
    del place[last]
    return one


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "a record",
        7,
        [],
        {},
        {"s3": None},
        {"s3": {"bucket": {"name": 7}, "object": {"key": layout.run(RUN)}}},
        {"s3": {"bucket": {"name": "bucket"}, "object": {"key": None}}},
        {"s3": {"bucket": {"name": "bucket"}, "object": {"key": 7}}},
        without("s3"),
        without("s3/bucket"),
        without("s3/bucket/name"),
        without("s3/object"),
        without("s3/object/key"),
    ],
)
def test_a_malformed_record_fails_alone(malformed, caplog):
    arrivals: list[Arrival] = []
    event = {"Records": [record(layout.run(RUN)), malformed, record(layout.run(OTHER))]}
    with pytest.raises(MalformedEventError):
        starter.handle(event, arrivals.append)
    assert [arrival.run_id for arrival in arrivals] == [RUN, OTHER]
    [logged] = [each for each in caplog.records if each.exc_info]
    assert str(malformed) in logged.getMessage()


@pytest.mark.parametrize(
    "event",
    [{}, {"Records": None}, {"Records": {}}, {"Records": "x"}, {"Event": "else"}, {"detail": {}}],
)
def test_what_is_no_event_at_all_is_not_taken_for_an_empty_one(event):
    with pytest.raises(MalformedEventError):
        handle(event)


def test_a_launch_that_fails_fails_alone():
    launched = []

    def launch(arrival: Arrival) -> None:
        launched.append(arrival.run_id)
        if arrival.run_id == RUN:
            raise TimeoutError("throttled")

    event = {"Records": [record(layout.run(RUN)), record(layout.run(OTHER))]}
    with pytest.raises(TimeoutError):
        starter.handle(event, launch)
    assert launched == [RUN, OTHER]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "Event", "s3", "bucket", "name", "object", "key"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
PARTS = st.lists(
    st.sampled_from(
        ["raw", "_runs", "lake", "refined", RUN, ".json", "%", "+", "/", "//", " ", "ü"]
    ),
    max_size=8,
)


@given(
    odd=st.lists(JSON, max_size=3),
    keys=st.lists(PARTS.map("".join), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_odd_events_lose_no_good_record(odd, keys, order):
    good = [record(layout.run(RUN)), record(layout.run(OTHER), "other")]
    keyed = [record(key) for key in keys]
    records = [*good, *keyed, *odd]
    order.shuffle(records)
    arrivals: list[Arrival] = []
    try:
        starter.handle({"Records": records}, arrivals.append)
        assert not odd
    except MalformedEventError:
        assert odd
    for arrival in arrivals:
        key = arrival.prefix + layout.run(arrival.run_id)
        assert key in [layout.run(RUN), layout.run(OTHER), *keys]
    assert {Arrival("bucket", "", RUN), Arrival("other", "", OTHER)} <= set(arrivals)


@given(event=st.dictionaries(st.sampled_from(["Records", "Event"]) | st.text(max_size=4), JSON))
def test_any_json_object_is_handled_or_malformed(event):
    with suppress(MalformedEventError):
        assert handle(event) == []


# ---- the launch on AWS


@pytest.fixture
def job(aws, monkeypatch, request) -> str:  # noqa: ARG001 - a fixture can't use `usefixtures`
    """A Glue job as infra/ makes it, and the bucket that the events tell of."""
    s3, glue = boto3.client("s3"), boto3.client("glue")
    s3.create_bucket(Bucket="bucket")
    name = request.node.name
    glue.create_job(
        Name=name,
        Role="arn:aws:iam::123456789012:role/transformer",
        Command={"Name": "glueetl", "ScriptLocation": "s3://bucket/jobs/glue_transformer_job.py"},
        ExecutionProperty={"MaxConcurrentRuns": 10},
    )
    monkeypatch.setenv("TRANSFORMER_JOB", name)
    yield name
    for each in s3.list_objects_v2(Bucket="bucket").get("Contents", []):
        s3.delete_object(Bucket="bucket", Key=each["Key"])


def job_runs(job: str) -> list[dict[str, object]]:
    return boto3.Session().client("glue").get_job_runs(JobName=job)["JobRuns"]


def started(job: str) -> list[object]:
    """The runs that job runs were started for, the newest run first."""
    return sorted((run["Arguments"]["--run-id"] for run in job_runs(job)), reverse=True)


def event(run_id: str = RUN) -> dict[str, object]:
    return {"Records": [record("lake/" + layout.run(run_id))]}


def test_an_event_starts_the_job_for_the_run(job):
    assert starter.handler(event(), None) == {"handled": [RUN]}
    [run] = job_runs(job)
    assert run["Arguments"] == {"--lake": "s3://bucket/lake", "--run-id": RUN}


def test_a_repeated_event_starts_no_second_job_run(job):
    for _ in range(3):
        assert starter.handler(event(), None) == {"handled": [RUN]}
    assert len(job_runs(job)) == 1
    starter.handler(event(OTHER), None)
    assert [run["Arguments"]["--run-id"] for run in job_runs(job)] == [RUN, OTHER]


def test_a_repeated_event_finds_its_job_run_among_others(job):
    """Some minutes later, when the claims count no more."""
    for run_id in (RUN, OTHER):
        starter.handler(event(run_id), None)
        key = f"lake/{layout.STARTS}{run_id}-0.json"
        boto3.client("s3").delete_object(Bucket="bucket", Key=key)
    for run_id in (RUN, OTHER):
        starter.handler(event(run_id), None)
    assert started(job) == [OTHER, RUN]


def test_a_run_that_has_its_receipt_starts_nothing(job):
    boto3.client("s3").put_object(Bucket="bucket", Key="lake/" + layout.receipt(RUN), Body=b"{}")
    assert starter.handler(event(), None) == {"handled": [RUN]}
    assert job_runs(job) == []


@pytest.mark.parametrize("state", ["ERROR", "EXPIRED", "FAILED", "STOPPED", "TIMEOUT"])
def test_a_job_run_that_ended_badly_is_started_again(job, state):
    starter.handler(event(), None)
    # moto's job runs all succeed
    [run] = glue_backends["123456789012"]["us-east-1"].jobs[job].job_runs
    run.status = state
    run._transitions = []
    starter.handler(event(), None)
    assert len(job_runs(job)) == 2
    assert job_runs(job)[0]["JobRunState"] == state
    starter.handler(event(), None)
    assert len(job_runs(job)) == 2


# ---- deliveries in the same second


@pytest.fixture
def unlisted(monkeypatch) -> None:
    """Glue lists no job run yet, as none of the deliveries has started one when the others look."""
    make = boto3.client

    def client(service: str) -> object:
        made = make(service)
        if service == "glue":
            made.get_job_runs = lambda **_: {"JobRuns": []}
        return made

    monkeypatch.setattr(boto3, "client", client)


@pytest.mark.usefixtures("unlisted")
def test_of_deliveries_in_the_same_second_one_starts_a_job_run(job):
    meeting = threading.Barrier(8)
    launches = [starter.glue(job) for _ in range(8)]

    def deliver(launch: starter.Launch) -> list[str]:
        meeting.wait()
        return starter.handle(event(), launch)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(deliver, launches)) == [[RUN]] * 8
    assert started(job) == [RUN]
    starter.handler(event(OTHER), None)
    assert started(job) == [OTHER, RUN]


@pytest.mark.usefixtures("unlisted")
def test_an_old_claim_without_a_job_run_is_taken_over_by_one(job, monkeypatch):
    """Whoever wrote it died before it started anything."""
    s3 = boto3.client("s3")
    key = f"lake/{layout.STARTS}{RUN}-0.json"
    s3.put_object(Bucket="bucket", Key=key, Body=b'{"claim": "x", "released": false}')
    assert layout.is_object(key.removeprefix("lake/"))
    assert starter.handler(event(), None) == {"handled": [RUN]}
    assert started(job) == []
    monkeypatch.setattr(starter, "CLAIM_COUNTS", timedelta(0))
    found = s3.get_object(Bucket="bucket", Key=key)
    assert starter.handler(event(), None) == {"handled": [RUN]}
    assert started(job) == [RUN]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"{}", IfMatch=found["ETag"])


def arrived(seconds: float) -> dict[str, object]:
    """The event of a manifest that arrived some seconds ago."""
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    [one] = event()["Records"]
    return {"Records": [one | {"eventTime": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"}]}


ATTEMPTS = (1, 61, 181)
"""Lambda delivers an event at once, and again one minute and two minutes after a failure."""


def test_a_backfill_of_many_manifests_leaves_no_dead_letter(job):
    """Three transformers are running, and do not end before Lambda gives up."""
    limits = glue_backends["123456789012"]["us-east-1"].jobs[job].execution_property
    limits["MaxConcurrentRuns"] = 0
    for seconds in ATTEMPTS[:-1]:
        # what is under way may have looked for manifests for the last time before this one came
        with pytest.raises(ClientError, match="ConcurrentRunsExceeded"):
            starter.handler(arrived(seconds), None)
    assert starter.handler(arrived(ATTEMPTS[-1]), None) == {"handled": [RUN]}
    assert job_runs(job) == []
    # a later delivery may start it: the claim was released
    limits["MaxConcurrentRuns"] = 1
    assert starter.handler(arrived(200), None) == {"handled": [RUN]}
    assert started(job) == [RUN]


@pytest.mark.parametrize("moment", [None, 7, "yesterday", "2026-11-20"])
def test_a_manifest_of_unknown_age_is_not_given_up(job, moment):
    limits = glue_backends["123456789012"]["us-east-1"].jobs[job].execution_property
    limits["MaxConcurrentRuns"] = 0
    [one] = event()["Records"]
    with pytest.raises(ClientError, match="ConcurrentRunsExceeded"):
        starter.handler({"Records": [one | {"eventTime": moment}]}, None)


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("code", ["ThrottlingException", "ResourceNumberLimitExceededException"])
def test_only_transformers_under_way_are_relied_on(code, monkeypatch):
    make = boto3.client

    def client(service: str) -> object:
        made = make(service)
        if service == "glue":
            made.start_job_run = Mock(side_effect=ClientError({"Error": {"Code": code}}, "x"))
        return made

    monkeypatch.setattr(boto3, "client", client)
    with pytest.raises(ClientError, match=code):
        starter.handler(arrived(181), None)


def test_who_can_not_claim_starts_the_job_run_nevertheless(job, monkeypatch, caplog):
    s3 = boto3.client("s3")
    s3.put_object = Mock(side_effect=ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject"))
    make = boto3.client
    monkeypatch.setattr(boto3, "client", lambda name: s3 if name == "s3" else make(name))
    assert starter.handler(event(), None) == {"handled": [RUN]}
    assert started(job) == [RUN]
    assert "can't claim the run" in caplog.text


@pytest.mark.usefixtures("job")
def test_a_job_that_is_not_there_fails_the_event(monkeypatch):
    """Lambda then tries again, and keeps the event for its dead-letter queue."""
    monkeypatch.setenv("TRANSFORMER_JOB", "not-there")
    with pytest.raises(ClientError, match="EntityNotFound"):
        starter.handler(event(), None)


# ---- what it needs

IMPORTS = """
import json, sys
before = set(sys.modules)
import glue_starter_lambda_function
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
print(json.dumps(sorted(name for name in sys.modules if name.startswith("tickerlake"))))
"""


def test_it_imports_nothing_but_the_standard_library():
    """A Lambda function has no more, and a cold start should cost no more; boto3 comes lazily."""
    jobs = Path(starter.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=jobs, capture_output=True, text=True, check=True
    )
    packages, ours = map(json.loads, done.stdout.splitlines())
    own = {"glue_starter_lambda_function", "tickerlake"}
    assert set(packages) - set(sys.stdlib_module_names) == own
    assert ours == ["tickerlake", "tickerlake.aws", "tickerlake.aws.starter", "tickerlake.errors"]


def test_a_claim_ends_before_lambda_tries_again():
    """After about a minute; by then a job run that was started is listed."""
    assert timedelta(seconds=30) <= starter.CLAIM_COUNTS < timedelta(seconds=60)


@pytest.mark.usefixtures("unlisted")
def test_an_old_claim_is_taken_over_on_condition(job, monkeypatch):
    """Two deliveries see the same old claim; one of them replaces it first."""
    s3 = boto3.client("s3")
    key = f"lake/{layout.STARTS}{RUN}-0.json"
    s3.put_object(Bucket="bucket", Key=key, Body=b'{"claim": "x", "released": true}')
    old = s3.get_object(Bucket="bucket", Key=key)
    s3.put_object(Bucket="bucket", Key=key, Body=b'{"claim": "faster", "released": false}')
    stale = {**old, "Body": Mock(read=lambda: b'{"claim": "x", "released": true}')}
    make = boto3.client

    def client(name: str) -> object:
        made = make(name)
        if name == "s3":
            made.get_object = lambda **_: stale
        return made

    monkeypatch.setattr(boto3, "client", client)
    starter.handle(event(), starter.glue(job))
    assert started(job) == []


def test_a_refused_start_leaves_its_claim_to_the_next_delivery(job, monkeypatch):
    """Glue throttles the first call; the event comes again half a minute later."""
    make, refusals = boto3.client, iter([True])

    def client(name: str) -> object:
        made = make(name)
        if name == "glue":
            start = made.start_job_run

            def refusing(**arguments: object) -> object:
                if next(refusals, False):
                    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "StartJobRun")
                return start(**arguments)

            made.start_job_run = refusing
        return made

    monkeypatch.setattr(boto3, "client", client)
    with pytest.raises(ClientError, match="ThrottlingException"):
        starter.handler(event(), None)
    assert starter.handler(event(), None) == {"handled": [RUN]}
    assert started(job) == [RUN]
