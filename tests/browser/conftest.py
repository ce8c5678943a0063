"""A browser, and reports to open in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import odd_lake
import pytest
from helpers import new_lake, tickerlake
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"there is no browser: install one of {', '.join(NAMES)}")
    # a container's root user has no sandbox
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=options)
        yield started
        started.close()


def report(lake: str, out: Path, *options: str) -> None:
    done = tickerlake("report", "--lake", lake, "--out", str(out), *options)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def sample_lake(tmp_path_factory) -> str:
    """The lake of the recording."""
    url = str(tmp_path_factory.mktemp("sample") / "lake")
    done = tickerlake("run", "--offline", "--lake", url, "--start", "2001-01-01", "--grain", "year")
    assert done.returncode == 0, done.stderr
    return url


@pytest.fixture(scope="session")
def sample(sample_lake, tmp_path_factory) -> Path:
    """Its report."""
    out = tmp_path_factory.mktemp("sample-report")
    report(sample_lake, out)
    return out


@pytest.fixture(scope="session")
def odd_url(tmp_path_factory) -> str:
    made = new_lake(str(tmp_path_factory.mktemp("odd") / "lake"), "year")
    odd_lake.fill(made)
    odd_lake.fill(made, revised=True)
    return made.store.url


@pytest.fixture(scope="session")
def odd(odd_url, tmp_path_factory) -> Path:
    """The report of a lake of all that is odd."""
    out = tmp_path_factory.mktemp("odd-report")
    report(odd_url, out)
    return out


@pytest.fixture(scope="session")
def empty(tmp_path_factory) -> Path:
    """The report of a lake without a bar."""
    folder = tmp_path_factory.mktemp("empty")
    new_lake(str(folder / "lake"))
    report(str(folder / "lake"), folder / "report")
    return folder / "report"


@pytest.fixture(scope="session")
def single(odd_url, tmp_path_factory) -> Path:
    """A report as one file."""
    target = tmp_path_factory.mktemp("single") / "report.html"
    report(odd_url, target, "--single-file")
    return target
