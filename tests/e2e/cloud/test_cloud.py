"""The deployed graph, run for real: what `infra/` deploys, on an emulator of AWS.

Real: Terraform and its AWS provider, the job scripts with Spark, the packages that the jobs
install, the starter's zip in a Lambda runtime, S3's events, SQL over the files. The emulator is
MiniStack. It delivers no universal targets of Scheduler, so the tests read the deployed schedule
back and call what it says; it knows no `.gluewheels.zip`, so the jobs' image has it installed.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import click
import dictionary
import polars as pl
import pytest
from helpers import free_port, new_lake, objects, point_to, shell, until

from tickerlake.lake import Lake, layout, manifests, open_lake
from tickerlake.market import calendars
from tickerlake.sources.replay import Fault, Replay
from tickerlake.sources.yahoo import LONGEST_PAUSE

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[3]
UV = Path(sys.executable).with_name("uv")
TICKERLAKE = Path(sys.executable).with_name("tickerlake")
MINISTACK = "ministack[full]==1.5.33"
IMAGE = "tickerlake-glue-job"

NAME = "e2e"
TICKERS = ["AAPL", "IBM"]
START = date(2012, 12, 3)
SESSIONS = calendars.of("IBM").schedule["session"]
EVENINGS = SESSIONS.filter(SESSIONS.is_between(date(2013, 2, 14), date(2013, 3, 1))).to_list()

SERVICES = [
    "athena",
    "budgets",
    "cloudwatch",
    "events",
    "glue",
    "iam",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "sns",
    "sqs",
    "sts",
]

# attributes that the emulator forgets
DRIFT = {
    "aws_glue_job": {"execution_property", "tags_all"},
    "aws_cloudwatch_metric_alarm": {
        "actions_enabled",
        "alarm_actions",
        "alarm_description",
        "dimensions",
        "ok_actions",
        "period",
        "statistic",
        "treat_missing_data",
    },
    "aws_s3_object": {"tags_all"},  # those of what is uploaded in parts: the packages
}


# what is waited for is slow, and asking costs the emulator time
wait = partial(until, seconds=600, every=0.2)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say how long something took."""
    begin = time.monotonic()
    yield
    click.echo(f"  {what:56} {time.monotonic() - begin:6.1f} s")


@dataclass
class Cloud:
    """The deployed lake, and a local one that the same days are brought into."""

    infra: Path
    log: Path
    replay: Replay
    local: Lake
    evenings: Iterator[date]
    outputs: dict[str, Any]
    examined: dict[str, str]
    """What doctor said before the apply: the verdict of each check."""

    @property
    def lake(self) -> Lake:
        return open_lake(self.outputs["lake"])

    def terraform(self, *command: str) -> str:
        return shell("terraform", f"-chdir={self.infra}", *command)

    def doctor(self) -> tuple[int, list[dict[str, str]]]:
        """What `doctor --aws` says of the account, and its exit code."""
        command = [TICKERLAKE, "doctor", "--aws", "--infra", self.infra, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        lines: list[dict[str, str]] = json.loads(done.stdout)
        for each in lines:
            click.echo(f"  {each['verdict']:8} {each['name']}: {each['saw']}")
        return done.returncode, lines

    def evening(self) -> date:
        """Let the next session end."""
        day = next(self.evenings)
        self.replay.now = datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)
        return day

    def fire(self) -> dict[str, Any]:
        """Do what the deployed schedule says; the extractor's job run, when it has ended."""
        schedule = boto3.client("scheduler").get_schedule(Name=self.outputs["schedule"])
        target = schedule["Target"]
        assert schedule["State"] == "ENABLED"
        assert target["Arn"].endswith(":scheduler:::aws-sdk:glue:startJobRun")
        arguments = json.loads(target["Input"])
        allows(target["RoleArn"], "scheduler", "glue:StartJobRun", f"job/{arguments['JobName']}")
        started = boto3.client("glue").start_job_run(**arguments)
        with step("extractor"):
            return self.ended(arguments["JobName"], started["JobRunId"])

    def ended(self, job: str, run_id: str) -> dict[str, Any]:
        glue = boto3.client("glue")

        def look() -> dict[str, Any] | None:
            found = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
            return None if found["JobRunState"] in ("STARTING", "RUNNING") else found

        found: dict[str, Any] = wait(look)
        return found

    def transforms(self) -> list[dict[str, Any]]:
        """The transformer's job runs."""
        job = self.outputs["transformer_job"]
        found: list[dict[str, Any]] = boto3.client("glue").get_job_runs(JobName=job)["JobRuns"]
        return found

    def transformed(self) -> None:
        """Wait until every manifest has its receipt and every job run has ended."""
        with step("manifest -> Lambda -> transformer -> receipt"):
            wait(lambda: not manifests.pending_ids(self.lake.store))
            for each in self.transforms():
                done = self.ended(self.outputs["transformer_job"], each["Id"])
                assert done["JobRunState"] == "SUCCEEDED", done["ErrorMessage"]

    def extracted(self) -> date:
        """The next session, brought into raw."""
        day = self.evening()
        click.echo(f"\n{day}")
        extracted = self.fire()
        assert extracted["JobRunState"] == "SUCCEEDED", extracted["ErrorMessage"]
        return day

    def day(self) -> date:
        """A day as it should be."""
        day = self.extracted()
        self.transformed()
        self.assert_equal()
        return day

    def partitions(self, table: str) -> set[tuple[str, ...]]:
        pages = boto3.client("glue").get_paginator("get_partitions")
        of = {"DatabaseName": self.outputs["database"], "TableName": table}
        found = [each for page in pages.paginate(**of) for each in page["Partitions"]]
        return {tuple(each["Values"]) for each in found}

    def query(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows that Athena answers, as text."""
        athena = boto3.client("athena")
        query = athena.start_query_execution(
            QueryString=sql,
            WorkGroup=self.outputs["workgroup"],
            QueryExecutionContext={"Database": self.outputs["database"]},
        )["QueryExecutionId"]

        def look() -> dict[str, Any] | None:
            status: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)
            status = status["QueryExecution"]["Status"]
            return None if status["State"] in ("QUEUED", "RUNNING") else status

        status = wait(look)
        assert status["State"] == "SUCCEEDED", status
        _, *rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in rows]

    def assert_equal(self) -> None:
        """That the deployed lake, its catalog and its SQL are what a local run makes."""
        with step("local run"):
            command = [TICKERLAKE, "run", "--lake", self.local.store.url, "--grain", "day"]
            source = ["--yahoo-url", self.replay.url, "--tickers", ",".join(TICKERS)]
            shell(*command, *source, "--start", START)
        found, wanted = (objects(lake, "refined/daily/") for lake in (self.lake, self.local))
        assert found.keys() == wanted.keys()
        assert [key for key in wanted if found[key] != wanted[key]] == []
        for table, declared in dictionary.tables().items():
            keys = self.lake.store.keys(declared["location"])
            values = [layout.values(key) for key in keys if layout.RUNS not in key]
            assert self.partitions(table) == {tuple(each.values()) for each in values}
        with step("Athena"):
            rows = self.query(
                "select ticker, cast(session as varchar), close, rsi_14, volume from daily"
                " where \"date\" >= '2013-01-15' order by ticker, session"
            )
        table = pl.read_parquet(
            Path(self.local.store.url, "refined/daily/**/*.parquet"), hive_partitioning=True
        )
        expected = table.filter(pl.col("date").cast(pl.String) >= "2013-01-15").sort(
            "ticker", "session"
        )
        columns = expected.select(
            "ticker", pl.col("session").cast(pl.String), "close", "rsi_14", "volume"
        )
        assert [
            (ticker, session, float(close), float(rsi), int(volume))
            for ticker, session, close, rsi, volume in rows
        ] == columns.rows()
        self.assert_a_view_is_equal()

    def assert_a_view_is_equal(self) -> None:
        """That the catalog has a view which gives in Athena what it gives in a local query.

        The emulator's Athena does not look views up, so it is asked the text that the catalog has.
        """
        glue, name = boto3.client("glue"), "weekly"
        view = glue.get_table(DatabaseName=self.outputs["database"], Name=name)["Table"]
        assert view["TableType"] == "VIRTUAL_VIEW"
        encoded = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
        text = json.loads(base64.b64decode(encoded))["originalSql"]
        columns = "ticker, cast(week as varchar) as week, sessions, open, high, low, close, volume"
        with step("Athena, a view"):
            rows = self.query(f"select {columns} from ({text}) as {name} order by ticker, week")
        asked = f"select {columns} from {name} order by ticker, week"
        said = shell(
            *(TICKERLAKE, "query", "--lake", self.local.store.url, "--format", "json", asked)
        )
        expected = [tuple(row.values()) for row in json.loads(said)]
        found = [
            (ticker, week, int(sessions), *map(float, prices), int(volume))
            for ticker, week, sessions, *prices, volume in rows
        ]
        assert found == expected
        assert expected


def allows(role: str, service: str, action: str, resource: str) -> None:
    """That a role is a service's, and permits an action."""
    iam, name = boto3.client("iam"), role.rpartition("/")[2]
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"Service": f"{service}.amazonaws.com"}
    policy = iam.get_role_policy(RoleName=name, PolicyName=service)["PolicyDocument"]
    allowed = [each["Resource"] for each in policy["Statement"] if each["Action"] == action]
    arns = [arn for found in allowed for arn in ([found] if isinstance(found, str) else found)]
    assert any(arn.endswith(resource) for arn in arns)


# ---- what the tests stand on


RECIPE = """
FROM tickerlake-transformer
ENTRYPOINT []
USER root
RUN --mount=type=bind,target=/dist --mount=type=tmpfs,target=/packages \\
    pip="pip --python /opt/tickerlake/bin/python --disable-pip-version-check --quiet" \\
 && $pip freeze --exclude pyspark --exclude py4j > /packages/others.txt \\
 && $pip uninstall --yes --requirement /packages/others.txt \\
 && python -m zipfile -e /dist/tickerlake-*.gluewheels.zip /packages \\
 && $pip install --no-cache-dir --no-index --find-links /packages/wheels \\
      --requirement /packages/wheels/requirements.txt
USER tickerlake
"""


@pytest.fixture(scope="module")
def image() -> str:
    """An image like Glue's: Python and Spark of our transformer's, and what the zip file installs.

    Without an image the emulator says SUCCEEDED and runs nothing, so this must fail.
    """
    shell("docker", "build", "--tag", IMAGE, "--file", "-", ROOT / "dist", input=RECIPE)
    return IMAGE


@pytest.fixture(scope="module")
def host() -> str:
    """This machine's address, for itself and for containers."""
    [network] = json.loads(shell("docker", "network", "inspect", "bridge"))
    address: str = network["IPAM"]["Config"][0]["Gateway"]
    return address


@contextmanager
def ministack(host: str, log: Path, image: str) -> Iterator[str]:
    """An emulator of its own; its endpoint."""
    port = str(free_port(host))
    endpoint = f"http://{host}:{port}"
    environment = {
        "GATEWAY_PORT": port,
        "BIND_HOST": host,
        "MINISTACK_HOST": host,
        "GLUE_DOCKER_IMAGE": image,
        # for the function, which runs beside it
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(log.parent),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [UV, "tool", "run", "--quiet", "--from", MINISTACK, "ministack"],
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health"):  # noqa: S310 - http
                return True
        except OSError:
            return False

    try:
        wait(answers)
        yield endpoint
    finally:
        process.terminate()
        process.wait(20)


def override(endpoint: str) -> str:
    """What makes Terraform's provider speak to the emulator."""
    endpoints = "\n".join(f'    {service} = "{endpoint}"' for service in SERVICES)
    return f"""
provider "aws" {{
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true

  endpoints {{
{endpoints}
  }}
}}
"""


def variables(yahoo: str) -> dict[str, Any]:
    # what Glue installs before a script, the image has, and the emulator can't
    installed = {"--additional-python-modules": ""}
    return {
        "name": NAME,
        "region": "us-east-1",
        "dist": str(ROOT / "dist"),
        "tickers": TICKERS,
        "start": str(START),
        "requests_per_second": 1000,
        "extractor_arguments": {"--yahoo-url": yahoo, **installed},
        "transformer_arguments": installed,
        "partition_index": False,  # the emulator can't delete one
        "force_destroy": True,
    }


@pytest.fixture(scope="module")
def cloud(host, image, tmp_path_factory) -> Iterator[Cloud]:
    work = tmp_path_factory.mktemp("cloud")
    with ExitStack() as stack:
        endpoint = stack.enter_context(ministack(host, work / "ministack.log", image))
        settings = stack.enter_context(pytest.MonkeyPatch.context())
        point_to(endpoint, settings)
        replay = stack.enter_context(Replay(host=host))
        infra = work / "infra"
        shutil.copytree(
            ROOT / "infra", infra, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
        )
        (infra / "e2e_override.tf").write_text(override(endpoint))
        (infra / "e2e.auto.tfvars.json").write_text(json.dumps(variables(replay.url)))
        local = new_lake(str(work / "local"), "day")
        made = Cloud(infra, work / "ministack.log", replay, local, iter(EVENINGS), {}, {})
        with step("terraform init"):
            shell(infra / "init", infra)
        with step("doctor, before the apply"):
            made.examined = verdicts(made.doctor()[1])
        with step("terraform apply"):
            made.terraform("apply", "-input=false", "-auto-approve")
        outputs = json.loads(made.terraform("output", "-json"))
        made.outputs = {name: each["value"] for name, each in outputs.items()}
        yield made


def test_a_plan_after_the_apply_finds_no_drift(cloud):
    plan = cloud.infra / "plan"
    cloud.terraform("plan", "-input=false", f"-out={plan}")
    changes = json.loads(cloud.terraform("show", "-json", str(plan)))["resource_changes"]
    drift: dict[str, set[str]] = {}
    for each in changes:
        if each["change"]["actions"] != ["no-op"]:
            assert each["change"]["actions"] == ["update"], each["address"]
            before, after = each["change"]["before"], each["change"]["after"]
            differing = {name for name in after if before[name] != after[name]}
            drift.setdefault(each["type"], set()).update(differing)
    assert drift == DRIFT


# ---- doctor, before and after the apply


def verdicts(lines: list[dict[str, str]]) -> dict[str, str]:
    return {each["name"]: each["verdict"] for each in lines}


UNKNOWN_TO_THE_EMULATOR = ("glue quotas", "catalog encryption", "lake formation")
"""These services and calls it doesn't have."""


def test_doctor_before_the_apply(cloud):
    assert cloud.examined == {
        "terraform": "warning",  # the state is local
        "identity": "warning",  # account_id is not set
        "region": "ok",
        "bucket": "ok",
        "lambda quota": "ok",
        "permissions": "ok",
        "dist": "ok",
        **dict.fromkeys(UNKNOWN_TO_THE_EMULATOR, "warning"),
    }


SOURCE = "emulated.glue"
"""Nobody but AWS may put events whose source is `aws.glue`, on the emulator either."""


@contextmanager
def telling_of_failures(job: str) -> Iterator[None]:
    """Tell EventBridge of each failed run of a job: Glue does, the emulator's doesn't.

    A copy of the deployed rule, with its targets, takes another source than AWS's.
    """
    events = boto3.client("events")
    deployed = events.describe_rule(Name=f"{NAME}-failed-jobs")
    targets = events.list_targets_by_rule(Rule=deployed["Name"])["Targets"]
    pattern = json.loads(deployed["EventPattern"])
    assert pattern["source"] == ["aws.glue"]
    events.put_rule(Name=SOURCE, EventPattern=json.dumps(pattern | {"source": [SOURCE]}))
    events.put_targets(Rule=SOURCE, Targets=targets)
    over = threading.Event()
    thread = threading.Thread(target=_tell, args=(job, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        events.remove_targets(Rule=SOURCE, Ids=[each["Id"] for each in targets])
        events.delete_rule(Name=SOURCE)


def _tell(job: str, over: threading.Event) -> None:
    session = boto3.Session()
    glue, events, told = session.client("glue"), session.client("events"), set()
    while not over.wait(1):
        for each in glue.get_job_runs(JobName=job)["JobRuns"]:
            if each["JobRunState"] == "FAILED" and each["Id"] not in told:
                told.add(each["Id"])
                entry = {"Source": SOURCE, "DetailType": "Glue Job State Change"}
                answer = events.put_events(Entries=[entry | {"Detail": json.dumps(detail(each))}])
                assert not answer["FailedEntryCount"], answer


def detail(failed: dict[str, Any]) -> dict[str, str]:
    """What Glue says of a job run that failed."""
    return {
        "jobName": failed["JobName"],
        "jobRunId": failed["Id"],
        "state": failed["JobRunState"],
        "severity": "ERROR",
        "message": failed["ErrorMessage"][-200:],
    }


def test_doctor_after_the_apply(cloud):
    cloud.evening()
    before = boto3.client("sqs").list_queues().get("QueueUrls", [])
    with step("doctor, after the apply"), telling_of_failures(cloud.outputs["extractor_job"]):
        code, lines = cloud.doctor()
    found = verdicts(lines)
    assert {name: found[name] for name in found if name not in cloud.examined} == {
        "schedule": "ok",
        "dead letters": "ok",
        "alarms": "ok",
        "alarms' queries": "warning",  # the emulator forgets metric math
        "log filters": "warning",  # the emulator has no TestMetricFilter
        "failed jobs' rule": "ok",
        "subscriptions": "warning",  # no email is set
        "trial: extractor": "ok",
        "trial: manifest": "ok",
        "trial: starter": "ok",
        "trial: transformer": "ok",
        "trial: receipt": "ok",
        "trial: partitions": "ok",
        "trial: athena": "ok",
        "trial: failing run": "ok",
        "trial: mail": "warning",  # published, but no email is set
    }
    assert {name: found[name] for name in cloud.examined} == cloud.examined
    assert code == 0
    assert boto3.client("sqs").list_queues().get("QueueUrls", []) == before
    held = boto3.client("s3").list_objects_v2(Bucket=cloud.outputs["bucket"], Prefix="_config/")
    assert [each["Key"] for each in held["Contents"]] == ["_config/universe.txt"]


def test_doctor_sees_what_is_broken(cloud):
    """A rule that is off, and a letter that nobody has read."""
    events, sqs, rule = boto3.client("events"), boto3.client("sqs"), f"{NAME}-failed-jobs"
    queue = cloud.outputs["starter_dlq_url"]
    events.disable_rule(Name=rule)
    sqs.send_message(QueueUrl=queue, MessageBody="lost")
    command = ["--aws", "--infra", cloud.infra, "--no-trial", "--format", "json"]
    try:
        broken = subprocess.run(
            [TICKERLAKE, "doctor", *command], capture_output=True, text=True, check=False
        )
    finally:
        events.enable_rule(Name=rule)
        sqs.purge_queue(QueueUrl=queue)
    assert broken.returncode == 1
    found = verdicts(json.loads(broken.stdout))
    assert {name for name, verdict in found.items() if verdict == "failed"} == {
        "dead letters",
        "failed jobs' rule",
    }


# ---- a day, and what may happen in it


def test_a_day_and_the_next(cloud):
    done = len(cloud.transforms())
    cloud.day()
    before, held = cloud.partitions("daily"), objects(cloud.lake, "refined/daily/")
    assert len(before) > 100, "more than one call can register"
    day = cloud.day()
    assert cloud.partitions("daily") == before | {(str(day), ticker) for ticker in TICKERS}
    assert held.items() <= objects(cloud.lake, "refined/daily/").items()
    assert len(cloud.transforms()) == done + 2


# ---- events that come again, late, in another order, broken, or never


def record(cloud: Cloud, run_id: str) -> dict[str, Any]:
    """What S3 says of a manifest that has arrived."""
    bucket = {"name": cloud.outputs["bucket"]}
    return {
        "eventSource": "aws:s3",
        "s3": {"bucket": bucket, "object": {"key": layout.run(run_id)}},
    }


def invoke(cloud: Cloud, *records: object) -> dict[str, Any]:
    """Hand an event to the deployed function; what it answers."""
    answer = boto3.client("lambda").invoke(
        FunctionName=cloud.outputs["starter_function"],
        Payload=json.dumps({"Records": records}).encode(),
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def started(cloud: Cloud) -> list[str]:
    """The run ids that transformers were started for."""
    return [each["Arguments"]["--run-id"] for each in cloud.transforms()]


def test_an_event_that_comes_again_starts_nothing(cloud):
    before = started(cloud)
    cloud.extracted()
    *_, run_id = wait(lambda: started(cloud)[len(before) :])
    for _ in range(2):
        assert invoke(cloud, record(cloud, run_id)) == {"handled": [run_id]}
    cloud.transformed()
    invoke(cloud, record(cloud, run_id), record(cloud, run_id))
    assert started(cloud) == [*before, run_id]
    cloud.assert_equal()


def test_events_in_another_order_start_nothing(cloud):
    before = started(cloud)
    known = manifests.all_ids(cloud.lake.store)
    assert invoke(cloud, *(record(cloud, each) for each in reversed(known)))["handled"]
    assert started(cloud) == before
    assert sorted(before) == sorted(known), "each manifest has had its one transformer"


def unheard(cloud: Cloud) -> str:
    """A day of whose manifest S3 tells nobody; its run id."""
    s3, bucket = boto3.client("s3"), cloud.outputs["bucket"]
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    told.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        cloud.extracted()
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    [run_id] = manifests.pending_ids(cloud.lake.store)
    return run_id


def test_a_lost_event_is_made_good_by_the_next_one(cloud):
    before = started(cloud)
    lost = unheard(cloud)
    cloud.day()
    assert len(started(cloud)) == len(before) + 1
    assert lost not in started(cloud)
    # late after all: there is nothing left to do
    assert invoke(cloud, record(cloud, lost)) == {"handled": [lost]}
    assert len(started(cloud)) == len(before) + 1


def test_a_malformed_record_fails_alone_and_is_kept(cloud):
    before = started(cloud)
    run_id = unheard(cloud)
    malformed = {"s3": {"bucket": {"name": "x"}}}
    other = record(cloud, "x") | {"s3": {"bucket": {"name": "x"}, "object": {"key": "raw/x.json"}}}
    event = {"Records": [malformed, other, record(cloud, run_id)]}
    boto3.client("lambda").invoke(
        FunctionName=cloud.outputs["starter_function"],
        InvocationType="Event",
        Payload=json.dumps(event).encode(),
    )
    cloud.transformed()
    sqs, queue = boto3.client("sqs"), cloud.outputs["starter_dlq_url"]

    def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        return found

    [message] = wait(look)
    body = json.loads(message["Body"])
    # the emulator wraps it, as Lambda itself does for destinations alone
    assert body.get("requestPayload", body) == event
    assert started(cloud) == [*before, run_id], "three attempts, one transformer"
    cloud.assert_equal()


# ---- a bad evening


def test_an_extraction_that_fails_is_told_and_made_good_the_next_day(cloud):
    cloud.day()
    held, partitions = objects(cloud.lake), cloud.partitions("daily")
    before = started(cloud)
    missed = cloud.evening()
    cloud.replay.faults = [Fault(kind="rate_limited", retry_after=str(LONGEST_PAUSE + 1))]
    failed = cloud.fire()
    assert failed["JobRunState"] == "FAILED"
    *_, reason = failed["ErrorMessage"].strip().splitlines()
    assert "every ticker failed: Yahoo wants no requests" in reason
    assert f'"{TICKERS[0]}: rate_limited Yahoo' in cloud.log.read_text(), "the job's log is in it"
    assert would_ring(cloud, failed)
    # a manifest would have started a transformer that has nothing to do
    assert objects(cloud.lake) == held
    assert started(cloud) == before
    cloud.replay.faults = []
    day = cloud.day()
    added = {(str(each), ticker) for each in (missed, day) for ticker in TICKERS}
    assert cloud.partitions("daily") == partitions | added


def would_ring(cloud: Cloud, failed: dict[str, Any]) -> bool:
    """Whether the deployed rule takes Glue's word that a job run failed.

    The emulator's Glue says nothing to EventBridge, so the event is made here, as Glue makes it.
    """
    events = boto3.client("events")
    rule = events.describe_rule(Name=f"{NAME}-failed-jobs")
    targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert rule["State"] == "ENABLED"
    assert [each["Arn"] for each in targets] == [cloud.outputs["alarm_topic_arn"]]
    event = {
        "id": "1",
        "account": "000000000000",
        "region": "us-east-1",
        "time": "2013-03-01T22:30:00Z",
        "resources": [],
        "source": "aws.glue",
        "detail-type": "Glue Job State Change",
        "detail": detail(failed),
    }
    answer = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))
    rings: bool = answer["Result"]
    return rings


def test_destroy_leaves_nothing(cloud):
    """The last one: there is no cloud after it."""
    with step("terraform destroy"):
        cloud.terraform("destroy", "-input=false", "-auto-approve")
    assert not cloud.terraform("state", "list").strip()
    glue = boto3.client("glue")
    left = [
        *(each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]),
        *(each["Name"] for each in glue.get_jobs()["Jobs"]),
        *(each["Name"] for each in glue.get_databases()["DatabaseList"]),
        *(each["FunctionName"] for each in boto3.client("lambda").list_functions()["Functions"]),
        *(each["Name"] for each in boto3.client("scheduler").list_schedules()["Schedules"]),
        *(each["RoleName"] for each in boto3.client("iam").list_roles()["Roles"]),
        *boto3.client("sqs").list_queues().get("QueueUrls", []),
        *(each["TopicArn"] for each in boto3.client("sns").list_topics()["Topics"]),
        *(each["Name"] for each in boto3.client("events").list_rules()["Rules"]),
        *(
            each["AlarmName"]
            for each in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ),
        *(each["logGroupName"] for each in boto3.client("logs").describe_log_groups()["logGroups"]),
        *(each["Name"] for each in boto3.client("athena").list_work_groups()["WorkGroups"]),
    ]
    assert [name for name in left if NAME in name] == []
