"""Job runs that doctor starts, and waiting for what comes of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tickerlake.aws.doctor.terraform import Clients, Deployment

EVERY: Final = 5.0
"""Seconds between two looks."""

FIVE_MINUTES: Final = 60
HALF_AN_HOUR: Final = 360
"""How often to look before giving up."""

UNDER_WAY: Final = {"STARTING", "RUNNING", "STOPPING", "WAITING"}


@dataclass(frozen=True)
class Runs:
    """Starts job runs of a deployment.

    Attributes:
        deployment: what was applied.
        client: returns a service's client.
        pause: waits some seconds.
    """

    deployment: Deployment
    client: Clients
    pause: Callable[[float], None] = time.sleep

    @property
    def outputs(self) -> dict[str, Any]:
        """The deployment's outputs."""
        return self.deployment.outputs

    def extract(self, universe: str) -> dict[str, Any]:
        """Run the deployed extractor.

        Args:
            universe: the key of a universe, which replaces the deployed one.

        Returns:
            The job run when it has ended, or when half an hour has passed.
        """
        glue, job = self.client("glue"), self.outputs["extractor_job"]
        arguments = {"--universe": f"{self.outputs['lake']}/{universe}"}
        run_id = glue.start_job_run(JobName=job, Arguments=arguments)["JobRunId"]
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            found.update(glue.get_job_run(JobName=job, RunId=run_id)["JobRun"])
            return found["JobRunState"] not in UNDER_WAY

        self.wait(HALF_AN_HOUR, has_ended)
        return found

    def wait(self, looks: int, look: Callable[[], Any]) -> Any:
        """Look until there is something; return it, or None."""
        for _ in range(looks):
            if found := look():
                return found
            self.pause(EVERY)
        return None


def reason(job_run: dict[str, Any]) -> str:
    r"""Return the last line of a job run's error message, which is our sentence.

    >>> reason({"ErrorMessage": "SystemExit:\nevery ticker failed"})
    'every ticker failed'
    """
    lines = str(job_run.get("ErrorMessage", "")).strip().splitlines()
    return lines[-1] if lines else "no reason given"


def told(job_run: dict[str, Any]) -> str:
    """Return how a job run ended, and why."""
    return f"{job_run['Id']} {job_run['JobRunState']}: {reason(job_run)}"
