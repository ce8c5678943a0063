"""Watch: feed S3's events from a queue to the starter, which launches the transformer."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from tickerlake.aws import starter
from tickerlake.aws.starter import Launch
from tickerlake.errors import EventError, MalformedEventError

log = logging.getLogger(__name__)

LONG_POLL: Final = 20
"""Seconds that SQS holds a request open while the queue is empty: the most that it allows."""


def watch(queue: str, launch: Launch) -> Iterator[list[str]]:
    """Handle the messages of a queue, for as long as the caller keeps iterating.

    A message that was handled is deleted; one that failed is left in the queue, which delivers it
    again and eventually moves it to its dead-letter queue.

    Args:
        queue: the SQS queue's URL.
        launch: is called with each manifest that has arrived, and transforms its run.

    Yields:
        The run ids that were handled for a message.

    Raises:
        EventError: the queue does not exist, or can't be reached.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    def ask(call: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return call(QueueUrl=queue, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise EventError(f"the queue {queue} failed: {error}") from error

    messages = boto3.client("sqs")
    while True:
        answer = ask(messages.receive_message, WaitTimeSeconds=LONG_POLL, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            try:
                handled = starter.handle(_event(message), launch)
            except Exception:  # one bad message must not end the watch
                log.exception("message %s is left in the queue", message["MessageId"])
                continue
            ask(messages.delete_message, ReceiptHandle=message["ReceiptHandle"])
            yield handled


def _event(message: dict[str, Any]) -> dict[str, Any]:
    try:
        event = json.loads(message["Body"])
    except ValueError as error:
        raise MalformedEventError(f"this message is not JSON: {message['Body']!r}") from error
    if not isinstance(event, dict):
        raise MalformedEventError(f"this message is not an event: {message['Body']!r}")
    return event
