"""The compose chain, end to end: containers, LocalStack, the replay; and what it must equal."""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import free_port, objects, point_to

from tickerlake.lake import Lake, open_lake

ROOT = Path(__file__).parents[2]
LAKE = "s3://tickerlake/lake"
TICKERS = "AAPL,GOOG,IBM,MSFT"

pytestmark = pytest.mark.docker


class Compose:
    """`docker compose`, or Compose v1, on a project and a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        default = "docker compose" if shutil.which("docker") else "docker-compose"
        self.command = shlex.split(os.environ.get("COMPOSE", default))

    def __call__(self, *arguments: str, check: bool = True, **environment: str) -> str:
        done = subprocess.run(
            [*self.command, "-p", "tickerlake-e2e", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "LOCALSTACK_PORT": str(self.port),
                "TICKERLAKE_TICKERS": TICKERS,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(done.stdout + done.stderr + self("logs", "--tail", "20", check=False))
        return done.stdout

    def wait(self, service: str, seconds: int = 240) -> int:
        """Wait until a service's container has ended; its exit code."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            [container] = self("ps", "-a", "-q", service).split()
            state = subprocess.run(
                ["docker", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            if state[0] == "exited":
                return int(state[1])
            time.sleep(0.5)
        raise AssertionError(f"{service} did not end: {self('logs', service)}")


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    compose = Compose()
    try:
        yield compose
    finally:
        compose("--profile", "offline", "--profile", "events", "down", "-v", "-t", "2", check=False)


@pytest.fixture
def on_s3(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    point_to(f"http://127.0.0.1:{compose.port}", monkeypatch)


def local(folder: Path, as_of: str, *options: str) -> Lake:
    """What a run on this machine makes of the same recording."""
    command = ["tickerlake", "run", "--offline", "--lake", str(folder), "--tickers", TICKERS]
    subprocess.run([*command, "--as-of", as_of, *options], check=True)
    return open_lake(str(folder))


def assert_same_table(lake: Lake, expected: Lake) -> None:
    found, wanted = objects(lake, "refined/daily/"), objects(expected, "refined/daily/")
    assert found.keys() == wanted.keys()
    differing = [key for key in wanted if found[key] != wanted[key]]
    assert not differing, f"{len(differing)} of {len(wanted)} objects differ: {differing[:5]}"


@pytest.mark.usefixtures("on_s3")
def test_the_chain_makes_what_a_local_run_makes(compose, tmp_path):
    """Two evenings: the first by the chain, the second by events, as on AWS."""
    first, second = "2013-02-28T22:30Z", "2013-03-01T22:30Z"
    compose("--profile", "offline", "up", "-d", TICKERLAKE_AS_OF=first)
    assert compose.wait("extractor") == 0, compose("logs", "extractor")
    assert compose.wait("transformer") == 0, compose("logs", "transformer")
    lake = open_lake(LAKE)
    assert_same_table(lake, local(tmp_path / "lake", first))

    offline = ("--profile", "offline", "--profile", "events")
    # Compose v1 can't re-create a container on a new engine
    compose(*offline, "rm", "-s", "-f", "replay")
    compose(*offline, "up", "-d", "replay", "watcher", TICKERLAKE_AS_OF=second)
    done = compose(*offline, "run", "--rm", "extractor", TICKERLAKE_AS_OF=second)
    assert "4 new bars" in done
    expected = local(tmp_path / "lake", second)
    wanted = set(objects(expected, "refined/daily/"))
    end = time.monotonic() + 60
    while time.monotonic() < end and len(list(lake.store.keys("refined/_runs/"))) < 2:
        time.sleep(0.5)
    assert set(lake.store.keys("refined/daily/")) == wanted, compose(*offline, "logs", "watcher")
    assert_same_table(lake, expected)
    watcher = compose(*offline, "ps", "-a", "-q", "watcher").strip()
    subprocess.run(["docker", "stop", "-t", "20", watcher], check=True, capture_output=True)
    assert compose.wait("watcher") == 143


@pytest.mark.usefixtures("on_s3")
def test_the_chain_on_spark(compose, tmp_path):
    settings = {
        "TICKERLAKE_ENGINE": "spark",
        "TICKERLAKE_LAKE": "s3://tickerlake/spark",
        "TICKERLAKE_AS_OF": "2013-02-28T22:30Z",
        "TICKERLAKE_GRAIN": "month",
    }
    compose("--profile", "offline", "--profile", "events", "down", "-v", "-t", "2")
    compose("--profile", "offline", "up", "-d", **settings)
    assert compose.wait("extractor") == 0, compose("logs", "extractor")
    said = compose.wait("transformer"), compose("logs", "transformer")
    assert said[0] == 0, said[1]
    assert "spark" in said[1].lower()
    lake = open_lake(settings["TICKERLAKE_LAKE"])
    expected = local(tmp_path / "lake", settings["TICKERLAKE_AS_OF"], "--grain", "month")
    assert_same_table(lake, expected)
