"""Doctor: what this machine has, and lacks, to run tickerlake.

`aws.doctor` is the same for an AWS account.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tickerlake.diagnosis import Check, Finding, failed, ok, warning
from tickerlake.errors import RateLimitedError, SourceError, TickerlakeError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tickerlake.sources import Source

YAHOO: Final = "https://query2.finance.yahoo.com"
OLDEST_PYTHON: Final = (3, 11)
OLDEST_JAVA: Final = 17
LITTLE_SPACE: Final = 1_000_000_000
"""Bytes. 500 tickers by year take about a quarter of it; by day, on a disk with blocks of 4 kB, a
hundred tickers fill it."""

SKEW: Final = timedelta(seconds=60)
BAD_SKEW: Final = timedelta(minutes=5)
"""AWS refuses requests whose clock is 15 minutes off, and calls some tokens expired before that."""

_TICKER: Final = "AAPL"
_TIMEOUT: Final = 20.0


def checks(
    lake: str,
    source: "Callable[[], AbstractContextManager[tuple[Source, datetime]]]",
    url: str | None = None,
) -> list[Check]:
    """Return the checks of this machine.

    Args:
        lake: the lake's folder or URL.
        source: opens Yahoo, or a replay of it; yields it and its current time.
        url: of the replay; None is Yahoo itself.
    """
    return [
        Check("python", python),
        Check("java", java),
        Check("docker", docker),
        Check("disk", partial(disk, lake)),
        Check("yahoo", partial(yahoo, source)),
        Check("clock", partial(clock, url or YAHOO)),
    ]


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Check the version of Python."""
    saw = f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version[:2] < OLDEST_PYTHON:
        return failed(saw, "Install Python 3.11 or newer")
    return ok(saw)


def java() -> Finding:
    """Check Java, which only the Spark engine needs."""
    advice = "Only `transform --engine spark` needs it: install Java 17 or newer to use that"
    said = _said(["java", "-version"])
    found = re.search(r'version "(\d+)(?:\.(\d+))?', said or "")
    if said is None or not found:
        return warning("not found" if said is None else f"it says {said!r}", advice)
    # Java 8 called itself 1.8
    major = int(found[2] if found[1] == "1" and found[2] else found[1])
    return ok(f"Java {major}") if major >= OLDEST_JAVA else warning(f"Java {major}", advice)


def docker() -> Finding:
    """Check that a Docker engine is running, which only the containers need."""
    need = "Only `make up`, `make e2e` and other targets with containers need it"
    if shutil.which("docker") is None:
        return warning("not found", f"{need}: install Docker to use them")
    said = _said(["docker", "version", "--format", "{{.Server.Version}}"])
    if said is None:
        return warning("installed, but its engine does not answer", f"{need}: start the engine")
    return ok(f"Docker {said}")


def disk(lake: str) -> Finding:
    """Check that a lake's folder can be written, and that there is room."""
    if "://" in lake:
        return _opens(lake)
    folder = Path(lake).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return failed(f"{folder} can't be written", "Give --lake another folder, or its owner's")
    free = shutil.disk_usage(folder).free
    saw = f"{free / 1e9:,.1f} GB free at {folder}"
    if free < LITTLE_SPACE:
        return failed(saw, "Make room, or give --lake a folder on another disk")
    return ok(saw)


def _opens(lake: str) -> Finding:
    from tickerlake.errors import NoLakeError
    from tickerlake.lake import open_lake

    try:
        open_lake(lake)
    except NoLakeError:
        return ok(f"{lake} answers; there is no lake in it yet")
    except TickerlakeError as error:
        return failed(str(error), "Do what it says, or give --lake a folder")
    return ok(f"{lake} holds a lake")


def yahoo(
    source: "Callable[[], AbstractContextManager[tuple[Source, datetime]]]",
) -> Finding:
    """Check that Yahoo gives bars, by asking for a week of one ticker."""
    try:
        with source() as (bars, moment):
            today = moment.date()
            fetched = bars.fetch(_TICKER, today - timedelta(days=10), today, "America/New_York")
    except RateLimitedError as error:
        return failed(
            str(error),
            "Wait an hour, or run from another address: docs/deploy.md, 'If Yahoo refuses'",
        )
    except SourceError as error:
        return failed(
            str(error),
            "Check the network and the proxy (HTTPS_PROXY); `run --offline` needs neither",
        )
    count = fetched.bars.height
    if not count:
        return warning(f"no bars of {_TICKER} in ten days", "Try again later: Yahoo may be ill")
    return ok(f"{count} bars of {_TICKER} in the last ten days")


def clock(url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Finding:
    """Compare this machine's clock with the one of a web server."""
    if not url.startswith(("http://", "https://")):
        return failed(f"{url} is not the address of a web server", "Give an http:// address")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - checked
            dated = answer.headers["Date"]
    except urllib.error.HTTPError as error:  # an answer that refuses has a date, too
        dated = error.headers["Date"]
    except OSError as error:
        reason = getattr(error, "reason", error)
        return warning(f"{url} does not answer: {reason}", "Check the network, then try again")
    if dated is None:
        return warning(f"{url} says no time", "Compare the clock with another one")
    off = now() - parsedate_to_datetime(dated)
    saw = f"{abs(off).total_seconds():.0f} s {'ahead of' if off > timedelta() else 'behind'} {url}"
    advice = "Set the clock, best by NTP: sessions end, and AWS signs, by this clock"
    if abs(off) > BAD_SKEW:
        return failed(saw, advice)
    return warning(saw, advice) if abs(off) > SKEW else ok(saw)


def _said(command: Sequence[str]) -> str | None:
    """Return what a command prints; None if there is none, or it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else (done.stdout or done.stderr).strip()
