"""Permissions: what `terraform apply` and `terraform destroy` need, and whether we have it.

The table has every type of resource in `infra/`; a test compares them. The actions are those of the
calls that the AWS provider makes to create, read, change and delete a resource of that type, named
as in AWS's Service Authorization Reference.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tickerlake.aws.doctor.terraform import Clients, Deployment
from tickerlake.diagnosis import Finding, failed, ok, warning


class Need(NamedTuple):
    """Actions, and the resource that they are for, as a template of its ARN."""

    resource: str
    actions: str


_BUCKET: Final = "arn:{partition}:s3:::{bucket}"
_OBJECT: Final = "arn:{partition}:s3:::{bucket}/_config/universe.txt"
_TABLE: Final = "arn:{partition}:glue:{region}:{account}:table/{database}/daily"
_DATABASE: Final = "arn:{partition}:glue:{region}:{account}:database/{database}"
_JOB: Final = "arn:{partition}:glue:{region}:{account}:job/{name}-extractor"
_ROLE: Final = "arn:{partition}:iam::{account}:role{path}{name}-extractor"
_POLICY: Final = "arn:{partition}:iam::{account}:policy{path}{name}-reader"
_FUNCTION: Final = "arn:{partition}:lambda:{region}:{account}:function:{name}-starter"
_TOPIC: Final = "arn:{partition}:sns:{region}:{account}:{name}-alarms"
_QUEUE: Final = "arn:{partition}:sqs:{region}:{account}:{name}-failed-jobs-dlq"
_RULE: Final = "arn:{partition}:events:{region}:{account}:rule/{name}-failed-jobs"
_LOGS: Final = "arn:{partition}:logs:{region}:{account}:log-group:/aws-glue/{name}/output:*"
_ALARM: Final = "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}-job-errors"
_DASHBOARD: Final = "arn:{partition}:cloudwatch::{account}:dashboard/{name}"
_WORKGROUP: Final = "arn:{partition}:athena:{region}:{account}:workgroup/{name}"
_SCHEDULE: Final = "arn:{partition}:scheduler:{region}:{account}:schedule/default/{name}-extractor"
_BUDGET: Final = "arn:{partition}:budgets::{account}:budget/{name}"

NEEDS: Final = {
    "aws_athena_named_query": Need(
        _WORKGROUP, "athena: CreateNamedQuery GetNamedQuery DeleteNamedQuery"
    ),
    "aws_athena_workgroup": Need(
        _WORKGROUP,
        "athena: CreateWorkGroup GetWorkGroup UpdateWorkGroup DeleteWorkGroup TagResource"
        " ListTagsForResource",
    ),
    "aws_budgets_budget": Need(_BUDGET, "budgets: ViewBudget ModifyBudget"),
    "aws_cloudwatch_dashboard": Need(
        _DASHBOARD, "cloudwatch: PutDashboard GetDashboard DeleteDashboards"
    ),
    "aws_cloudwatch_event_rule": Need(
        _RULE, "events: PutRule DescribeRule DeleteRule TagResource ListTagsForResource"
    ),
    "aws_cloudwatch_event_target": Need(
        _RULE, "events: PutTargets RemoveTargets ListTargetsByRule"
    ),
    "aws_cloudwatch_log_group": Need(
        _LOGS,
        "logs: CreateLogGroup DescribeLogGroups PutRetentionPolicy DeleteLogGroup TagResource"
        " ListTagsForResource",
    ),
    "aws_cloudwatch_log_metric_filter": Need(
        _LOGS, "logs: PutMetricFilter DescribeMetricFilters DeleteMetricFilter"
    ),
    "aws_cloudwatch_metric_alarm": Need(
        _ALARM,
        "cloudwatch: PutMetricAlarm DescribeAlarms DeleteAlarms TagResource ListTagsForResource",
    ),
    "aws_glue_catalog_database": Need(
        _DATABASE, "glue: CreateDatabase GetDatabase UpdateDatabase DeleteDatabase GetTags"
    ),
    "aws_glue_catalog_table": Need(_TABLE, "glue: CreateTable GetTable UpdateTable DeleteTable"),
    "aws_glue_job": Need(_JOB, "glue: CreateJob GetJob UpdateJob DeleteJob TagResource GetTags"),
    "aws_glue_partition_index": Need(
        _TABLE, "glue: CreatePartitionIndex GetPartitionIndexes DeletePartitionIndex"
    ),
    "aws_iam_policy": Need(
        _POLICY,
        "iam: CreatePolicy GetPolicy GetPolicyVersion CreatePolicyVersion DeletePolicyVersion"
        " ListPolicyVersions DeletePolicy TagPolicy",
    ),
    "aws_iam_role": Need(
        _ROLE,
        "iam: CreateRole GetRole UpdateAssumeRolePolicy UpdateRole DeleteRole TagRole PassRole"
        " ListRolePolicies ListAttachedRolePolicies ListInstanceProfilesForRole",
    ),
    "aws_iam_role_policy": Need(_ROLE, "iam: PutRolePolicy GetRolePolicy DeleteRolePolicy"),
    "aws_lakeformation_permissions": Need(
        "*", "lakeformation: GrantPermissions ListPermissions RevokePermissions"
    ),
    "aws_lambda_function": Need(
        _FUNCTION,
        "lambda: CreateFunction GetFunction UpdateFunctionCode UpdateFunctionConfiguration"
        " DeleteFunction TagResource ListTags ListVersionsByFunction GetFunctionCodeSigningConfig",
    ),
    "aws_lambda_function_event_invoke_config": Need(
        _FUNCTION,
        "lambda: PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig"
        " DeleteFunctionEventInvokeConfig",
    ),
    "aws_lambda_permission": Need(_FUNCTION, "lambda: AddPermission GetPolicy RemovePermission"),
    "aws_s3_bucket": Need(
        _BUCKET,
        "s3: CreateBucket ListBucket DeleteBucket GetBucketLocation GetBucketTagging"
        " PutBucketTagging GetBucketAcl GetBucketCORS GetBucketLogging GetBucketWebsite"
        " GetBucketRequestPayment GetBucketObjectLockConfiguration GetReplicationConfiguration"
        " GetAccelerateConfiguration",
    ),
    "aws_s3_bucket_lifecycle_configuration": Need(
        _BUCKET, "s3: PutLifecycleConfiguration GetLifecycleConfiguration"
    ),
    "aws_s3_bucket_notification": Need(_BUCKET, "s3: PutBucketNotification GetBucketNotification"),
    "aws_s3_bucket_ownership_controls": Need(
        _BUCKET, "s3: PutBucketOwnershipControls GetBucketOwnershipControls"
    ),
    "aws_s3_bucket_policy": Need(_BUCKET, "s3: PutBucketPolicy GetBucketPolicy DeleteBucketPolicy"),
    "aws_s3_bucket_public_access_block": Need(
        _BUCKET, "s3: PutBucketPublicAccessBlock GetBucketPublicAccessBlock"
    ),
    "aws_s3_bucket_server_side_encryption_configuration": Need(
        _BUCKET, "s3: PutEncryptionConfiguration GetEncryptionConfiguration"
    ),
    "aws_s3_bucket_versioning": Need(_BUCKET, "s3: PutBucketVersioning GetBucketVersioning"),
    "aws_s3_object": Need(
        _OBJECT, "s3: PutObject GetObject DeleteObject PutObjectTagging GetObjectTagging"
    ),
    "aws_scheduler_schedule": Need(
        _SCHEDULE, "scheduler: CreateSchedule GetSchedule UpdateSchedule DeleteSchedule"
    ),
    "aws_sns_topic": Need(
        _TOPIC,
        "sns: CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic TagResource"
        " ListTagsForResource",
    ),
    "aws_sns_topic_policy": Need(_TOPIC, "sns: SetTopicAttributes GetTopicAttributes"),
    "aws_sns_topic_subscription": Need(_TOPIC, "sns: Subscribe"),
    "aws_sqs_queue": Need(
        _QUEUE,
        "sqs: CreateQueue GetQueueAttributes SetQueueAttributes DeleteQueue TagQueue ListQueueTags",
    ),
    "aws_sqs_queue_policy": Need(_QUEUE, "sqs: SetQueueAttributes GetQueueAttributes"),
}
"""What each type of resource needs."""

OPTIONAL: Final = {
    "aws_budgets_budget": "budget",
    "aws_lakeformation_permissions": "lake_formation",
}
"""Types that are created only if an input is set."""

_NAMED: Final = 8


def simulated(deployment: Deployment, client: Clients, identity: str) -> Finding:
    """Ask IAM whether an identity may do what an apply needs.

    Args:
        deployment: what is to be applied.
        client: returns a service's client.
        identity: the ARN of who applies.
    """
    if identity.endswith(":root"):
        return ok("the root user may do anything, unless an organization forbids it")
    iam = client("iam")
    account = client("sts").get_caller_identity()["Account"]
    denied: list[str] = []
    asked = 0
    try:
        source = _source(iam, principal(identity))
        for resource, actions in sorted(_needed(deployment, account, identity).items()):
            asked += len(actions)
            denied += _denied(iam, source, resource, sorted(actions))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
            raise
        return warning(
            f"{identity} may not ask what it may do: {error.response['Error']['Message']}",
            "Allow it iam:SimulatePrincipalPolicy and iam:GetRole, or trust that it may",
        )
    if denied:
        more = f" and {len(denied) - _NAMED} more" if denied[_NAMED:] else ""
        return failed(
            f"{identity} lacks {', '.join(denied[:_NAMED])}{more}",
            "Use an identity that has them, or let an administrator allow them",
        )
    return ok(f"{asked} actions on {deployment.inputs['name']}'s resources are allowed")


def principal(identity: str) -> str:
    """Return the user or role behind an identity.

    >>> principal("arn:aws:sts::123456789012:assumed-role/Admin/you")
    'arn:aws:iam::123456789012:role/Admin'
    """
    head, found, tail = identity.partition(":assumed-role/")
    if not found:
        return identity
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.partition('/')[0]}"


def _source(iam: Any, arn: str) -> str:
    """Return a principal's ARN with its path, which the ARN of a session doesn't have."""
    if ":role/" not in arn:
        return arn
    found: str = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["Arn"]
    return found


def _needed(deployment: Deployment, account: str, identity: str) -> dict[str, set[str]]:
    """Return the actions by the resource that they are for."""
    inputs = deployment.inputs
    places = {
        "partition": identity.split(":")[1],
        "account": account,
        "region": inputs["region"],
        "name": inputs["name"],
        "bucket": inputs["existing_bucket"] or f"{inputs['name']}-{account}",
        "database": inputs["name"].replace("-", "_"),
        "path": inputs["iam_path"],
    }
    needed: dict[str, set[str]] = {}
    for kind, need in NEEDS.items():
        if not inputs.get(OPTIONAL.get(kind, "name")):
            continue
        service, _, names = need.actions.partition(": ")
        actions = {f"{service}:{name}" for name in names.split()}
        needed.setdefault(need.resource.format(**places), set()).update(actions)
    return needed


def _denied(iam: Any, source: str, resource: str, actions: list[str]) -> Iterator[str]:
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=source, ActionNames=actions, ResourceArns=[resource]
    )
    for page in pages:
        for result in page["EvaluationResults"]:
            # a condition that the simulation has no value for may well be true in an apply
            unsure = result["EvalDecision"] == "implicitDeny" and result.get("MissingContextValues")
            if result["EvalDecision"] != "allowed" and not unsure:
                yield result["EvalActionName"]
