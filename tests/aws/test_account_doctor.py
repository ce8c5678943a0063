"""Doctor of an AWS account: each check, and what makes it fail.

The answers are AWS's, as botocore's models allow them. The same checks run against an emulator in
tests/e2e/cloud.
"""

import io
import json
import re
import stat
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import boto3
import pytest
from botocore.model import OperationModel
from botocore.response import StreamingBody
from botocore.validate import validate_parameters

from tickerlake import __version__
from tickerlake.aws import doctor
from tickerlake.aws.doctor import after, before, failure, permissions, terraform, trial
from tickerlake.aws.doctor.runs import Runs
from tickerlake.aws.doctor.terraform import Deployment
from tickerlake.diagnosis import diagnose
from tickerlake.errors import UsageError

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/you"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:lake-alarms"

INPUTS = {
    "name": "lake",
    "region": "us-east-1",
    "account_id": ACCOUNT,
    "dist": "../dist",
    "tickers": ["AAPL", "IBM"],
    "worker_type": "G.2X",
    "extractor_workers": 2,
    "transformer_workers": 4,
    "reserved_concurrency": None,
    "email": "you@example.com",
    "existing_bucket": None,
    "kms_key_arn": None,
    "iam_path": "/",
    "lake_formation": False,
    "budget": None,
}
OUTPUTS = {
    "bucket": f"lake-{ACCOUNT}",
    "lake": f"s3://lake-{ACCOUNT}",
    "extractor_job": "lake-extractor",
    "transformer_job": "lake-transformer",
    "starter_function": "lake-starter",
    "schedule": "lake-extractor",
    "database": "lake",
    "workgroup": "lake",
    "alarm_topic_arn": TOPIC,
    "job_logs": {"output": "/aws-glue/lake/output", "error": "/aws-glue/lake/error"},
    "dead_letter_queues": {"starter": "https://sqs/1/a-dlq", "schedule": "https://sqs/1/b-dlq"},
}
PLANNED = Deployment(Path("infra"), "1.11.4", "s3", INPUTS, {})
APPLIED = replace(PLANNED, outputs=OUTPUTS)


def given(deployment: Deployment = PLANNED, **inputs: object) -> Deployment:
    return replace(deployment, inputs=deployment.inputs | inputs)


class Answers:
    """Clients whose answers are given in advance, by service and call; text is an error's code.

    A call that was given one answer gets it each time; a list is used up.
    """

    def __init__(self, **services: dict[str, object]) -> None:
        self.services = {name.replace("_", "-"): calls for name, calls in services.items()}
        self.calls: list[tuple[str, dict[str, object]]] = []

    def __call__(self, service: str) -> object:
        ANSWERING[service] = self
        return client(service)

    def answer(self, service: str, model: OperationModel) -> tuple[object, dict[str, object]]:
        given = self.services.get(service, {})[model.name]
        answer = given.pop(0) if isinstance(given, list) else given
        status = 200
        if isinstance(answer, str):
            status = 404 if answer == "404" else 403
            answer = {"Error": {"Code": answer, "Message": f"no {model.name}"}}
        elif model.output_shape:
            validate_parameters(
                {name: value for name, value in answer.items() if name != "Body"},
                model.output_shape,
            )
        metadata = {"ResponseMetadata": {"HTTPStatusCode": status}}
        return SimpleNamespace(status_code=status), answer | metadata


ANSWERING: dict[str, Answers] = {}
"""Who answers for a service: clients take long to make, so the tests share them."""


@cache
def client(service: str) -> object:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    made = boto3.client(service, region_name="us-east-1", **keys)

    def note(params, model, **_):
        ANSWERING[service].calls.append((model.name, dict(params)))

    made.meta.events.register("before-parameter-build.*.*", note)
    made.meta.events.register(
        "before-call.*.*", lambda model, **_: ANSWERING[service].answer(service, model)
    )
    return made


ME = {"Account": ACCOUNT, "Arn": ROLE, "UserId": "x"}
STS = {"GetCallerIdentity": ME}


# ---- Terraform and identity


@pytest.mark.parametrize(
    ("version", "backend", "verdict", "advice"),
    [
        ("1.11.4", "s3", "ok", ""),
        ("1.10.0", "s3", "ok", ""),
        ("2.0.0-rc1", "s3", "ok", ""),
        ("1.9.8", "s3", "failed", "1.10"),
        ("1.11.4", "local", "warning", "backend.tf.example"),
    ],
)
def test_the_version_of_terraform_and_the_backend(version, backend, verdict, advice):
    found = doctor.version(replace(PLANNED, version=version, backend=backend))
    assert (found.verdict, advice in found.advice) == (verdict, True)
    assert version in found.saw
    assert backend in found.saw


@pytest.mark.parametrize(
    ("account_id", "answer", "verdict", "words"),
    [
        (ACCOUNT, ME, "ok", ROLE),
        (None, ME, "warning", "account_id"),
        ("999999999999", ME, "failed", "999999999999"),
        (ACCOUNT, ME | {"Arn": f"arn:aws:iam::{ACCOUNT}:root"}, "warning", "root user"),
        (ACCOUNT, "ExpiredToken", "failed", "AWS_PROFILE"),
        (ACCOUNT, "InvalidClientTokenId", "failed", "enabled"),
    ],
)
def test_identity(account_id, answer, verdict, words):
    answers = Answers(sts={"GetCallerIdentity": answer})
    found, _ = doctor.identity(given(account_id=account_id), answers)
    assert (found.verdict, words in str(found)) == (verdict, True), found


def test_nothing_is_asked_with_credentials_that_do_not_work():
    lines = list(doctor.examined(APPLIED, Answers(sts={"GetCallerIdentity": "X"}), start_jobs=True))
    assert [(each.name, each.verdict) for each in lines] == [
        ("terraform", "ok"),
        ("identity", "failed"),
    ]


# ---- before an apply


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("AWS_REGION", "us-east-1", "ok"),
        ("AWS_REGION", "eu-west-1", "warning"),
        ("AWS_DEFAULT_REGION", "eu-west-1", "warning"),
        ("AWS_REGION", "", "ok"),
    ],
)
def test_region(monkeypatch, name, value, verdict):
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv(name, value)
    assert before.region(PLANNED).verdict == verdict


HERE = {"BucketRegion": "us-east-1"}


@pytest.mark.parametrize(
    ("deployment", "answer", "verdict", "words"),
    [
        (PLANNED, "404", "ok", "is free"),
        (PLANNED, HERE, "failed", "existing_bucket"),
        (PLANNED, "403", "failed", "Choose another name"),
        (APPLIED, HERE, "ok", "ours"),
        (APPLIED, "404", "failed", "apply again"),
        (APPLIED, "403", "failed", "can't be opened"),
        (given(existing_bucket="theirs"), HERE, "ok", "theirs"),
        (given(existing_bucket="theirs"), "404", "failed", "does not exist"),
        (given(existing_bucket="theirs"), {"BucketRegion": "eu-west-1"}, "failed", "eu-west-1"),
    ],
)
def test_bucket(deployment, answer, verdict, words):
    s3 = {"HeadBucket": answer, "GetBucketNotificationConfiguration": {}}
    found = before.bucket(deployment, Answers(sts=STS, s3=s3))
    assert (found.verdict, words in str(found)) == (verdict, True), found


def test_an_existing_bucket_that_tells_others():
    """Terraform's notification replaces all that there are."""
    theirs = {"QueueConfigurations": [{"QueueArn": "arn:x", "Events": ["s3:ObjectCreated:*"]}]}
    s3 = {"HeadBucket": HERE, "GetBucketNotificationConfiguration": theirs}
    found = before.bucket(given(existing_bucket="theirs"), Answers(sts=STS, s3=s3))
    assert (found.verdict, "QueueConfigurations" in found.saw) == ("failed", True)
    applied = given(APPLIED, existing_bucket="theirs")
    assert before.bucket(applied, Answers(sts=STS, s3={"HeadBucket": HERE})).verdict == "ok"


def quotas(dpu: float, job_runs: float) -> dict[str, object]:
    return {
        "ListServiceQuotas": {
            "Quotas": [
                {"QuotaName": "Max task DPUs per account", "Value": dpu},
                {"QuotaName": "Max concurrent job runs per account", "Value": job_runs},
                {"QuotaName": "Max jobs per account", "Value": 1000.0},
            ]
        }
    }


@pytest.mark.parametrize(
    ("dpu", "job_runs", "verdict"),
    [(32, 5, "ok"), (300, 50, "ok"), (31, 50, "failed"), (300, 4, "failed")],
)
def test_glue_quotas(dpu, job_runs, verdict):
    """(2 + 3 * 4 + 2) workers of 2 DPU."""
    found = before.glue_quotas(PLANNED, Answers(service_quotas=quotas(dpu, job_runs)))
    assert found.verdict == verdict
    assert f"{dpu}, needed 32" in found.saw


def test_quotas_without_names_that_we_know():
    answers = Answers(service_quotas={"ListServiceQuotas": {"Quotas": []}})
    assert before.glue_quotas(PLANNED, answers).verdict == "warning"


def test_a_worker_of_every_type_has_its_dpu():
    text = (ROOT / "infra" / "variables.tf").read_text()
    [types] = re.findall(r"contains\(\[([^]]+)\], var.worker_type\)", text)
    assert {each.strip(' "').partition(".")[2] for each in types.split(",")} == before.DPU.keys()


def test_as_many_transformers_as_infra_allows():
    text = (ROOT / "infra" / "modules" / "glue" / "main.tf").read_text()
    assert f"concurrent_runs = {before.TRANSFORMS}\n" in text
    assert f"workers     = {before.COMPACTOR_WORKERS}\n" in text


@pytest.mark.parametrize(
    ("free", "reserved", "verdict"),
    [(10, None, "ok"), (1000, 5, "ok"), (104, 5, "failed"), (10, 1, "failed"), (0, None, "failed")],
)
def test_lambda_quota(free, reserved, verdict):
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": free}
    answers = Answers(**{"lambda": {"GetAccountSettings": {"AccountLimit": limits}}})
    assert before.lambda_quota(given(reserved_concurrency=reserved), answers).verdict == verdict


KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"


@pytest.mark.parametrize(
    ("at_rest", "kms_key_arn", "verdict"),
    [
        ({}, None, "ok"),
        ({"CatalogEncryptionMode": "DISABLED"}, None, "ok"),
        ({"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": KEY}, None, "failed"),
        ({"CatalogEncryptionMode": "SSE-KMS"}, KEY, "failed"),
        ({"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": KEY}, KEY, "ok"),
        (
            {
                "CatalogEncryptionMode": "SSE-KMS-WITH-SERVICE-ROLE",
                "SseAwsKmsKeyId": KEY,
                "CatalogEncryptionServiceRole": "arn:aws:iam::1:role/x",
            },
            None,
            "ok",
        ),
    ],
)
def test_catalog_encryption(at_rest, kms_key_arn, verdict):
    settings = {"EncryptionAtRest": at_rest} if at_rest else {}
    answer = {"GetDataCatalogEncryptionSettings": {"DataCatalogEncryptionSettings": settings}}
    found = before.catalog_encryption(given(kms_key_arn=kms_key_arn), Answers(glue=answer))
    assert (found.verdict, "kms_key_arn" in found.advice) == (verdict, verdict == "failed")


EVERYBODY = [
    {
        "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"},
        "Permissions": ["ALL"],
    }
]
ADMIN = [{"DataLakePrincipalIdentifier": f"arn:aws:iam::{ACCOUNT}:role/Admin"}]


@pytest.mark.parametrize(
    ("defaults", "admins", "wanted", "verdict"),
    [
        (EVERYBODY, [], False, "ok"),
        ([], [], False, "failed"),
        ([], [], True, "failed"),
        ([], ADMIN, True, "ok"),
        (EVERYBODY, [], True, "failed"),
    ],
)
def test_lake_formation(defaults, admins, wanted, verdict):
    settings = {
        "CreateDatabaseDefaultPermissions": defaults,
        "CreateTableDefaultPermissions": defaults,
        "DataLakeAdmins": admins,
    }
    answers = Answers(lakeformation={"GetDataLakeSettings": {"DataLakeSettings": settings}})
    found = before.lake_formation(given(lake_formation=wanted), answers, ROLE)
    assert found.verdict == verdict


def simulation(*decisions: tuple[str, str, list[str]]) -> dict[str, object]:
    return {
        "EvaluationResults": [
            {"EvalActionName": name, "EvalDecision": decision, "MissingContextValues": missing}
            for name, decision, missing in decisions
        ]
    }


FULL_ROLE = {
    "Role": {
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/Admin",
        "Path": "/aws-reserved/",
        "RoleName": "Admin",
        "RoleId": "AROAEXAMPLEEXAMPLE",
        "CreateDate": "2026-01-01T00:00:00Z",
    }
}


@pytest.mark.parametrize(
    ("decisions", "verdict"),
    [
        ([("s3:CreateBucket", "allowed", [])], "ok"),
        ([("s3:CreateBucket", "implicitDeny", ["aws:RequestTag/x"])], "ok"),
        ([("s3:CreateBucket", "implicitDeny", [])], "failed"),
        ([("s3:CreateBucket", "explicitDeny", ["aws:RequestTag/x"])], "failed"),
    ],
)
def test_permissions(decisions, verdict):
    iam = {"GetRole": FULL_ROLE, "SimulatePrincipalPolicy": simulation(*decisions)}
    answers = Answers(sts=STS, iam=iam)
    found = permissions.simulated(PLANNED, answers, ROLE)
    assert found.verdict == verdict
    assert ("s3:CreateBucket" in found.saw) is (verdict == "failed")
    asked = [params for name, params in answers.calls if name == "SimulatePrincipalPolicy"]
    assert {each["PolicySourceArn"] for each in asked} == {FULL_ROLE["Role"]["Arn"]}
    bucket = f"arn:aws:s3:::lake-{ACCOUNT}"
    [of_bucket] = [each for each in asked if each["ResourceArns"] == [bucket]]
    assert {"s3:CreateBucket", "s3:PutBucketNotification"} <= set(of_bucket["ActionNames"])
    services = {action.partition(":")[0] for each in asked for action in each["ActionNames"]}
    assert "budgets" not in services
    assert "lakeformation" not in services


@pytest.mark.parametrize(
    ("number", "more"), [(8, "x7"), (9, "x7 and 1 more"), (12, "x7 and 4 more")]
)
def test_of_many_permissions_that_lack_eight_are_named(number, more, monkeypatch):
    monkeypatch.setattr(permissions, "NEEDS", {"aws_glue_job": permissions.NEEDS["aws_glue_job"]})
    lacking = [(f"glue:x{n}", "implicitDeny", []) for n in range(number)]
    answers = Answers(sts=STS, iam={"SimulatePrincipalPolicy": simulation(*lacking)})
    found = permissions.simulated(PLANNED, answers, f"arn:aws:iam::{ACCOUNT}:user/you")
    assert found.saw.endswith(f"glue:{more}")
    assert found.saw.count("glue:x") == 8


def test_permissions_of_the_root_user_are_not_simulated():
    assert permissions.simulated(PLANNED, Answers(), f"arn:aws:iam::{ACCOUNT}:root").verdict == "ok"


def test_who_may_not_ask_is_told_so():
    answers = Answers(sts=STS, iam={"GetRole": "AccessDenied"})
    found = permissions.simulated(PLANNED, answers, ROLE)
    assert (found.verdict, "SimulatePrincipalPolicy" in found.advice) == ("warning", True)


def test_a_user_has_its_path_already():
    user = f"arn:aws:iam::{ACCOUNT}:user/people/you"
    answers = Answers(sts=STS, iam={"SimulatePrincipalPolicy": simulation()})
    assert (
        permissions.simulated(given(budget=5, lake_formation=True), answers, user).verdict == "ok"
    )
    assert {name for name, _ in answers.calls} == {"GetCallerIdentity", "SimulatePrincipalPolicy"}


def test_the_table_of_needs_has_every_type_of_resource():
    types = {
        found
        for file in (ROOT / "infra").rglob("*.tf")
        if ".terraform" not in file.parts
        for found in re.findall(r'^resource "(\w+)"', file.read_text(), re.MULTILINE)
    }
    assert permissions.NEEDS.keys() == types
    assert permissions.OPTIONAL.keys() <= types


# ---- dist/


def archive(file: Path, **entries: str) -> None:
    with ZipFile(file, "w") as opened:
        for name, text in entries.items():
            opened.writestr(name, text)


WHEELS = {
    f"wheels/tickerlake-{__version__}-py3-none-any.whl": "",
    "wheels/ruamel.yaml-1.0-py3-none-any.whl": "",
    "wheels/requirements.txt": f"ruamel-yaml==1.0\ntickerlake=={__version__}\n",
}
STARTER = {"glue_starter_lambda_function.py": "", "tickerlake/aws/starter.py": ""}


@pytest.fixture
def dist(tmp_path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    archive(folder / f"tickerlake-{__version__}.gluewheels.zip", **WHEELS)
    archive(folder / "starter.zip", **STARTER)
    for name in before.SCRIPTS:
        (folder / name).write_text("")
    return folder


def found_in(dist: Path):
    return before.dist(replace(given(dist="../dist"), folder=dist.parent / "infra"))


def test_dist(dist):
    (dist.parent / "infra").mkdir()
    assert found_in(dist).verdict == "ok"


@pytest.mark.parametrize("name", [*before.SCRIPTS, "starter.zip"])
def test_dist_lacks_a_file(dist, name):
    (dist / name).unlink()
    found = found_in(dist)
    assert (found.verdict, name in found.saw, found.advice) == ("failed", True, "Run `make dist`")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"wheels/other-1.0-py3-none-any.whl": ""}, "other==1.0 is not pinned"),
        ({"wheels/requirements.txt": "x==1\ntickerlake==0\n"}, "the wheel of x==1 is missing"),
    ],
)
def test_wheels_and_pins_differ(dist, entries, words):
    archive(dist / f"tickerlake-{__version__}.gluewheels.zip", **(WHEELS | entries))
    found = found_in(dist)
    assert (found.verdict, words in found.saw) == ("failed", True)


def test_other_kinds_of_broken_dist(dist):
    packages = dist / f"tickerlake-{__version__}.gluewheels.zip"
    packages.rename(dist / "tickerlake-9.9.9.gluewheels.zip")
    assert found_in(dist).verdict == "warning"
    archive(packages, **WHEELS)
    assert found_in(dist).verdict == "failed", "two versions"
    (dist / "tickerlake-9.9.9.gluewheels.zip").unlink()
    packages.write_text("not a zip file")
    assert "can't be read" in found_in(dist).saw
    archive(packages, **{"wheels/requirements.txt": ""})
    assert "not our own wheel" in found_in(dist).saw
    archive(packages, **WHEELS)
    archive(dist / "starter.zip", **{"other.py": ""})
    assert "starter.zip lacks tickerlake/aws/starter.py" in found_in(dist).saw


# ---- after an apply: what starts nothing


@pytest.mark.parametrize(("state", "verdict"), [("ENABLED", "ok"), ("DISABLED", "warning")])
def test_schedule(state, verdict):
    answer = {"GetSchedule": {"State": state, "ScheduleExpression": "rate(1 day)"}}
    assert after.schedule(APPLIED, Answers(scheduler=answer)).verdict == verdict


@pytest.mark.parametrize(("count", "verdict"), [("0", "ok"), ("2", "failed")])
def test_dead_letters(count, verdict):
    answers = [
        {"Attributes": {"ApproximateNumberOfMessages": "0"}},
        {"Attributes": {"ApproximateNumberOfMessages": count}},
    ]
    found = after.dead_letters(APPLIED, Answers(sqs={"GetQueueAttributes": answers}))
    assert (found.verdict, found.saw) == (verdict, f"a-dlq: 0, b-dlq: {count}")


ALARM = {
    "AlarmName": "lake-job-errors",
    "ActionsEnabled": True,
    "AlarmActions": [TOPIC],
    "StateValue": "OK",
    "Namespace": "tickerlake/lake",
    "MetricName": "ErrorLines",
    "Statistic": "Sum",
    "Period": 300,
}
MATH = {
    "AlarmName": "lake-no-manifest",
    "ActionsEnabled": True,
    "AlarmActions": [TOPIC],
    "StateValue": "OK",
    "Metrics": [{"Id": "signs", "Expression": "TIME_SERIES(0)", "Period": 3600}],
}


def described(*alarms: dict[str, object]) -> dict[str, object]:
    return {"DescribeAlarms": {"MetricAlarms": list(alarms)}}


@pytest.mark.parametrize(
    ("alarms", "verdict", "words"),
    [
        ([ALARM, MATH], "ok", "2 alarms"),
        ([], "failed", "there are none"),
        ([ALARM | {"ActionsEnabled": False}, MATH], "failed", "lake-job-errors"),
        ([ALARM, MATH | {"AlarmActions": []}], "failed", "lake-no-manifest"),
        ([ALARM | {"StateValue": "ALARM", "StateReason": "1 > 0"}], "warning", "1 > 0"),
    ],
)
def test_alarms(alarms, verdict, words):
    found = after.alarms(APPLIED, Answers(cloudwatch=described(*alarms)))
    assert (found.verdict, words in found.saw) == (verdict, True), found


def answered(*values: float, **extra: object) -> dict[str, object]:
    return {
        "MetricDataResults": [{"Id": "a", "Values": list(values), "StatusCode": "Complete"} | extra]
    }


@pytest.mark.parametrize(
    ("first", "second", "verdict", "words"),
    [
        (answered(), answered(1.0), "ok", "2 of 2 queries"),
        (answered(), answered(), "failed", "lake-no-manifest: it has no values"),
        (answered(StatusCode="InternalError"), answered(1.0), "failed", "lake-job-errors"),
        (
            answered(),
            answered(1.0) | {"Messages": [{"Code": "X", "Value": "Invalid expression"}]},
            "failed",
            "Invalid expression",
        ),
    ],
)
def test_the_alarms_queries(first, second, verdict, words):
    answers = Answers(cloudwatch=described(ALARM, MATH) | {"GetMetricData": [first, second]})
    found = after.queries(APPLIED, answers)
    assert (found.verdict, words in found.saw) == (verdict, True), found
    asked = [
        params["MetricDataQueries"] for name, params in answers.calls if name == "GetMetricData"
    ]
    assert asked[0][0]["MetricStat"]["Stat"] == "Sum"
    assert asked[1] == MATH["Metrics"]


def test_an_alarm_that_does_not_say_what_it_asks_hides_no_other():
    """Emulators forget metric math."""
    mute = MATH | {"Metrics": []}
    answers = Answers(cloudwatch=described(mute, ALARM) | {"GetMetricData": answered(1.0)})
    found = after.queries(APPLIED, answers)
    assert (found.verdict, "1 of 2 queries answered" in found.saw) == ("warning", True)
    assert "lake-no-manifest can't be read" in found.saw


def test_a_query_that_is_refused_is_not_taken_for_a_good_one():
    answers = Answers(cloudwatch=described(MATH) | {"GetMetricData": "ValidationError"})
    [check] = [each for each in after.checks(APPLIED, answers) if each.name == "alarms' queries"]
    assert diagnose(check).verdict == "failed"


FILTERS = {
    "DescribeMetricFilters": {
        "metricFilters": [{"filterName": "job-errors", "filterPattern": '{ $.level = "ERROR" }'}]
    }
}
MATCHES = {"matches": [{"eventNumber": 1}]}
NONE = {"matches": []}


@pytest.mark.parametrize(
    ("tests", "verdict"),
    [
        ([MATCHES, NONE], "ok"),
        ([NONE, NONE], "failed"),
        ([MATCHES, MATCHES], "failed"),
    ],
)
def test_log_filters(tests, verdict):
    answers = Answers(logs=FILTERS | {"TestMetricFilter": list(tests)})
    found = after.log_filters(APPLIED, answers)
    assert found.verdict == verdict
    bad, *fine = [
        json.loads(*params["logEventMessages"])
        for name, params in answers.calls
        if name == "TestMetricFilter"
    ]
    assert (bad["level"], bad["event"]) == ("ERROR", "many_tickers_failed")
    assert all(each["level"] == "INFO" and "event" not in each for each in fine)


def test_no_log_filters():
    answers = Answers(logs={"DescribeMetricFilters": {"metricFilters": []}})
    assert after.log_filters(APPLIED, answers).verdict == "failed"


@pytest.mark.parametrize(
    ("state", "target", "verdict"),
    [("ENABLED", TOPIC, "ok"), ("DISABLED", TOPIC, "failed"), ("ENABLED", "arn:x", "failed")],
)
def test_the_rule_for_failed_jobs(state, target, verdict):
    events = {
        "DescribeRule": {"State": state},
        "ListTargetsByRule": {"Targets": [{"Id": "1", "Arn": target}]},
    }
    assert after.rule(APPLIED, Answers(events=events)).verdict == verdict


def subscribed(*ends: tuple[str, str]) -> dict[str, object]:
    found = [{"Endpoint": end, "SubscriptionArn": arn, "Protocol": "email"} for end, arn in ends]
    return {"ListSubscriptionsByTopic": {"Subscriptions": found}}


YOU = ("you@example.com", f"{TOPIC}:1")


@pytest.mark.parametrize(
    ("ends", "verdict", "words"),
    [
        ([YOU], "ok", "you@example.com"),
        ([YOU, ("b@example.com", "PendingConfirmation")], "failed", "b@example.com"),
        ([], "warning", "nobody"),
        ([("arn:aws:sqs:us-east-1:1:lake-doctor", "arn")], "warning", "nobody"),
    ],
)
def test_subscriptions(ends, verdict, words):
    found = after.subscriptions(APPLIED, Answers(sns=subscribed(*ends)))
    assert (found.verdict, words in found.saw) == (verdict, True)


def test_without_monitoring_it_says_so():
    quiet = replace(APPLIED, outputs=OUTPUTS | {"alarm_topic_arn": None})
    names = {each.name: each for each in after.checks(quiet, Answers())}
    assert "subscriptions" not in names
    assert diagnose(names["alarms"]).verdict == "warning"


# ---- after an apply: the trial

RUN = "20260301T223000000000Z-0a1b2c"
OLD = "20260201T223000000000Z-0a1b2c"
DONE = {"JobRun": {"Id": "jr_1", "JobRunState": "SUCCEEDED"}}
STARTED = {"JobRunId": "jr_1"}
TRANSFORM = {"Id": "jr_2", "JobRunState": "SUCCEEDED", "Arguments": {"--run-id": RUN}}


def keys(*run_ids: str) -> dict[str, object]:
    found = [{"Key": f"raw/_runs/{each}.json"} for each in run_ids]
    return {"Contents": found, "KeyCount": len(found)}


def manifest(**tickers: list[str]) -> dict[str, object]:
    text = json.dumps(
        {"tickers": {name: {"blobs": dict.fromkeys(days, "x")} for name, days in tickers.items()}}
    )
    return {"Body": StreamingBody(io.BytesIO(text.encode()), len(text))}


def runs(**services: dict[str, object]) -> Runs:
    return Runs(APPLIED, Answers(**services), pause=lambda _: None)


def followed(**services: dict[str, object]) -> trial.Trial:
    """A trial whose extraction has ended."""
    found = trial.Trial(runs(**services))
    found.run_id = RUN
    found.tickers = {"AAPL": {"blobs": {"2026-02-27": "x", "2026-02-26": "x"}}}
    return found


@pytest.mark.parametrize(
    ("held", "job_run", "verdict", "words", "run_id"),
    [
        ([keys(OLD), keys(OLD, RUN)], DONE, "ok", "has news", RUN),
        ([keys(RUN), keys(RUN)], DONE, "ok", "no news", RUN),
        (
            [keys(), keys()],
            {"JobRun": DONE["JobRun"] | {"JobRunState": "FAILED", "ErrorMessage": "x\nYahoo: 429"}},
            "failed",
            "FAILED: Yahoo: 429",
            "",
        ),
        (
            [keys(), keys()],
            {"JobRun": DONE["JobRun"] | {"JobRunState": "RUNNING"}},
            "failed",
            "RUNNING",
            "",
        ),
    ],
)
def test_the_extractor_runs_for_one_ticker(held, job_run, verdict, words, run_id):
    s3 = {"ListObjectsV2": list(held), "PutObject": {}, "DeleteObject": {}}
    one = trial.Trial(runs(s3=s3, glue={"StartJobRun": STARTED, "GetJobRun": job_run}))
    found = one.extractor()
    assert (found.verdict, words in found.saw, one.run_id) == (verdict, True, run_id), found
    calls = dict(one.runs.client.calls)
    assert calls["PutObject"]["Body"] == b"AAPL\n"
    assert calls["DeleteObject"]["Key"] == calls["PutObject"]["Key"]
    assert calls["StartJobRun"]["Arguments"] == {
        "--universe": f"s3://lake-{ACCOUNT}/{calls['PutObject']['Key']}"
    }


def test_the_universe_is_deleted_although_the_job_can_not_start():
    s3 = {"ListObjectsV2": keys(), "PutObject": {}, "DeleteObject": {}}
    one = runs(s3=s3, glue={"StartJobRun": "ConcurrentRunsExceededException"})
    lines = list(trial.checked(one))
    assert [(each.name, each.verdict) for each in lines] == [("trial: extractor", "failed")]
    assert "lake-extractor can't be started" in lines[0].saw
    assert "DeleteObject" in dict(one.client.calls)


def test_the_manifest():
    one = followed(s3={"GetObject": manifest(AAPL=["2026-02-27"])})
    assert one.manifest().verdict == "ok"
    assert one.tickers == {"AAPL": {"blobs": {"2026-02-27": "x"}}}
    none = followed()
    none.run_id = ""
    assert none.manifest().verdict == "failed"


@pytest.mark.parametrize(
    ("job_runs", "receipt", "verdict"),
    [([TRANSFORM], keys(), "ok"), ([], keys(RUN), "ok"), ([], keys(), "failed")],
)
def test_the_starter(job_runs, receipt, verdict):
    one = followed(glue={"GetJobRuns": {"JobRuns": job_runs}}, s3={"ListObjectsV2": receipt})
    assert one.starter().verdict == verdict


@pytest.mark.parametrize(
    ("job_runs", "verdict", "words"),
    [
        ([TRANSFORM], "ok", "jr_2"),
        ([], "ok", "another job run"),
        ([TRANSFORM | {"JobRunState": "FAILED", "ErrorMessage": "no room"}], "failed", "no room"),
        ([TRANSFORM | {"JobRunState": "RUNNING"}], "failed", "half an hour"),
    ],
)
def test_the_transformer(job_runs, verdict, words):
    found = followed(glue={"GetJobRuns": {"JobRuns": job_runs}}).transformer()
    assert (found.verdict, words in found.saw) == (verdict, True), found


@pytest.mark.parametrize(("found", "verdict"), [(keys(RUN), "ok"), (keys(), "failed")])
def test_the_receipt(found, verdict):
    assert followed(s3={"ListObjectsV2": found}).receipt().verdict == verdict


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [({"Partition": {}}, "ok"), ("EntityNotFoundException", "failed")],
)
def test_the_partitions(answer, verdict):
    one = followed(glue={"GetPartition": answer})
    found = one.partitions()
    assert (found.verdict, "2026-02-27/AAPL" in found.saw) == (verdict, True)
    assert ("catalog sync" in found.advice) is (verdict == "failed")


def test_partitions_that_can_not_be_asked_for():
    with pytest.raises(Exception, match="AccessDenied"):
        followed(glue={"GetPartition": "AccessDeniedException"}).partitions()


def counted(number: int) -> dict[str, object]:
    rows = [{"Data": [{"VarCharValue": text}]} for text in ("_col0", str(number))]
    return {"ResultSet": {"Rows": rows}}


@pytest.mark.parametrize(
    ("state", "number", "verdict", "words"),
    [
        ("SUCCEEDED", 1500, "ok", "1,500 rows"),
        ("SUCCEEDED", 0, "failed", "no rows"),
        ("FAILED", 0, "failed", "denied"),
        ("QUEUED", 0, "failed", "QUEUED"),
    ],
)
def test_athena(state, number, verdict, words):
    status = {"State": state, "StateChangeReason": "denied" if state == "FAILED" else ""}
    athena = {
        "StartQueryExecution": {"QueryExecutionId": "q"},
        "GetQueryExecution": {"QueryExecution": {"Status": status}},
        "GetQueryResults": counted(number),
    }
    found = followed(athena=athena).athena()
    assert (found.verdict, words in found.saw) == (verdict, True), found


def test_a_trial_ends_where_the_chain_is_broken():
    s3 = {
        "ListObjectsV2": [keys(), keys(RUN), *[keys()] * 99],
        "PutObject": {},
        "DeleteObject": {},
        "GetObject": manifest(AAPL=["2026-02-27"]),
    }
    glue = {"StartJobRun": STARTED, "GetJobRun": DONE, "GetJobRuns": {"JobRuns": []}}
    lines = list(trial.checked(runs(s3=s3, glue=glue)))
    assert [(each.name, each.verdict) for each in lines] == [
        ("trial: extractor", "ok"),
        ("trial: manifest", "ok"),
        ("trial: starter", "failed"),
    ]


# ---- after an apply: a run that fails, and the mail

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:lake-doctor"
FAILED = {
    "JobRun": {
        "Id": "jr_1",
        "JobRunState": "FAILED",
        "ErrorMessage": f"SystemExit: can't read s3://lake/{failure.FAILS}",
    }
}
LISTENING = {
    "CreateQueue": {"QueueUrl": "https://sqs/1/lake-doctor"},
    "GetQueueAttributes": {"Attributes": {"QueueArn": QUEUE}},
    "SetQueueAttributes": {},
    "DeleteQueue": {},
}


def failing(job_run=FAILED, message: str = "", ends=(YOU,), **sqs: object) -> Runs:
    messages = {"Messages": [{"Body": message}]} if message else {}
    subscribe = {"Subscribe": {"SubscriptionArn": f"{TOPIC}:2"}, "Unsubscribe": {}}
    return runs(
        glue={"StartJobRun": STARTED, "GetJobRun": job_run},
        sqs=LISTENING | {"ReceiveMessage": messages} | sqs,
        sns=subscribed(*ends) | subscribe,
    )


@pytest.mark.parametrize(
    ("one", "verdicts", "words"),
    [
        (failing(message='{"run": "jr_1"}'), ["ok", "ok"], "you@example.com must find a mail"),
        (failing(message='{"run": "jr_9"}'), ["ok", "failed"], "has not said"),
        (failing(), ["ok", "failed"], "lake-failed-jobs-dlq"),
        (failing(message="jr_1", ends=()), ["ok", "warning"], "nobody is subscribed"),
        (failing(job_run=DONE), ["failed"], "jr_1 SUCCEEDED"),
        (
            failing(job_run={"JobRun": FAILED["JobRun"] | {"ErrorMessage": "no room"}}),
            ["failed"],
            "no room",
        ),
        (failing(CreateQueue="AccessDenied"), ["warning"], "sqs:CreateQueue"),
    ],
)
def test_a_run_that_fails_and_its_mail(one, verdicts, words):
    lines = list(failure.checked(one))
    assert [each.verdict for each in lines] == verdicts, lines
    assert words in str(lines[-1])
    calls = [name for name, _ in one.client.calls]
    assert ("DeleteQueue" in calls) is ("Subscribe" in calls) is ("Unsubscribe" in calls)


def test_what_a_failing_run_asks_for():
    one = failing(message="jr_1")
    list(failure.checked(one))
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": QUEUE,
                "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
            }
        ],
    }
    url = {"QueueUrl": "https://sqs/1/lake-doctor"}
    subscription = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}
    job = {"JobName": "lake-extractor"}
    universe = {"--universe": f"s3://lake-{ACCOUNT}/{failure.FAILS}"}
    assert one.client.calls == [
        ("CreateQueue", {"QueueName": "lake-doctor"}),
        ("GetQueueAttributes", url | {"AttributeNames": ["QueueArn"]}),
        ("SetQueueAttributes", url | {"Attributes": {"Policy": json.dumps(policy)}}),
        ("Subscribe", subscription | {"ReturnSubscriptionArn": True}),
        ("StartJobRun", job | {"Arguments": universe}),
        ("GetJobRun", job | {"RunId": "jr_1"}),
        ("ReceiveMessage", url | {"MaxNumberOfMessages": 10}),
        ("ListSubscriptionsByTopic", {"TopicArn": TOPIC}),
        ("Unsubscribe", {"SubscriptionArn": f"{TOPIC}:2"}),
        ("DeleteQueue", url),
    ]


def test_what_a_trial_asks_for():
    s3 = {
        "ListObjectsV2": [keys(OLD), keys(OLD, RUN), keys(RUN)],
        "PutObject": {},
        "DeleteObject": {},
        "GetObject": manifest(AAPL=["2026-02-26", "2026-02-27"], IBM=[]),
    }
    glue = {
        "StartJobRun": STARTED,
        "GetJobRun": DONE,
        "GetJobRuns": {"JobRuns": [{"Id": "jr_0", "JobRunState": "RUNNING"}, TRANSFORM]},
        "GetPartition": {"Partition": {}},
    }
    athena = {
        "StartQueryExecution": {"QueryExecutionId": "q"},
        "GetQueryExecution": {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}},
        "GetQueryResults": counted(1500),
    }
    one = runs(s3=s3, glue=glue, athena=athena)
    assert [(each.name, each.verdict, each.saw) for each in trial.checked(one)] == [
        ("trial: extractor", "ok", "jr_1 SUCCEEDED; AAPL has news"),
        ("trial: manifest", "ok", f"{RUN}, tickers: AAPL, IBM"),
        ("trial: starter", "ok", "S3's event has reached lake-starter"),
        ("trial: transformer", "ok", "jr_2 SUCCEEDED"),
        ("trial: receipt", "ok", f"refined/_runs/{RUN}.json"),
        ("trial: partitions", "ok", "lake.daily has 2026-02-27/AAPL"),
        ("trial: athena", "ok", "1,500 rows of AAPL in daily"),
    ]
    bucket, universe = {"Bucket": f"lake-{ACCOUNT}"}, {"Key": "_config/doctor.txt"}
    listed = ("ListObjectsV2", bucket | {"Prefix": "raw/_runs/"})
    job_runs = ("GetJobRuns", {"JobName": "lake-transformer", "MaxResults": 50})
    job = {"JobName": "lake-extractor"}
    sql = "select count(*) from daily where ticker = 'AAPL'"
    partition = {"DatabaseName": "lake", "TableName": "daily"}
    assert one.client.calls == [
        listed,
        ("PutObject", bucket | universe | {"Body": b"AAPL\n"}),
        (
            "StartJobRun",
            job | {"Arguments": {"--universe": f"s3://lake-{ACCOUNT}/{universe['Key']}"}},
        ),
        ("GetJobRun", job | {"RunId": "jr_1"}),
        ("DeleteObject", bucket | universe),
        listed,
        ("GetObject", bucket | {"Key": f"raw/_runs/{RUN}.json"}),
        *[job_runs] * 3,
        ("ListObjectsV2", bucket | {"Prefix": f"refined/_runs/{RUN}.json", "MaxKeys": 1}),
        ("GetPartition", partition | {"PartitionValues": ["2026-02-27", "AAPL"]}),
        (
            "StartQueryExecution",
            {
                "QueryString": sql,
                "WorkGroup": "lake",
                "QueryExecutionContext": {"Database": "lake"},
            },
        ),
        ("GetQueryExecution", {"QueryExecutionId": "q"}),
        ("GetQueryResults", {"QueryExecutionId": "q"}),
    ]


def test_without_monitoring_only_the_run_fails():
    one = failing()
    quiet = replace(one, deployment=replace(APPLIED, outputs=OUTPUTS | {"alarm_topic_arn": None}))
    assert [each.verdict for each in failure.checked(quiet)] == ["ok"]


# ---- reading Terraform


def terraform_says(tmp_path, monkeypatch, console: str, error: str = "") -> Path:
    """A folder with a configuration, and a Terraform that says what it was told."""
    programs, folder = tmp_path / "bin", tmp_path / "infra"
    programs.mkdir()
    (folder / ".terraform").mkdir(parents=True)
    (folder / "variables.tf").write_text("")
    (tmp_path / "console").write_text(console)
    script = programs / "terraform"
    script.write_text(
        "#!/bin/sh\ncase $2 in\n"
        'version) echo \'{"terraform_version": "1.11.4"}\' ;;\n'
        'output) echo \'{"bucket": {"value": "b", "type": "string"}}\' ;;\n'
        f"console) /bin/cat > /dev/null; /bin/cat {tmp_path}/console; echo '{error}' >&2 ;;\n"
        "esac\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(programs))
    return folder


def test_terraform_is_read(tmp_path, monkeypatch):
    said = "Warning: x\n" + json.dumps(json.dumps(INPUTS)) + "\n"
    folder = terraform_says(tmp_path, monkeypatch, said)
    found = terraform.read(folder)
    assert found == Deployment(folder, "1.11.4", "local", INPUTS, {"bucket": "b"})
    assert found.is_applied
    (folder / ".terraform" / "terraform.tfstate").write_text('{"backend": {"type": "s3"}}')
    assert terraform.read(folder).backend == "s3"


@pytest.mark.parametrize(
    ("console", "error", "words"),
    [
        ("(known after apply)\n", "", "name or region is missing"),
        ("", "", "name or region is missing"),
        ('"{}"', "Error: grain must be day", "grain must be day"),
    ],
)
def test_terraform_that_can_not_be_read(tmp_path, monkeypatch, console, error, words):
    folder = terraform_says(tmp_path, monkeypatch, console, error)
    with pytest.raises(UsageError, match=words):
        terraform.read(folder)
    [line] = doctor.doctor(folder, start_jobs=False)
    assert (line.verdict, words in line.saw) == ("failed", True)


def test_terraform_that_fails_without_a_word_of_an_error(tmp_path, monkeypatch):
    folder = terraform_says(tmp_path, monkeypatch, "")
    (tmp_path / "bin" / "terraform").write_text("#!/bin/sh\necho 'no such   backend' >&2\nexit 1\n")
    with pytest.raises(UsageError, match=r"terraform version` failed in .*: no such backend"):
        terraform.read(folder)


def test_no_terraform(tmp_path, monkeypatch):
    folder = terraform_says(tmp_path, monkeypatch, "")
    (folder / ".terraform").rmdir()
    with pytest.raises(UsageError, match="terraform init"):
        terraform.read(folder)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="not installed"):
        terraform.read(folder)
    (folder / "variables.tf").unlink()
    with pytest.raises(UsageError, match="--infra"):
        terraform.read(folder)


def test_the_inputs_and_outputs_that_are_read_exist():
    variables = (ROOT / "infra" / "variables.tf").read_text()
    declared = set(re.findall(r'^variable "(\w+)"', variables, re.MULTILINE))
    assert set(terraform.INPUTS) <= declared
    assert set(terraform.INPUTS) == INPUTS.keys()
    outputs = (ROOT / "infra" / "outputs.tf").read_text()
    assert OUTPUTS.keys() <= set(re.findall(r'^output "(\w+)"', outputs, re.MULTILINE))
