"""Watch: feed S3's events from a queue to the starter, and run the transformer here."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from tickerlake.aws import starter
from tickerlake.aws.starter import Arrival
from tickerlake.engines.local import threads
from tickerlake.errors import EventError, MalformedEventError, TransformFailedError
from tickerlake.lake import manifests, open_lake
from tickerlake.stages.transform import transform

log = logging.getLogger(__name__)

LONG_POLL: Final = 20
"""Seconds that the queue holds a request back while it has no message: SQS's longest."""


def watch(queue: str, *, workers: int) -> Iterator[list[str]]:
    """Handle the messages of a queue, for as long as the caller goes on.

    A message that was handled is deleted; one that failed is left to the queue, which delivers it
    again and moves it to its dead-letter queue in the end.

    Args:
        queue: the SQS queue's URL.
        workers: tickers in work at the same time.

    Yields:
        The run ids that a message led to.

    Raises:
        EventError: the queue is not there, or can't be reached.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    def launch(arrival: Arrival) -> None:
        run_transformer(arrival, workers)

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
            except Exception:  # what is wrong with one message must not end the watch
                log.exception("message %s is left to the queue", message["MessageId"])
                continue
            ask(messages.delete_message, ReceiptHandle=message["ReceiptHandle"])
            yield handled


def run_transformer(arrival: Arrival, workers: int) -> None:
    """Run the transformer in this process, unless the run is done.

    Raises:
        TransformFailedError: a ticker failed.
    """
    lake = open_lake(arrival.lake)
    if arrival.run_id not in manifests.pending_ids(lake.store):
        log.info("run %s is done", arrival.run_id)
        return
    report = transform(lake, engine=threads(workers))
    log.info("run %s: processed %s", arrival.run_id, report.processed)
    if report.exit_code:
        failed = {name: each.error for name, each in report.refreshed.items() if each.error}
        raise TransformFailedError(f"run {arrival.run_id}: {failed}")


def _event(message: dict[str, Any]) -> dict[str, Any]:
    try:
        event = json.loads(message["Body"])
    except ValueError as error:
        raise MalformedEventError(f"this message is no JSON: {message['Body']!r}") from error
    if not isinstance(event, dict):
        raise MalformedEventError(f"this message is no event: {message['Body']!r}")
    return event
