"""The starter: the arrival of a run's manifest starts the transformer.

On AWS a Lambda function gets S3's events and starts a Glue job; `tickerlake watch` feeds the same
events from a queue to the same code, and runs the transformer in its own process. It needs nothing
but boto3.

Events come at least once, in any order. That is harmless: the transformer processes every manifest
without a receipt, and a run that is done or under way is not started again. Nor is one insisted on
while as many transformers as may run are running: they will process it (docs/decisions/0080).
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote_plus
from uuid import uuid4

from tickerlake.errors import MalformedEventError

log = logging.getLogger(__name__)

RUNS: Final = "raw/_runs/"
RECEIPTS: Final = "refined/_runs/"
STARTS: Final = "refined/_starts/"
ENDED_BADLY: Final = {"FAILED", "ERROR", "TIMEOUT", "STOPPED", "EXPIRED"}
LOST: Final = {"PreconditionFailed", "ConditionalRequestConflict"}
"""What S3 answers when somebody else has written first."""

CLAIM_COUNTS: Final = timedelta(seconds=50)
"""How long a claim keeps others from starting a job run. Lambda retries a failed event after about
a minute. By then Glue lists the job run, or none was started and the claim must no longer count."""


SETTLED: Final = timedelta(minutes=2)
"""How old a manifest must be for each transformer under way to process it. A transformer looks for
new manifests until it finds none, and has ended for Glue within this time after its last look."""

FULL: Final = "ConcurrentRunsExceededException"
"""What Glue answers when as many job runs as may run are running."""


@dataclass(frozen=True)
class Arrival:
    """A manifest has arrived: in a bucket, in the lake below a prefix ('' or 'some/prefix/').

    `moment` is when it arrived; None when the event doesn't say.
    """

    bucket: str
    prefix: str
    run_id: str
    moment: datetime | None = field(default=None, compare=False)

    @property
    def lake(self) -> str:
        """The lake's URL."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


Launch = Callable[[Arrival], None]


def handle(event: Mapping[str, Any], launch: Launch) -> list[str]:
    """Launch the transformer for every manifest named in an S3 event.

    Args:
        event: as S3 sends it, to a Lambda function or in the body of a queue's message.
        launch: starts a transformer, or sees that there is nothing to start.

    Returns:
        The run ids that were handed to `launch`.

    Raises:
        MalformedEventError: the event or a record can't be read. The other records have been
            handled.
        Exception: what `launch` raised last. The other records have been handled.
    """
    handled: list[str] = []
    failure: Exception | None = None
    for record in _records(event):
        try:
            for arrival in _arrivals(record):
                launch(arrival)
                handled.append(arrival.run_id)
        except Exception as error:  # the other records must not suffer
            log.exception("a record failed: %s", record)
            failure = error
    if failure:
        raise failure
    return handled


def _records(event: Mapping[str, Any]) -> Sequence[Any]:
    match event:
        case {"Records": list(records)}:
            return records
        case {"Event": "s3:TestEvent"}:  # sent when a bucket's notifications are set up
            return ()
    # If it were treated as an event without records, it would be lost silently.
    raise MalformedEventError(f"not an S3 event: {event!r}")


def _arrivals(record: Any) -> Iterator[Arrival]:
    match record:
        case {"s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(quoted)}}}:
            key = unquote_plus(quoted)
        case _:
            raise MalformedEventError(f"not a record of an S3 event: {record!r}")
    prefix, found, name = key.rpartition(RUNS)
    run_id = name.removesuffix(".json")
    if not found or "/" in name or run_id in ("", name):
        log.info("ignored %s: not a manifest", key)
    elif prefix and not prefix.endswith("/"):
        log.info("ignored %s: not in a lake", key)
    else:
        yield Arrival(bucket, prefix, run_id, _moment(record))


def _moment(record: Mapping[str, Any]) -> datetime | None:
    """Return when the event of a record took place."""
    try:
        return datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        return None


class _Claim:
    """The right to start a job run for a run, which only one delivery can hold.

    Two deliveries in the same second both find no job run. So each tries to create the same object,
    and the one that succeeds starts the job run. A claim only saves a second job run: where none
    can be written, the job run is started anyway.
    """

    def __init__(self, objects: Any, arrival: Arrival, attempt: int) -> None:
        key = f"{arrival.prefix}{STARTS}{arrival.run_id}-{attempt}.json"
        self._objects = objects
        self._place = {"Bucket": arrival.bucket, "Key": key}

    def take(self) -> bool:
        """Return whether the claim is ours; it may be an old one, or one that was released."""
        try:
            return self._put({"IfNoneMatch": "*"}) or self._take_over()
        except Exception:  # better two job runs than none
            log.warning("can't claim the run: s3://%(Bucket)s/%(Key)s", self._place, exc_info=True)
            return True

    def _take_over(self) -> bool:
        found = self._objects.get_object(**self._place)
        released = json.loads(found["Body"].read())["released"]
        if not released and datetime.now(UTC) - found["LastModified"] < CLAIM_COUNTS:
            return False
        return self._put({"IfMatch": found["ETag"]})

    def release(self) -> None:
        """Let the next delivery start the job run, as this one could not."""
        try:
            self._put({}, released=True)
        except Exception:  # it expires by itself, and why nothing was started matters more
            log.warning("can't release s3://%(Bucket)s/%(Key)s", self._place, exc_info=True)

    def _put(self, condition: Mapping[str, str], *, released: bool = False) -> bool:
        from botocore.exceptions import ClientError

        # of two claims with the same ETag, both could be replaced
        body = json.dumps({"claim": uuid4().hex, "released": released})
        try:
            self._objects.put_object(**self._place, Body=body.encode(), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in LOST:
                return False
            raise
        return True


def glue(job: str) -> Launch:
    """Return a launch that starts a Glue job, unless the run is done, or has a job run or a claim.

    Args:
        job: the Glue job's name.
    """
    import boto3

    jobs, objects = boto3.client("glue"), boto3.client("s3")

    def launch(arrival: Arrival) -> None:
        listed = objects.list_objects_v2(
            Bucket=arrival.bucket,
            Prefix=f"{arrival.prefix}{RECEIPTS}{arrival.run_id}.json",
            MaxKeys=1,
        )
        if listed["KeyCount"]:
            log.info("run %s is done", arrival.run_id)
            return
        runs = [
            run
            for run in jobs.get_job_runs(JobName=job, MaxResults=50)["JobRuns"]
            if run.get("Arguments", {}).get("--run-id") == arrival.run_id
        ]
        for run in runs:
            if run["JobRunState"] not in ENDED_BADLY:
                log.info("run %s already has the job run %s", arrival.run_id, run["Id"])
                return
        claim = _Claim(objects, arrival, attempt=len(runs))
        if not claim.take():
            log.info("run %s is being started", arrival.run_id)
            return
        arguments = {"--lake": arrival.lake, "--run-id": arrival.run_id}
        try:
            started = jobs.start_job_run(JobName=job, Arguments=arguments)
        except Exception as error:
            claim.release()
            if not _is_in_hand(arrival, error):
                raise
            log.info("run %s: the transformers under way will process it", arrival.run_id)
            return
        log.info("run %s: started the job run %s", arrival.run_id, started["JobRunId"])

    return launch


def _is_in_hand(arrival: Arrival, error: Exception) -> bool:
    """Return whether a start was refused only because other job runs will do the work."""
    from botocore.exceptions import ClientError

    is_full = isinstance(error, ClientError) and error.response["Error"]["Code"] == FULL
    # a younger manifest may have come after the last look of them all: Lambda will try again
    return is_full and arrival.moment is not None and datetime.now(UTC) - arrival.moment > SETTLED


def handler(event: Mapping[str, Any], _context: object) -> dict[str, list[str]]:
    """AWS Lambda's entry point. The Glue job's name is in `TRANSFORMER_JOB`."""
    logging.getLogger("tickerlake").setLevel(logging.INFO)
    return {"handled": handle(event, glue(os.environ["TRANSFORMER_JOB"]))}
