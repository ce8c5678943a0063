"""Doctor's trial: one ticker through the deployed extractor, and what must come of it.

It writes what the schedule would write, too: bars of one ticker. The object with the ticker's name
is deleted again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from tickerlake.aws.doctor.runs import FIVE_MINUTES, HALF_AN_HOUR, UNDER_WAY, Runs, told
from tickerlake.aws.starter import RECEIPTS, RUNS
from tickerlake.diagnosis import Check, Diagnosis, Finding, diagnose, failed, ok

UNIVERSE: Final = "_config/doctor.txt"


def checked(runs: Runs) -> Iterator[Diagnosis]:
    """Make the trial; it ends where the chain is broken."""
    trial = Trial(runs)
    for check in (
        Check("trial: extractor", trial.extractor),
        Check("trial: manifest", trial.manifest),
        Check("trial: starter", trial.starter),
        Check("trial: transformer", trial.transformer),
        Check("trial: receipt", trial.receipt),
        Check("trial: partitions", trial.partitions),
        Check("trial: athena", trial.athena),
    ):
        found = diagnose(check)
        yield found
        if found.verdict != "ok":
            return


@dataclass
class Trial:
    """The checks, which must be made in their order."""

    runs: Runs
    run_id: str = field(default="", init=False)
    """Of the manifest that is followed."""

    tickers: dict[str, Any] = field(default_factory=dict, init=False)
    """What the manifest says of each ticker."""

    @property
    def ticker(self) -> str:
        """The ticker of the trial: the first one of the deployed universe."""
        return str(self.runs.deployment.inputs["tickers"][0])

    def extractor(self) -> Finding:
        """Run the deployed extractor for one ticker."""
        s3, bucket = self.runs.client("s3"), self.runs.outputs["bucket"]
        before = self._manifests()
        s3.put_object(Bucket=bucket, Key=UNIVERSE, Body=f"{self.ticker}\n".encode())
        try:
            ended = self.runs.extract(UNIVERSE)
        except ClientError as error:
            job = self.runs.outputs["extractor_job"]
            return failed(f"{job} can't be started: {error}", "Try again when no run is under way")
        finally:
            s3.delete_object(Bucket=bucket, Key=UNIVERSE)
        held = self._manifests()
        self.run_id = max(held - before or held, default="")
        if ended["JobRunState"] != "SUCCEEDED":
            log = self.runs.outputs["job_logs"]["output"]
            return failed(
                told(ended),
                f"Read {log}, stream {ended['Id']}-driver; if it is Yahoo: docs/deploy.md,"
                " 'If Yahoo refuses'",
            )
        news = "has news" if held - before else "has no news, so the newest run is followed"
        return ok(f"{ended['Id']} SUCCEEDED; {self.ticker} {news}")

    def manifest(self) -> Finding:
        """Read the manifest that the run has written, or the newest one if it had no news."""
        if not self.run_id:
            return failed("there is none", f"Is {self.ticker} a ticker? Read the extractor's log")
        found = self.runs.client("s3").get_object(
            Bucket=self.runs.outputs["bucket"], Key=f"{RUNS}{self.run_id}.json"
        )
        self.tickers = json.loads(found["Body"].read())["tickers"]
        return ok(f"{self.run_id}, tickers: {', '.join(sorted(self.tickers)[:5])}")

    def starter(self) -> Finding:
        """Wait for the job run that the manifest's event starts."""
        function = self.runs.outputs["starter_function"]
        if self.runs.wait(FIVE_MINUTES, lambda: self._transforms() or self._has_receipt()):
            return ok(f"S3's event has reached {function}")
        return failed(
            f"{function} started no job run for {self.run_id}",
            f"Read the log /aws/lambda/{function} and the queue of dead letters. If both are empty,"
            " the bucket has lost its event notification: apply again",
        )

    def transformer(self) -> Finding:
        """Wait for the transformer to end."""
        job = self.runs.outputs["transformer_job"]
        states = self.runs.wait(HALF_AN_HOUR, self._ended)
        job_runs = self._transforms()
        if not states:
            return failed(f"{told(job_runs[0])}, for half an hour", "Wait, then run this again")
        if not job_runs:  # one of many job runs, or one for an earlier manifest
            return ok(f"another job run of {job} has processed {self.run_id}")
        if job_runs[0]["JobRunState"] != "SUCCEEDED":
            log = self.runs.outputs["job_logs"]["output"]
            return failed(
                told(job_runs[0]),
                f"Read {log}, stream {job_runs[0]['Id']}-driver, then start {job} again",
            )
        return ok(f"{job_runs[0]['Id']} SUCCEEDED")

    def receipt(self) -> Finding:
        """Check that the run has its receipt."""
        if self._has_receipt():
            return ok(f"{RECEIPTS}{self.run_id}.json")
        return failed(f"{self.run_id} has none", "Start the transformer: it does what is left")

    def partitions(self) -> Finding:
        """Check that the newest partition of each ticker in the manifest is in the catalog."""
        glue, database = self.runs.client("glue"), self.runs.outputs["database"]
        missing, newest = [], []
        for ticker, entry in sorted(self.tickers.items()):
            if not entry["blobs"]:
                continue
            values = [max(entry["blobs"]), ticker]
            newest.append("/".join(values))
            try:
                glue.get_partition(DatabaseName=database, TableName="daily", PartitionValues=values)
            except ClientError as error:
                if error.response["Error"]["Code"] != "EntityNotFoundException":
                    raise
                missing.append(newest[-1])
        if missing:
            lake = self.runs.outputs["lake"]
            return failed(
                f"{database}.daily lacks {', '.join(missing)}",
                f"tickerlake catalog sync --lake {lake} --catalog {database}",
            )
        return ok(f"{database}.daily has {', '.join(newest[:5])}")

    def athena(self) -> Finding:
        """Count the ticker's rows in Athena."""
        athena = self.runs.client("athena")
        literal = self.ticker.replace("'", "''")
        query = athena.start_query_execution(
            QueryString=f"select count(*) from daily where ticker = '{literal}'",  # noqa: S608
            WorkGroup=self.runs.outputs["workgroup"],
            QueryExecutionContext={"Database": self.runs.outputs["database"]},
        )["QueryExecutionId"]
        status: dict[str, Any] = {}

        def has_ended() -> bool:
            answer = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            status.update(answer["Status"])
            return status["State"] not in ("QUEUED", "RUNNING")

        self.runs.wait(FIVE_MINUTES, has_ended)
        if status["State"] != "SUCCEEDED":
            return failed(
                f"{query} {status['State']}: {status.get('StateChangeReason', '')}",
                "May you read the bucket and the catalog? Attach reader_policy_arn; with Lake"
                " Formation, add yourself to lake_formation_readers",
            )
        _, row = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        count = int(row["Data"][0]["VarCharValue"])
        if not count:
            return failed(f"no rows of {self.ticker} in daily", "Does its location hold the files?")
        return ok(f"{count:,} rows of {self.ticker} in daily")

    def _manifests(self) -> set[str]:
        pages = self.runs.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.runs.outputs["bucket"], Prefix=RUNS)
        keys = [each["Key"] for page in found for each in page.get("Contents", [])]
        return {key.removeprefix(RUNS).removesuffix(".json") for key in keys}

    def _has_receipt(self) -> bool:
        answer = self.runs.client("s3").list_objects_v2(
            Bucket=self.runs.outputs["bucket"], Prefix=f"{RECEIPTS}{self.run_id}.json", MaxKeys=1
        )
        return bool(answer["KeyCount"])

    def _transforms(self) -> list[dict[str, Any]]:
        """Return the transformer's job runs for the manifest, the newest first."""
        answer = self.runs.client("glue").get_job_runs(
            JobName=self.runs.outputs["transformer_job"], MaxResults=50
        )
        return [
            each
            for each in answer["JobRuns"]
            if each.get("Arguments", {}).get("--run-id") == self.run_id
        ]

    def _ended(self) -> bool:
        return all(each["JobRunState"] not in UNDER_WAY for each in self._transforms())
