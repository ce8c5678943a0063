"""Doctor of an AWS account: whether `terraform apply` will work, and whether what it made does."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tickerlake.aws.doctor import after, before, failure, terraform, trial
from tickerlake.aws.doctor.runs import Runs
from tickerlake.aws.doctor.terraform import Clients, Deployment
from tickerlake.diagnosis import (
    Check,
    Diagnosis,
    Finding,
    diagnose,
    examine,
    failed,
    ok,
    warning,
)
from tickerlake.errors import UsageError

OLDEST_TERRAFORM: Final = (1, 10)


def doctor(folder: Path, *, start_jobs: bool) -> Iterator[Diagnosis]:
    """Examine an account for what a folder with `infra/` deploys, or has deployed.

    Args:
        folder: with the Terraform configuration.
        start_jobs: after the apply, make a trial: one ticker through the deployed jobs, and one run
            that fails.

    Yields:
        One line for each check, as soon as it is known. The rest is left out where Terraform or the
        credentials don't work.
    """
    import boto3

    try:
        deployment = terraform.read(folder)
    except UsageError as error:
        yield Diagnosis("terraform", *failed(str(error), "Do what it says, then run this again"))
        return
    session = boto3.Session(region_name=deployment.inputs["region"])
    yield from examined(deployment, session.client, start_jobs=start_jobs)


def examined(deployment: Deployment, client: Clients, *, start_jobs: bool) -> Iterator[Diagnosis]:
    """Examine a deployment, with AWS's clients; see `doctor`."""
    yield diagnose(Check("terraform", partial(version, deployment)))
    who, arn = identity(deployment, client)
    yield Diagnosis("identity", *who)
    if who.verdict == "failed":
        return
    yield from examine(before.checks(deployment, client, arn))
    if not deployment.is_applied:
        return
    yield from examine(after.checks(deployment, client))
    if start_jobs:
        runs = Runs(deployment, client)
        yield from trial.checked(runs)
        yield from failure.checked(runs)


def version(deployment: Deployment) -> Finding:
    """Check Terraform's version, and where the state is."""
    saw = f"{deployment.version}, the state is in the backend {deployment.backend}"
    number = tuple(int(part) for part in deployment.version.partition("-")[0].split(".")[:2])
    if number < OLDEST_TERRAFORM:
        return failed(saw, "Install Terraform 1.10 or newer")
    if deployment.backend == "local":
        return warning(
            saw,
            "If others will apply, too, or this disk is not backed up, copy backend.tf.example to"
            " backend.tf and run `terraform init`",
        )
    return ok(saw)


def identity(deployment: Deployment, client: Clients) -> tuple[Finding, str]:
    """Check who we are, and in which account; return the identity's ARN, too."""
    wanted = deployment.inputs["account_id"]
    try:
        answer = client("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        advice = (
            "Get credentials (`aws configure sso`, AWS_PROFILE), and check that the account has"
            f" the region {deployment.inputs['region']} enabled"
        )
        return failed(str(error), advice), ""
    arn, account = str(answer["Arn"]), str(answer["Account"])
    saw = f"{arn} in the account {account}"
    if wanted is not None and account != wanted:
        return failed(f"{saw}, not {wanted}", "Use that account's credentials (AWS_PROFILE)"), arn
    if arn.endswith(":root"):
        return warning(saw, "The root user may do anything: use a role or a user instead"), arn
    if wanted is None:
        return warning(saw, "Set account_id, so that no other account can be changed"), arn
    return ok(saw), arn
