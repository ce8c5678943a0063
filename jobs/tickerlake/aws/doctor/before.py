"""Doctor before an apply: what in an AWS account would make it, or the first run, fail."""

import os
import re
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from botocore.exceptions import ClientError

from tickerlake import __version__
from tickerlake.aws.doctor import permissions
from tickerlake.aws.doctor.terraform import Clients, Deployment
from tickerlake.diagnosis import Check, Finding, failed, ok, warning

DPU: Final = {"1X": 1, "2X": 2, "4X": 4, "8X": 8}
"""Data processing units of a worker, by the second part of its type."""

TRANSFORMS: Final = 3
"""How many transformers run at the same time: `max_concurrent_runs` in infra/modules/glue."""

COMPACTOR_WORKERS: Final = 2
"""`workers` of the compactor in infra/modules/glue."""

DPU_QUOTA: Final = "max task dpus per account"
RUNS_QUOTA: Final = "max concurrent job runs per account"
UNRESERVED: Final = 100
"""Concurrent executions that Lambda does not let anybody reserve."""

IAM_ALONE: Final = "IAM_ALLOWED_PRINCIPALS"
SCRIPTS: Final = ("glue_extractor_job.py", "glue_transformer_job.py", "glue_compactor_job.py")


def checks(deployment: Deployment, client: Clients, identity: str) -> list[Check]:
    """Return the checks that make sense before an apply, the first or a later one.

    Args:
        deployment: what is to be applied.
        client: returns a service's client.
        identity: the ARN of who applies.
    """
    return [
        Check("region", partial(region, deployment)),
        Check("bucket", partial(bucket, deployment, client)),
        Check("glue quotas", partial(glue_quotas, deployment, client)),
        Check("lambda quota", partial(lambda_quota, deployment, client)),
        Check("catalog encryption", partial(catalog_encryption, deployment, client)),
        Check("lake formation", partial(lake_formation, deployment, client, identity)),
        Check("permissions", partial(permissions.simulated, deployment, client, identity)),
        Check("dist", partial(dist, deployment)),
    ]


def region(deployment: Deployment) -> Finding:
    """Check that other programs, which read the environment, use the same region."""
    wanted = deployment.inputs["region"]
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if (found := os.environ.get(name)) and found != wanted:
            return warning(
                f"{wanted}, but {name} is {found}",
                f"`export {name}={wanted}`, or `aws` and `tickerlake` look elsewhere",
            )
    return ok(wanted)


def bucket(deployment: Deployment, client: Clients) -> Finding:
    """Check that the bucket's name is free, or that it is ours."""
    existing = deployment.inputs["existing_bucket"]
    account = client("sts").get_caller_identity()["Account"]
    name = existing or f"{deployment.inputs['name']}-{account}"
    is_ours = bool(existing) or deployment.outputs.get("bucket") == name
    try:
        answer = client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        is_missing = error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND
        if is_missing and not is_ours:
            return ok(f"{name} is free")
        saw = "does not exist" if is_missing else f"can't be opened: {error}"
        advice = "Create it, apply again, or ask its owner" if is_ours else "Choose another name"
        return failed(f"{name} {saw}", advice)
    if not is_ours:
        return failed(
            f"{name} exists, and Terraform did not create it",
            f'Set existing_bucket = "{name}", delete it, or choose another name',
        )
    return _opened(deployment, client, name, answer.get("BucketRegion"))


def _opened(deployment: Deployment, client: Clients, name: str, region: str | None) -> Finding:
    wanted = deployment.inputs["region"]
    if region not in (None, wanted):
        return failed(f"{name} is in {region}, not in {wanted}", "Set region to the bucket's")
    if deployment.inputs["existing_bucket"] and not deployment.is_applied:
        return _told_already(name, client)
    return ok(f"{name} is ours, in {wanted}")


def _told_already(name: str, client: Clients) -> Finding:
    """Check that an existing bucket has no event notifications that an apply would replace."""
    answer = client("s3").get_bucket_notification_configuration(Bucket=name)
    held = sorted(each for each in answer if each.endswith(("Configurations", "Configuration")))
    if held:
        return failed(
            f"{name} has event notifications ({', '.join(held)}), which an apply replaces",
            "Give the lake a bucket to itself",
        )
    return ok(f"{name} has no event notifications yet")


def glue_quotas(deployment: Deployment, client: Clients) -> Finding:
    """Check that Glue lets an extractor, a compactor and all transformers run at the same time."""
    pages = client("service-quotas").get_paginator("list_service_quotas")
    quotas = {
        each["QuotaName"].lower(): each["Value"]
        for page in pages.paginate(ServiceCode="glue")
        for each in page["Quotas"]
    }
    inputs = deployment.inputs
    workers = inputs["extractor_workers"] + TRANSFORMS * inputs["transformer_workers"]
    workers += COMPACTOR_WORKERS
    needed = {
        DPU_QUOTA: workers * DPU[inputs["worker_type"].partition(".")[2]],
        RUNS_QUOTA: 2 + TRANSFORMS,
    }
    seen = [
        f"{name}: {quotas[name]:,.0f}, needed {number}"
        for name, number in needed.items()
        if name in quotas
    ]
    if not seen:
        return warning("Service Quotas names neither DPU nor job runs", "Look in its console")
    saw = "; ".join(seen)
    if any(quotas.get(name, number) < number for name, number in needed.items()):
        return failed(saw, "Ask for more in the console of Service Quotas, AWS Glue")
    return ok(saw)


def lambda_quota(deployment: Deployment, client: Clients) -> Finding:
    """Check that the starter can run, and that what it reserves can be reserved."""
    limits = client("lambda").get_account_settings()["AccountLimit"]
    free = limits["UnreservedConcurrentExecutions"]
    saw = f"{limits['ConcurrentExecutions']} concurrent executions, {free} not reserved"
    reserved = deployment.inputs["reserved_concurrency"]
    if reserved and not deployment.is_applied and free - reserved < UNRESERVED:
        return failed(
            f"{saw}; {reserved} are to be reserved, and {UNRESERVED} must remain",
            "Set reserved_concurrency to null, or ask for more in Service Quotas, AWS Lambda",
        )
    return ok(saw) if free else failed(saw, "Free some, or ask for more in Service Quotas")


def catalog_encryption(deployment: Deployment, client: Clients) -> Finding:
    """Check that the jobs can use a Data Catalog that is encrypted with a key."""
    answer = client("glue").get_data_catalog_encryption_settings()
    at_rest = answer["DataCatalogEncryptionSettings"].get("EncryptionAtRest", {})
    if at_rest.get("CatalogEncryptionMode", "DISABLED") == "DISABLED":
        return ok("the Data Catalog is not encrypted with a key")
    key = at_rest.get("SseAwsKmsKeyId", "alias/aws/glue")
    if at_rest.get("CatalogEncryptionServiceRole"):
        return ok(f"{key} encrypts the Data Catalog, through a role of the service")
    if key == deployment.inputs["kms_key_arn"]:
        return ok(f"{key} encrypts the Data Catalog, and the roles may use it")
    return failed(
        f"{key} encrypts the Data Catalog, and the transformer and the readers may not use it",
        "Set kms_key_arn to this key, or let its policy allow their roles kms:Decrypt,"
        " kms:Encrypt and kms:GenerateDataKey",
    )


def lake_formation(deployment: Deployment, client: Clients, identity: str) -> Finding:
    """Check whether Lake Formation, rather than IAM alone, decides on new tables."""
    settings = client("lakeformation").get_data_lake_settings()["DataLakeSettings"]
    defaults = [
        {
            each.get("Principal", {}).get("DataLakePrincipalIdentifier")
            for each in settings.get(f"Create{kind}DefaultPermissions", [])
        }
        for kind in ("Database", "Table")
    ]
    wanted = deployment.inputs["lake_formation"]
    if all(IAM_ALONE in principals for principals in defaults) and not wanted:
        return ok("IAM alone decides on new tables")
    if not wanted:
        return failed(
            "Lake Formation decides on new tables", "Set lake_formation and lake_formation_readers"
        )
    principals = {
        each["DataLakePrincipalIdentifier"] for each in settings.get("DataLakeAdmins", [])
    }
    if permissions.principal(identity) not in principals:
        return failed(
            f"{identity} is no data lake administrator", "Become one, or let one of them apply"
        )
    return ok("Lake Formation decides, and we are a data lake administrator")


def dist(deployment: Deployment) -> Finding:
    """Check that `dist/` is complete, and was built from this version."""
    folder, advice = deployment.dist, "Run `make dist`"
    archives = sorted(folder.glob("tickerlake-*.gluewheels.zip"))
    missing = [name for name in (*SCRIPTS, "starter.zip") if not (folder / name).is_file()]
    if missing or len(archives) != 1:
        found = [each.name for each in archives]
        return failed(f"{folder} lacks {missing}, and has the packages {found}", advice)
    try:
        wrong = [*_unpinned(archives[0]), *_unhandled(folder / "starter.zip")]
    except (BadZipFile, KeyError, OSError) as error:
        return failed(f"{folder} has a file that can't be read: {error}", advice)
    if wrong:
        return failed(f"{folder}: {'; '.join(wrong)}", advice)
    if archives[0].name != f"tickerlake-{__version__}.gluewheels.zip":
        return warning(
            f"{archives[0].name}, but this is {__version__}", f"{advice}, if it is to be this one"
        )
    return ok(f"{archives[0].name}, both job scripts and starter.zip")


def _unpinned(archive: Any) -> list[str]:
    """Return what a zip of wheels lacks: every wheel is pinned, and everything pinned is there."""
    with ZipFile(archive) as opened:
        names = opened.namelist()
        lines = opened.read("wheels/requirements.txt").decode().split()
    wheels = {
        _pin(*name.removeprefix("wheels/").split("-")[:2])
        for name in names
        if name.endswith(".whl")
    }
    pinned = {_pin(*line.split("==")) for line in lines}
    unpinned = [f"{name} is not pinned" for name in sorted(wheels - pinned)]
    absent = [f"the wheel of {name} is missing" for name in sorted(pinned - wheels)]
    ours = [] if any(name.startswith("tickerlake==") for name in wheels) else ["not our own wheel"]
    return [*unpinned, *absent, *ours]


def _pin(name: str, version: str) -> str:
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def _unhandled(archive: Any) -> list[str]:
    with ZipFile(archive) as opened:
        names = opened.namelist()
    needed = ("glue_starter_lambda_function.py", "tickerlake/aws/starter.py")
    return [f"starter.zip lacks {name}" for name in needed if name not in names]
