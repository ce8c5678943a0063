"""Doctor of this machine: each check, and what makes it fail."""

import json
import os
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import boto3
import polars as pl
import pytest
from helpers import free_port, new_lake, tickerlake

from tickerlake.diagnosis import UNKNOWN, Check, diagnose
from tickerlake.errors import RateLimitedError, SourceUnreachableError
from tickerlake.sources import Fetched
from tickerlake.sources.replay import Fault, Replay
from tickerlake.stages import doctor


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, says: str, code: int = 0, stream: int = 1) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}' >&{stream}\nexit {code}\n")
    file.chmod(0o755)


def test_python():
    assert doctor.python().verdict == "ok"
    assert doctor.python((3, 11, 0)).verdict == "ok"
    old = doctor.python((3, 10, 9))
    assert old.verdict == "failed"
    assert "3.10.9" in old.saw
    assert "3.11" in old.advice


@pytest.mark.parametrize(
    ("says", "verdict", "saw"),
    [
        ('openjdk version "17.0.12" 2024-07-16', "ok", "Java 17"),
        ('openjdk version "21" 2023-09-19', "ok", "Java 21"),
        ('openjdk version "11.0.2" 2019-01-15', "warning", "Java 11"),
        ('java version "1.8.0_292"', "warning", "Java 8"),
        ("no version at all", "warning", "no version at all"),
    ],
)
def test_java(programs, says, verdict, saw):
    program(programs, "java", says, stream=2)
    found = doctor.java()
    assert (found.verdict, saw in found.saw) == (verdict, True)
    assert bool(found.advice) is (verdict != "ok")


@pytest.mark.usefixtures("programs")
def test_no_java():
    assert doctor.java() == (
        "warning",
        "not found",
        "Only `transform --engine spark` needs it: install Java 17 or newer to use that",
    )


def test_docker(programs):
    none = doctor.docker()
    assert (none.verdict, none.saw) == ("warning", "not found")
    program(programs, "docker", "Cannot connect to the Docker daemon", code=1)
    stopped = doctor.docker()
    assert stopped.verdict == "warning"
    assert "does not answer" in stopped.saw
    assert "start the engine" in stopped.advice
    program(programs, "docker", "27.1.0")
    assert doctor.docker() == ("ok", "Docker 27.1.0", "")


def test_disk(tmp_path, monkeypatch):
    lake = tmp_path / "not" / "there" / "yet"
    assert doctor.disk(str(lake)).verdict == "ok"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    full = doctor.disk(str(lake))
    assert (full.verdict, full.saw) == ("failed", f"0.0 GB free at {tmp_path}")


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert doctor.disk(str(tmp_path / "lake")).verdict == "failed"


def test_a_lake_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    found = doctor.disk(str(tmp_path / "file" / "lake"))
    assert (found.verdict, "can't be written" in found.saw) == ("failed", True)


def test_a_lake_that_is_not_on_disk():
    assert doctor.disk("memory://there").verdict in ("ok", "failed")
    odd = doctor.disk("ftp://somewhere/lake")
    assert odd.verdict == "failed"
    assert "ftp://somewhere/lake" in odd.saw


@pytest.mark.usefixtures("aws")
def test_a_lake_on_s3():
    boto3.client("s3").create_bucket(Bucket="doctors-bucket")
    empty = doctor.disk("s3://doctors-bucket/lake")
    assert (empty.verdict, "no lake in it yet" in empty.saw) == ("ok", True)
    new_lake("s3://doctors-bucket/lake")
    assert doctor.disk("s3://doctors-bucket/lake") == (
        "ok",
        "s3://doctors-bucket/lake holds a lake",
        "",
    )
    assert doctor.disk("s3://no-such-bucket-there/lake").verdict == "failed"


class Asked:
    """A source that gives, or raises, what it was told."""

    name = "asked"

    def __init__(self, answer):
        self.answer = answer

    def fetch(self, symbol, start, end, timezone):
        assert (end - start) < timedelta(days=30)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Fetched(pl.DataFrame({"session": [start] * self.answer}))

    @contextmanager
    def open(self):
        yield self, datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "verdict", "advice"),
    [
        (7, "ok", ""),
        (0, "warning", "Yahoo may be ill"),
        (RateLimitedError("Yahoo wants no requests"), "failed", "If Yahoo refuses"),
        (SourceUnreachableError("no address"), "failed", "HTTPS_PROXY"),
    ],
)
def test_yahoo(answer, verdict, advice):
    found = doctor.yahoo(Asked(answer).open)
    assert found.verdict == verdict
    assert advice in found.advice


def test_clock():
    with Replay() as replay:
        for off, verdict in ((0, "ok"), (45, "ok"), (-100, "warning"), (400, "failed")):
            now = datetime.now(UTC) + timedelta(seconds=off)
            found = doctor.clock(f"{replay.url}/health", lambda now=now: now)
            assert found.verdict == verdict, found
            assert ("ahead" if off > 0 else "behind") in found.saw or off == 0
        refused = doctor.clock(f"{replay.url}/no-such-page")
        assert refused.verdict == "ok", "an answer that refuses has a date, too"
    silent = doctor.clock(f"http://127.0.0.1:{free_port()}")
    assert (silent.verdict, "does not answer" in silent.saw) == ("warning", True)
    assert doctor.clock("file:///etc/hostname").verdict == "failed"


def test_a_check_that_cannot_look_is_a_warning():
    def look():
        raise PermissionError("not\nallowed")

    assert diagnose(Check("x", look)) == ("x", "warning", "could not look: not allowed", UNKNOWN)


# ---- the command


def test_the_command(tmp_path):
    with Replay() as replay:
        lake = str(tmp_path / "lake")
        done = tickerlake("doctor", "--lake", lake, "--yahoo-url", replay.url)
        assert done.returncode == 0, done.stdout
        names = [line.split()[1] for line in done.stdout.splitlines() if "->" not in line]
        assert names == ["python:", "java:", "docker:", "disk:", "yahoo:", "clock:"]
        assert not (tmp_path / "lake").exists()
        replay.faults = [Fault(kind="rate_limited")]
        done = tickerlake("doctor", "--lake", lake, "--yahoo-url", replay.url, "--format", "json")
        assert done.returncode == 1
        [yahoo] = [each for each in json.loads(done.stdout) if each["name"] == "yahoo"]
        assert (yahoo["verdict"], "If Yahoo refuses" in yahoo["advice"]) == ("failed", True)


def test_wrong_calls():
    done = tickerlake("doctor", "--no-trial")
    assert (done.returncode, done.stderr) == (2, "Error: --trial and --no-trial need --aws\n")
    done = tickerlake("doctor", "--aws", "--infra", "no-such-folder")
    assert done.returncode == 1
    assert "no-such-folder has no variables.tf" in done.stdout


@pytest.mark.parametrize(
    ("url", "asked"), [(None, doctor.YAHOO), ("http://127.0.0.1:9", "http://127.0.0.1:9")]
)
def test_the_clock_is_that_of_whom_is_asked(url, asked):
    checks = {each.name: each.look for each in doctor.checks("lake", None, url)}
    assert checks["clock"].args == (asked,)
