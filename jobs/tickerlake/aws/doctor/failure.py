"""Doctor's failing run: a job run fails on purpose, and the mail about it must come.

Nobody can look into a mailbox from here. So a queue is subscribed to the topic for a while, and
hears what the mailbox hears.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tickerlake.aws.doctor.after import LISTENER, subscribed
from tickerlake.aws.doctor.runs import FIVE_MINUTES, Runs, reason, told
from tickerlake.diagnosis import Check, Diagnosis, Finding, diagnose, failed, ok, warning

FAILS: Final = "_config/doctor-fails-on-purpose"
"""The key of a universe that does not exist. It is in the mail, so that nobody worries."""

RUN: Final = "trial: failing run"
MAIL: Final = "trial: mail"


def checked(runs: Runs) -> Iterator[Diagnosis]:
    """Let a run fail, and wait for what the topic of alarms says of it."""
    job_runs: list[str] = []
    run = Check(RUN, partial(failing, runs, job_runs))
    if not runs.outputs["alarm_topic_arn"]:
        yield diagnose(run)
        return
    try:
        with listening(runs) as queue:
            found = diagnose(run)
            yield found
            if found.verdict == "ok":
                yield diagnose(Check(MAIL, partial(mail, runs, queue, job_runs[0])))
    except (ClientError, BotoCoreError) as error:
        advice = "Allow sqs:CreateQueue and sns:Subscribe, then run this again"
        yield Diagnosis(MAIL, *warning(f"can't listen to the topic: {error}", advice))


def failing(runs: Runs, job_runs: list[str]) -> Finding:
    """Run the extractor for a universe that does not exist; append the job run's id."""
    ended = runs.extract(FAILS)
    job_runs.append(ended["Id"])
    if ended["JobRunState"] != "FAILED" or FAILS not in reason(ended):
        log = runs.outputs["job_logs"]["output"]
        return failed(
            told(ended),
            f"It should have failed because {FAILS} does not exist. Read {log}, stream"
            f" {ended['Id']}-driver",
        )
    return ok(told(ended))


def mail(runs: Runs, queue: str, job_run: str) -> Finding:
    """Wait until the topic has published the failure of a job run."""
    sqs = runs.client("sqs")

    def heard() -> bool:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return any(job_run in each["Body"] for each in messages)

    if not runs.wait(FIVE_MINUTES, heard):
        return failed(
            f"the topic has not said that {job_run} failed",
            f"Read the queue {runs.deployment.inputs['name']}-failed-jobs-dlq, then apply again",
        )
    people = [end for end, is_confirmed in subscribed(runs.deployment, runs.client) if is_confirmed]
    if not people:
        return warning("published, but nobody is subscribed", "Set email, apply, and confirm it")
    return ok(f"published: {', '.join(people)} must find a mail that names {job_run}")


@contextmanager
def listening(runs: Runs) -> Iterator[str]:
    """Subscribe a new queue to the topic of alarms; yield its URL."""
    sqs, sns = runs.client("sqs"), runs.client("sns")
    topic, name = runs.outputs["alarm_topic_arn"], runs.deployment.inputs["name"]
    queue = sqs.create_queue(QueueName=f"{name}{LISTENER}")["QueueUrl"]
    subscription = None
    try:
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        arn = answer["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": _policy(arn, topic)})
        subscription = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        yield queue
    finally:
        with suppress(ClientError):
            if subscription:
                sns.unsubscribe(SubscriptionArn=subscription)
        with suppress(ClientError):
            sqs.delete_queue(QueueUrl=queue)


def _policy(queue: str, topic: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
