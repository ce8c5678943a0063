"""200 tickers from a Yahoo that takes 50 ms to answer: tickerlake's extract, and yf.download.

`python benchmarks/extraction.py`; some minutes. The replay serves two generated years of 200
symbols from a process of its own, and counts requests. Each measurement is a fresh process, like a
scheduled container, whose yfinance remembers no time zones yet; loading the libraries is not
measured. extract also checks bars, compares them with what is held and writes them to a lake on
local disk; yf.download only joins them in memory. yf.download has no request budget.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, ParamSpec, Self
from urllib.parse import urlsplit

import polars as pl
from increment import alone, bars, evening, sessions

from tickerlake.lake import create_lake
from tickerlake.sources.replay import CHART, Replay
from tickerlake.sources.replay.recording import SCHEMA
from tickerlake.sources.yahoo import Yahoo
from tickerlake.stages.extract import extract
from tickerlake.stages.transform import transform

TICKERS: Final = [f"U{number:03}" for number in range(200)]
LAST: Final = date(2013, 3, 1)
SESSIONS: Final = 504
LATENCY: Final = 0.05
RUNS: Final = 3
WORKERS: Final = 8
BUDGET: Final = 20.0
UNLIMITED: Final = 1000.0

P = ParamSpec("P")


def recorded() -> pl.DataFrame:
    """Two years of all tickers (`recording.SCHEMA`)."""
    days = sessions(SESSIONS, LAST)
    return pl.concat(
        bars(days, seed).select(pl.lit(ticker).alias("ticker"), *list(SCHEMA)[1:])
        for seed, ticker in enumerate(TICKERS)
    )


def serve(pipe: Connection) -> None:
    """Replay in this process; for each moment received, send back what was requested before it."""
    with Replay(recorded(), latency=LATENCY) as replay:
        pipe.send(replay.url)
        while moment := pipe.recv():
            pipe.send([path for path, _ in replay.requests])
            replay.requests.clear()
            replay.now = moment


class Served:
    """A replay in a process of its own. A context manager."""

    def __enter__(self) -> Self:
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(theirs,))
        self._process.start()
        self.url = self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join()

    def at(self, moment: datetime) -> list[str]:
        """Set the clock; return the paths requested since the last call."""
        self._pipe.send(moment)
        return self._pipe.recv()


@dataclass(frozen=True)
class Run:
    """The seconds of a run, and its requests."""

    seconds: float
    charts: int
    others: int


def run(served: Served, day: date, work: Callable[P, float], *args: P.args) -> Run:
    """Run a function that returns its seconds, in its own process, on the evening of a day."""
    served.at(evening(day))
    seconds = alone(work, *args)
    paths = served.at(evening(day))
    charts = sum(path.startswith(CHART) for path in paths)
    return Run(seconds, charts, len(paths) - charts)


def with_tickerlake(url: str, folder: Path, start: date, end: date, rate: float) -> float:
    """Seconds to bring a lake up to date on the evening of the last session."""
    from tickerlake.stages import delivery  # noqa: F401 - loaded before the clock, like all libraries

    opened = create_lake(str(folder), "year")
    with Yahoo(url=url, requests_per_second=rate, workers=WORKERS) as yahoo:
        began = time.perf_counter()
        report = extract(opened, yahoo, TICKERS, as_of=evening(end), start=start, workers=WORKERS)
        seconds = time.perf_counter() - began
    assert report.exit_code == 0, report
    transform(opened)
    return seconds


def with_download(replay: str, folder: Path, start: date, end: date, rows: int) -> float:
    """Seconds to download the sessions in [start, end]; the folder is for yfinance's cache."""
    import yfinance
    from curl_cffi.requests import Session

    class Redirected(Session):  # type: ignore[type-arg]
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
            path = urlsplit(url)._replace(scheme="", netloc="").geturl() or "/"
            return super().request(method, replay + path, *args, **kwargs)

    warnings.simplefilter("ignore")  # of pandas, for what yfinance does
    yfinance.set_tz_cache_location(str(folder))
    session = Redirected(impersonate="chrome", trust_env=False)
    # without a cookie, which the replay can't set, it would ask for one before every chart
    yfinance.data.YfData(session=session).set_login_cookies("replay", "replay")
    began = time.perf_counter()
    frame = yfinance.download(
        TICKERS,
        start=start,
        end=end + timedelta(days=1),
        threads=True,
        auto_adjust=False,
        actions=True,
        progress=False,
        session=session,
    )
    seconds = time.perf_counter() - began
    assert frame["Close"].shape == (rows, len(TICKERS))
    assert frame["Close"].notna().all(axis=None)
    return seconds


def line(name: str, runs: list[Run], per: float, unit: str) -> None:
    """Print a row of the table."""
    seconds = statistics.median(each.seconds for each in runs)
    charts = {each.charts / len(TICKERS) for each in runs}
    others = {each.others for each in runs}
    counts = "/".join(f"{count:g}" for count in sorted(charts))
    print(
        f"  {name:24}{counts:>10}{'/'.join(map(str, sorted(others))):>10}"
        f"{seconds:10.2f}{seconds / per:9.2f}{unit}"
    )


def main() -> None:
    days = alone(sessions, SESSIONS, LAST).to_list()
    first, before, last = days[0], days[-2], days[-1]
    ours: dict[str, list[Run]] = {name: [] for name in ("first", "next", "again", "paced")}
    peer: dict[str, list[Run]] = {"first": [], "next": []}
    with tempfile.TemporaryDirectory() as folder, Served() as served:
        for number in range(RUNS):
            at = Path(folder, f"lake{number}")
            for name, end in (("first", before), ("next", last), ("again", last)):
                args = served.url, at, first, end, UNLIMITED
                ours[name].append(run(served, end, with_tickerlake, *args))
            for name, start, end in (("first", first, before), ("next", last, last)):
                cache = Path(folder, f"cache{number}{name}")
                cache.mkdir()
                args = served.url, cache, start, end, SESSIONS - 1 if name == "first" else 1
                peer[name].append(run(served, end, with_download, *args))
            args = served.url, Path(folder, f"paced{number}"), first, last, BUDGET
            ours["paced"].append(run(served, last, with_tickerlake, *args))
    print(f"{len(TICKERS)} tickers, {LATENCY * 1000:.0f} ms per request; median of {RUNS} runs\n")
    print(f"{'':26}{'charts':>10}{'other':>10}")
    print(f"{'':26}{'per ticker':>10}{'requests':>10}{'seconds':>10}{'ratio':>10}")
    for title, mine, other in (
        (f"{SESSIONS - 1} sessions", "first", "first"),
        ("the next session", "next", "next"),
        ("again, nothing is new", "again", "next"),
    ):
        reference = statistics.median(each.seconds for each in ours[mine])
        print(title)
        line("tickerlake", ours[mine], reference, "x")
        line("yf.download", peer[other], reference, "x")
    print(f"{SESSIONS} sessions, {BUDGET:g} requests per second; ratio: to tickers / budget")
    line("tickerlake", ours["paced"], len(TICKERS) / BUDGET, "x")


if __name__ == "__main__":
    main()
