"""The stages as containers: killed at any moment, and their store gone under them.

However it ended, the next run leaves the lake as if nothing had happened.
"""

import itertools
import json
import os
import random
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import free_port, objects, point_to, shell, until

from tickerlake.lake import history, layout, manifests, open_lake
from tickerlake.lake.store import open_store
from tickerlake.stages import verify

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
# runs of these tests at the same time must not stop each other's containers
PROJECT = f"tickerlake-kill-{os.getpid()}"
NUMBERS = itertools.count()
ROUNDS = int(os.environ.get("TICKERLAKE_KILLS", "20"))
LANES = 2
KILLED, TERMINATED = 137, 143

TICKERS = ["AAPL", "MSFT"]
LOAD = ["--tickers", ",".join(TICKERS), "--start", "2012-11-01", "--grain", "month"]
# some seconds of uploads, a ticker after the other
SLOWLY = ["--workers", "1"]
LONG = ["--tickers", ",".join(TICKERS), "--start", "2011-11-01", "--grain", "day", *SLOWLY]


class Container:
    """A stage's container."""

    def __init__(self, name: str) -> None:
        self.name = name

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        return int(shell("docker", "wait", self.name, timeout=180))

    def kill(self) -> None:
        """As by the kernel, without a warning; nothing when it has ended already."""
        shell("docker", "kill", self.name, check=False)

    def stop(self) -> None:
        """As by a scheduler: SIGTERM."""
        shell("docker", "stop", "-t", "30", self.name)

    def logs(self) -> str:
        done = subprocess.run(
            ["docker", "logs", self.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return done.stdout


@dataclass
class Compose:
    """The project's containers, on a port of their own."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, *arguments: str, check: bool = True) -> str:
        command = shlex.split(os.environ.get("COMPOSE", "docker compose"))
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TICKERLAKE_"))
        }
        return shell(
            *(*command, "-p", PROJECT, "--profile", "offline", *arguments),
            check=check,
            cwd=ROOT,
            env={**clean, "LOCALSTACK_PORT": str(self.port)},
        )

    def up(self) -> None:
        """Start what the stages need."""
        self("up", "-d", "--wait", "localstack", "replay")
        self("run", "--rm", "setup")

    def start(self, service: str, lake: str, *arguments: str) -> Container:
        """Start a stage."""
        container = Container(f"{PROJECT}-{service}-{next(NUMBERS)}")
        run = ["run", "-d", "--no-deps", "--name", container.name]
        self(*run, "-e", f"TICKERLAKE_LAKE={lake}", service, *arguments)
        return container

    def run(self, service: str, lake: str, *arguments: str) -> float:
        """Run a stage to its end; how many seconds it took."""
        container = self.start(service, lake, *arguments)
        begin = time.monotonic()
        code = container.wait()
        assert code == 0, container.logs()
        return time.monotonic() - begin


@pytest.fixture(scope="module")
def compose(engine) -> Iterator[Compose]:  # noqa: ARG001 - a fixture can't use `usefixtures`
    compose = Compose(free_port())
    try:
        compose.up()
        yield compose
    finally:
        # the stages' containers are orphans for compose
        compose("down", "-v", "-t", "2", "--remove-orphans", check=False)


@pytest.fixture(autouse=True)
def on_s3(compose, monkeypatch) -> None:
    """Read the lake from here, by the port that LocalStack has on this side."""
    point_to(compose.endpoint, monkeypatch)


def url(name: str) -> str:
    return f"s3://tickerlake/{name}"


def blobs(lake: str) -> list[str]:
    """The blobs of a lake, also of one that does not exist yet."""
    return [key for key in open_store(lake).keys("raw/") if layout.RUNS not in key]


def state(lake: str) -> dict[str, object]:
    """What readers see: everything but the moments of the commits; and the blobs."""
    found = open_lake(lake)
    return {
        "pending": manifests.pending_ids(found.store),
        "blobs": sorted(blobs(lake)),
        **objects(found, "refined/daily/"),
        **{ticker: history.read(found, ticker)[0].bars.rows() for ticker in TICKERS},
    }


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nobody disturbs, and how many seconds its stages take."""

    state: dict[str, object]
    extract: float
    transform: float


@pytest.fixture(scope="module")
def undisturbed(compose) -> Callable[[], Undisturbed]:
    known: list[Undisturbed] = []

    def run() -> Undisturbed:
        if not known:
            lake = url("undisturbed")

            def both(name: str) -> tuple[float, float]:
                return compose.run("extractor", name, *LOAD), compose.run("transformer", name)

            # at once, as the rounds are
            with ThreadPoolExecutor(LANES) as pool:
                seconds = list(pool.map(both, [lake, *(f"{lake}-{n}" for n in range(1, LANES))]))
            known.append(Undisturbed(state(lake), *map(max, zip(*seconds, strict=True))))
        return known[0]

    return run


def test_killed_at_any_moment_the_next_run_heals(compose, undisturbed):
    expected = undisturbed()
    seconds = {"extractor": expected.extract, "transformer": expected.transform}

    def killed(service: str, lake: str, *arguments: str, share: float) -> int:
        """Kill a stage after a share of the time that it takes."""
        after = share * seconds[service]
        container = compose.start(service, lake, *arguments)
        time.sleep(after)
        container.kill()
        code = container.wait()
        if code == 0:  # too late: the machine has become quicker since
            seconds[service] = min(seconds[service], after)
        return code

    def play(number: int) -> tuple[int, int]:
        """A bad night: both stages are killed once, and started again."""
        lake = url(f"kill-{number}")
        dice = random.Random(number)
        # spread over the whole run, and somewhere in its share of it
        extracting, transforming = ((number + dice.random()) / ROUNDS for _ in range(2))
        first = killed("extractor", lake, *LOAD, share=extracting)
        compose.run("extractor", lake, *LOAD)
        second = killed("transformer", lake, share=transforming)
        compose.run("transformer", lake)
        assert state(lake) == expected.state, f"round {number}"
        return first, second

    with ThreadPoolExecutor(LANES) as pool:
        codes = list(pool.map(play, range(ROUNDS)))
    assert {code for pair in codes for code in pair} <= {0, KILLED}
    for stage in zip(*codes, strict=True):
        assert stage.count(KILLED) > ROUNDS / 2, "most kills came too late"


@pytest.fixture(scope="module")
def quiet(compose) -> Callable[[], dict[str, object]]:
    """What the long load leaves when nobody disturbs it."""
    known: list[dict[str, object]] = []

    def run() -> dict[str, object]:
        if not known:
            process(compose, url("quiet"))
            known.append(state(url("quiet")))
        return known[0]

    return run


def process(compose: Compose, lake: str) -> None:
    """An undisturbed run of both stages."""
    compose.run("extractor", lake, *LONG)
    compose.run("transformer", lake)


def refined(lake: str) -> bool:
    return any(open_store(lake).keys(layout.DAILY))


def test_killed_while_it_uploads_the_next_run_heals(compose, quiet):
    """Not at any moment, but at those that matter."""
    lake, expected = url("uploads"), quiet()
    extractor = compose.start("extractor", lake, *LONG)
    until(lambda: blobs(lake), 60)
    extractor.kill()
    assert extractor.wait() == KILLED
    assert manifests.all_ids(open_store(lake)) == []
    compose.run("extractor", lake, *LONG)
    transformer = compose.start("transformer", lake, *SLOWLY)
    until(lambda: refined(lake), 60)
    transformer.kill()
    assert transformer.wait() == KILLED
    compose.run("transformer", lake)
    assert state(lake) == expected


def test_stopped_it_keeps_what_is_complete(compose, quiet):
    """`docker stop` in the midst of the second ticker: the first one is committed."""
    lake, expected = url("stopped"), quiet()
    extractor = compose.start("extractor", lake, *LONG)
    until(lambda: any("ticker=MSFT" in key for key in blobs(lake)), 60)
    extractor.stop()
    assert extractor.wait() == TERMINATED, extractor.logs()
    assert "what was committed stays" in extractor.logs()
    opened = open_lake(lake)
    [manifest] = manifests.pending(opened)
    assert list(manifest.tickers) == ["AAPL"]

    compose.run("transformer", lake)
    assert verify.verify(opened, workers=8) == []
    kept = objects(opened, "raw/", "refined/", "tickers/")
    assert {layout.values(key)["ticker"] for key in kept if "ticker=" in key} == {"AAPL", "MSFT"}
    assert {history.read(opened, ticker)[0].last is None for ticker in TICKERS} == {True, False}

    compose.run("extractor", lake, *LONG)
    assert kept.items() <= objects(opened, "raw/", "refined/", "tickers/").items()
    transformer = compose.start("transformer", lake, *SLOWLY)
    until(lambda: any("ticker=MSFT" in key for key in open_store(lake).keys(layout.DAILY)), 60)
    transformer.stop()
    assert transformer.wait() == TERMINATED, transformer.logs()
    compose.run("transformer", lake)
    assert state(lake) == expected


@pytest.mark.parametrize("how", ["silent", "gone"])
def test_the_store_fails_under_an_extraction(compose, quiet, how):
    """Silent: it takes requests and answers none. Gone: with all that it held, as LocalStack is."""
    lake, expected = url(f"store-{how}"), quiet()
    extractor = compose.start("extractor", lake, *LONG)
    until(lambda: blobs(lake), 60)
    compose("pause" if how == "silent" else "kill", "localstack")
    try:
        assert extractor.wait() == 1, extractor.logs()
    finally:
        if how == "silent":
            compose("unpause", "localstack")
        else:
            compose.up()
    *_, last = extractor.logs().strip().splitlines()
    said = json.loads(last)
    assert said["level"] == "ERROR"
    assert said["error"] == "StoreError"
    assert f"the lake's store {lake} failed" in said["message"]
    process(compose, lake)
    assert state(lake) == expected
