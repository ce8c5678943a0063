"""The policies that `infra/` creates, as the AWS provider renders them.

Skipped where Terraform or the provider is missing: `make infra-check` needs both.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from filelock import FileLock

from tickerlake.stages.plan import prices

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
UV = Path(sys.executable).with_name("uv")
# parliament imports pkg_resources, which later versions of setuptools have dropped
PARLIAMENT = ["--with", "setuptools<81", "--from", "parliament==1.6.4", "parliament"]

Policy = dict[str, Any]
Plans = dict[str, list[dict[str, Any]]]


class Use(NamedTuple):
    """Who makes the call that an action allows."""

    by: str
    """Words for a reader."""
    code: str = ""
    """A regular expression that our code must match; empty when AWS makes the call for us."""


STORE = r"import obstore|from obstore"
GLUE = "Glue, for the job"
LAMBDA = "Lambda, for the function"
READER = "Athena, for whoever queries"

USES = {
    "athena:BatchGetNamedQuery": Use(READER),
    "athena:GetDataCatalog": Use(READER),
    "athena:GetNamedQuery": Use(READER),
    "athena:GetQueryExecution": Use(READER),
    "athena:GetQueryResults": Use(READER),
    "athena:GetWorkGroup": Use(READER),
    "athena:ListDataCatalogs": Use(READER),
    "athena:ListNamedQueries": Use(READER),
    "athena:ListWorkGroups": Use(READER),
    "athena:StartQueryExecution": Use(READER),
    "athena:StopQueryExecution": Use(READER),
    "cloudwatch:PutMetricData": Use(GLUE),
    "ec2:CreateNetworkInterface": Use(GLUE),
    "ec2:CreateTags": Use(GLUE),
    "ec2:DeleteNetworkInterface": Use(GLUE),
    "ec2:DeleteTags": Use(GLUE),
    "ec2:DescribeNetworkInterfaces": Use(GLUE),
    "ec2:DescribeRouteTables": Use(GLUE),
    "ec2:DescribeSecurityGroups": Use(GLUE),
    "ec2:DescribeSubnets": Use(GLUE),
    "ec2:DescribeVpcAttribute": Use(GLUE),
    "ec2:DescribeVpcEndpoints": Use(GLUE),
    "glue:BatchCreatePartition": Use("the transformer", r"\.batch_create_partition\("),
    "glue:BatchGetPartition": Use(READER),
    "glue:BatchUpdatePartition": Use("the transformer", r"\.batch_update_partition\("),
    "glue:CreateTable": Use("the transformer", r"\.create_table\("),
    "glue:DeletePartition": Use("the transformer", r"\.delete_partition\("),
    "glue:GetConnection": Use(GLUE),
    "glue:GetDatabase": Use(READER),
    "glue:GetDatabases": Use(READER),
    "glue:GetJobRuns": Use("the starter", r"\.get_job_runs\("),
    "glue:GetPartition": Use(READER),
    "glue:GetPartitions": Use("the transformer", r"get_paginator\(\"get_partitions\"\)"),
    "glue:GetTable": Use("the transformer", r"\.get_table\("),
    "glue:GetTables": Use("the transformer", r"get_paginator\(\"get_tables\"\)"),
    "glue:StartJobRun": Use("the starter", r"\.start_job_run\("),
    "glue:UpdateTable": Use("the transformer", r"\.update_table\("),
    "kms:Decrypt": Use("S3 and SQS, for whoever reads"),
    "kms:GenerateDataKey": Use("S3 and SQS, for whoever writes"),
    "logs:CreateLogGroup": Use(GLUE),
    "logs:CreateLogStream": Use(f"{GLUE}; {LAMBDA}"),
    "logs:PutLogEvents": Use(f"{GLUE}; {LAMBDA}"),
    "s3:AbortMultipartUpload": Use("the jobs", STORE),
    "s3:DeleteObject": Use("the transformer and the compactor", STORE),
    "s3:GetBucketLocation": Use(f"{GLUE}; {READER}"),
    "s3:GetObject": Use("the jobs and the starter", rf"{STORE}|\.get_object\("),
    "s3:ListBucket": Use("the jobs and the starter", rf"{STORE}|\.list_objects_v2\("),
    "s3:PutObject": Use("the jobs and the starter", rf"{STORE}|\.put_object\("),
    "sqs:SendMessage": Use("Lambda and Scheduler, for events that they give up"),
}
"""Every action that a role or a reader may take, and who takes it."""


@pytest.fixture(scope="module")
def plans(tmp_path_factory) -> Plans:
    """The resources of each run in infra/tests/policies.tftest.hcl."""
    if not shutil.which("terraform"):
        pytest.skip("Terraform is not installed")
    # pytest-xdist's workers share this folder, and the first one plans for all
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    file = shared / "infra-plans.json"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            file.write_text(json.dumps(planned(shared / "infra")))
    found: Plans = json.loads(file.read_text())
    if not found:
        pytest.skip("Terraform can't get the AWS provider: set TF_PLUGIN_DIR")
    return found


def planned(folder: Path) -> Plans:
    """Plan in a copy of `infra/`; nothing if the provider can't be had."""
    shutil.copytree(INFRA, folder, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    if subprocess.run([INFRA / "init", folder, "-backend=false"], check=False).returncode:
        return {}
    command = ["test", "-json", "-verbose", "-filter=tests/policies.tftest.hcl"]
    done = subprocess.run(
        ["terraform", f"-chdir={folder}", *command], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        each["@testrun"]: each["test_plan"]["resource_changes"]
        for each in found
        if each["type"] == "test_plan"
    }


def rendered(resources: list[dict[str, Any]]) -> dict[str, Policy]:
    """The policies of a plan, by the address of what they belong to."""
    policies: dict[str, Policy] = {}
    for each in resources:
        after, unknown = each["change"]["after"], each["change"]["after_unknown"]
        if each["type"] == "aws_iam_policy_document":
            policies[each["address"]] = document(after)
        elif after.get("policy", "").startswith("{") and "policy" not in unknown:
            policies[each["address"]] = json.loads(after["policy"])
    return policies


def document(planned: dict[str, Any]) -> Policy:
    """A policy document that the provider renders only when it applies."""
    statements = [
        {
            "Sid": each["sid"],
            "Effect": each["effect"] or "Allow",
            "Action": each["actions"],
            "Resource": each["resources"],
            "Principal": {p["type"]: p["identifiers"] for p in each["principals"]},
            "Condition": {c["test"]: {c["variable"]: c["values"]} for c in each["condition"]},
        }
        for each in planned["statement"]
    ]
    kept = [{key: value for key, value in each.items() if value} for each in statements]
    return {"Version": "2012-10-17", "Statement": kept}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(policies: dict[str, Policy]) -> set[str]:
    """What identities may do; policies of the bucket, the topic and the queue name services."""
    return {
        action
        for address, policy in policies.items()
        if ".aws_iam_" in address and ".data." not in address
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
    }


def test_every_policy_is_rendered(plans):
    expected = {
        *(f'module.iam.aws_iam_role_policy.this["{role}"]' for role in ROLES),
        "module.iam.aws_iam_policy.reader",
        "module.s3.aws_s3_bucket_policy.lake[0]",
        "module.monitoring[0].data.aws_iam_policy_document.topic",
        "module.monitoring[0].data.aws_iam_policy_document.failed_jobs",
    }
    assert {run: set(rendered(plans[run])) for run in plans} == {
        "defaults": expected,
        "everything": expected,
    }


ROLES = ("compactor", "extractor", "scheduler", "starter", "transformer")


def test_parliament_finds_nothing(plans, tmp_path):
    for run, resources in plans.items():
        for address, policy in rendered(resources).items():
            name = re.sub(r"\W+", "_", f"{run}_{address}")
            (tmp_path / f"{name}.json").write_text(json.dumps(policy, indent=2))
    done = subprocess.run(
        [UV, "tool", "run", "--quiet", *PARLIAMENT, "--directory", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_action_is_in_the_table_of_uses(plans):
    allowed = actions(rendered(plans["defaults"])) | actions(rendered(plans["everything"]))
    assert allowed - USES.keys() == set(), "allowed, but who uses it?"
    assert USES.keys() - allowed == set(), "used, but not allowed"


CALLED = {action: use for action, use in USES.items() if use.code}


@pytest.mark.parametrize("action", sorted(CALLED))
def test_our_code_makes_the_call_that_is_allowed(action):
    # doctor runs with the permissions of whoever deploys
    files = [path for path in sorted((ROOT / "jobs").rglob("*.py")) if "doctor" not in path.parts]
    code = "\n".join(path.read_text() for path in files)
    assert re.search(CALLED[action].code, code), f"{CALLED[action].by} no longer calls {action}"


def test_the_defaults_allow_no_more_than_needed(plans):
    optional = {action for action in USES if action.startswith(("cloudwatch:", "ec2:", "kms:"))}
    assert actions(rendered(plans["defaults"])) == USES.keys() - optional - {"glue:GetConnection"}


def test_eventbridge_may_publish_unconditionally(plans):
    """EventBridge supports no condition in a topic policy: with one, it publishes nothing."""
    topic = rendered(plans["defaults"])["module.monitoring[0].data.aws_iam_policy_document.topic"]
    [statement] = [
        each
        for each in topic["Statement"]
        if each["Principal"] == {"Service": ["events.amazonaws.com"]}
    ]
    assert "Condition" not in statement


def test_the_cost_model_counts_every_alarm(plans):
    alarms = [each for each in plans["defaults"] if each["type"] == "aws_cloudwatch_metric_alarm"]
    assert len(alarms) == prices.ALARMS
