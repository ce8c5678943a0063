"""The watcher: a message is deleted when it was handled, and only then."""

import json
from uuid import uuid4

import boto3
import pytest

from tickerlake.aws import starter
from tickerlake.aws.watch import watch
from tickerlake.errors import EventError
from tickerlake.lake import layout

RUNS = [f"20130301T22300{n}000000Z-0a1b2c" for n in range(3)]


def event(run_id: str) -> str:
    return json.dumps(
        {
            "Records": [
                {"s3": {"bucket": {"name": "b"}, "object": {"key": "lake/" + layout.run(run_id)}}}
            ]
        }
    )


@pytest.fixture
def queue(aws) -> str:  # noqa: ARG001 - a fixture can't use `usefixtures`
    return boto3.client("sqs").create_queue(QueueName=uuid4().hex)["QueueUrl"]


def send(queue: str, *bodies: str) -> None:
    for body in bodies:
        boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=body)


def left(queue: str) -> int:
    """The messages that are waiting, or that were received and not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return sum(int(each) for each in found["Attributes"].values())


def test_messages_that_are_done_are_deleted(queue):
    launched: list[starter.Arrival] = []
    send(queue, *map(event, RUNS))
    watching = watch(queue, launched.append)
    handled = [next(watching) for _ in RUNS]
    assert handled == [[run_id] for run_id in RUNS]
    assert [(each.lake, each.run_id) for each in launched] == [("s3://b/lake", r) for r in RUNS]
    assert left(queue) == 0


@pytest.mark.parametrize("bad", ["no JSON", "[]", "{}", event("20990101T000000000000Z-ffffff")])
def test_a_message_that_failed_is_left_in_the_queue(queue, bad):
    def launch(arrival: starter.Arrival) -> None:
        if arrival.run_id not in RUNS:
            raise RuntimeError("it failed")

    send(queue, bad, event(RUNS[0]))
    assert next(watch(queue, launch)) == [RUNS[0]]
    assert left(queue) == 1


@pytest.mark.usefixtures("aws")
def test_a_queue_that_is_not_there_is_a_sentence():
    with pytest.raises(EventError, match="the queue http://x failed"):
        next(watch("http://x", lambda _: None))
