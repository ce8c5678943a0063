"""What needs a Docker engine: LocalStack in a container, one for a test session.

This folder is a package, as two modules named `conftest` would be one for `from conftest import`.
"""

import os
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from helpers import point_to

ROOT = Path(__file__).parents[2]

# those of docker-compose.yml
LOCALSTACK = "localstack/localstack:4.14.0"
SETTINGS = {"SERVICES": "s3,sqs", "DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1"}


@pytest.fixture(scope="session")
def engine() -> None:
    """Skip without a Docker engine; fail where there must be one (TICKERLAKE_REQUIRE_DOCKER=1)."""
    import docker
    from docker.errors import DockerException

    try:
        docker.from_env().ping()
    except DockerException as error:
        reason = "needs a Docker engine, and none answers"
        if os.environ.get("TICKERLAKE_REQUIRE_DOCKER") == "1":
            pytest.fail(f"{reason}: {error}")
        pytest.skip(reason)


@pytest.fixture(scope="session")
def localstack(engine) -> Iterator[str]:  # noqa: ARG001 - a fixture can't use `usefixtures`
    """LocalStack's endpoint."""
    from testcontainers.community.localstack import LocalStackContainer

    container = LocalStackContainer(LOCALSTACK)
    for name, value in SETTINGS.items():
        container.with_env(name, value)
    with container:
        yield container.get_url()


@dataclass(frozen=True)
class Place:
    """A bucket with a queue for the events of a lake's manifests, as images/setup.py makes them."""

    bucket: str
    queue: str
    dead: str

    def url(self, prefix: str = "lake") -> str:
        return f"s3://{self.bucket}/{prefix}"


@pytest.fixture
def place(localstack, monkeypatch, tmp_path) -> Iterator[Callable[[str], Place]]:
    """Run images/setup.py for a lake with a prefix, in a bucket of the test's own."""
    point_to(localstack, monkeypatch)
    bucket = tmp_path.name.replace("_", "-").lower()

    def make(prefix: str = "lake") -> Place:
        monkeypatch.setenv("TICKERLAKE_LAKE", f"s3://{bucket}/{prefix}")
        names = runpy.run_path(str(ROOT / "images/setup.py"))
        monkeypatch.delenv("TICKERLAKE_LAKE")
        urls = [
            names["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
            for name in ("tickerlake-runs", "tickerlake-runs-dead")
        ]
        # a message that failed comes back at once, and not only in a minute
        names["sqs"].set_queue_attributes(QueueUrl=urls[0], Attributes={"VisibilityTimeout": "1"})
        # which name the queue alike, wherever the client finds it
        return Place(bucket, *(f"{localstack}/000000000000/{url.rsplit('/')[-1]}" for url in urls))

    yield make
    sqs = boto3.client("sqs")
    for url in sqs.list_queues().get("QueueUrls", ()):
        sqs.delete_queue(QueueUrl=url)
