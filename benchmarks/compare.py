"""This checkout against another one: processor time, wall time and requests of a day and a rebuild.

`python benchmarks/compare.py OTHER_CHECKOUT [TICKERS] [YEARS] [RUNS]`, for example a worktree of an
older commit. Each measurement is taken in a process of its own, on a lake that its own checkout has
made, and both checkouts take turns in one run, as other work on the machine slows both. Libraries
are loaded before the clock starts. CPU is user and system time of the process. A quiet day brings
one session, and none of its bars corrects another one. Listed are the best of some runs.

    disk      a folder lake, grain `year`
    S3        the same on a stand-in that answers after 30 ms (`s3_stub.py`)
    rebuild   on disk, from raw alone, with no history and no partition
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

HERE: Final = Path(__file__).parents[1]
PORT: Final = 9517
MILLISECONDS: Final = 30
URL: Final = f"http://127.0.0.1:{PORT}"
DAYS: Final = 1


# ---- in the process of a checkout


def child(what: str, folder: str, tickers: int, years: int) -> None:
    """Make a lake, or bring a day in, with what the checkout's own benchmark does."""
    sys.path.pop(0)  # this folder: the checkout's own follow
    import increment

    increment.TICKERS[:] = increment.TICKERS[:tickers]
    count = increment.SESSIONS_A_YEAR * years
    if what == "make":
        increment.make(Path(folder), count, without=DAYS)
        return
    session = increment.sessions(DAYS)[-1]
    # the whole walk: a shorter one of an older checkout has other numbers, which are corrections
    source, memory = increment.Memory(increment.sessions(count)), increment.Memory
    increment.Memory = lambda _: source
    warm_up(increment)
    increment.Memory = memory
    connect = getattr(increment, "open_lake", None) or increment.lake.connect
    opened = connect(folder)
    days = {"as_of": increment.evening(session), "start": session, "workers": 8}
    found: dict[str, Any] = {}
    if what == "day":
        work = lambda: increment.extract(opened, source, increment.TICKERS, **days)  # noqa: E731
        found["extract"] = measured(work, folder)
        newest = increment.manifests.all_ids(opened.store)[-1]
        delivered = increment.manifests.read(opened.store, newest).tickers.values()
        assert {(each.new, each.corrected) for each in delivered} == {(1, 0)}
    requests(folder)
    work = lambda: increment.transform(opened, rebuild=what == "rebuild")  # noqa: E731
    found["transform"] = measured(work, folder)
    found["memory"] = increment.peak_memory() / 1e6
    print(json.dumps(found))


def warm_up(increment: Any) -> None:
    """Load what a day loads, by a day of one ticker."""
    names, increment.TICKERS[:] = increment.TICKERS[:], increment.TICKERS[:1]
    with tempfile.TemporaryDirectory() as at:
        increment.make(Path(at, "lake"), 30, without=DAYS)
    increment.TICKERS[:] = names


def measured(work: Any, folder: str) -> dict[str, Any]:
    requests(folder)
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    found = {"wall": time.perf_counter() - begin, "cpu": time.process_time() - cpu}
    return found | {"requests": requests(folder)}


def requests(folder: str) -> dict[str, int]:
    if not folder.startswith("s3://"):
        return {}
    with urlopen(f"{URL}/__counts") as answer:  # noqa: S310
        found: dict[str, int] = json.load(answer)
    return found


# ---- the comparison


def run(checkout: Path, *words: object) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{checkout / 'jobs'}:{checkout / 'benchmarks'}",
        "AWS_ENDPOINT_URL": URL, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    command = [sys.executable, __file__, "--child", *map(str, words)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else {}


@contextmanager
def s3() -> Iterator[None]:
    command = [sys.executable, str(Path(__file__).with_name("s3_stub.py"))]
    process = subprocess.Popen([*command, str(PORT), str(MILLISECONDS)])
    try:
        for _ in range(100):
            try:
                urlopen(f"{URL}/__counts").close()  # noqa: S310
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()


def upload(folder: Path, bucket: str) -> None:
    def put(file: Path) -> None:
        url = f"{URL}/{bucket}/{file.relative_to(folder)}"
        urlopen(Request(url, file.read_bytes(), method="PUT")).close()  # noqa: S310

    files = [each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(".")]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(put, files))


def best(found: list[dict[str, Any]], *path: str) -> float:
    return min(float(reduce(lambda each, name: each[name], path, each)) for each in found)


def main() -> None:
    other, rest = Path(sys.argv[1]).resolve(), [int(each) for each in sys.argv[2:]]
    tickers, years, runs = [*rest, *(500, 10, 3)[len(rest) :]]
    sides = {"this": HERE, "other": other}
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as at, s3():
        for side, checkout in sides.items():
            run(checkout, "make", Path(at, side), tickers, years)
        for number in range(runs):
            for way in ("disk", "rebuild", "S3"):
                for side, checkout in sides.items():
                    one = measure(way, checkout, Path(at, side), f"{side}{number}", tickers, years)
                    found.setdefault((way, side), []).append(one)
    report(found, tickers, years, runs)


def measure(
    way: str, checkout: Path, lake: Path, name: str, tickers: int, years: int
) -> dict[str, Any]:
    if way == "S3":
        upload(lake, name)
        return run(checkout, "day", f"s3://{name}", tickers, years)
    copy = lake.with_name(name)
    shutil.copytree(lake, copy)
    if way == "rebuild":
        for each in ("history", "refined", "tickers"):
            shutil.rmtree(copy / each, ignore_errors=True)
    try:
        return run(checkout, "rebuild" if way == "rebuild" else "day", copy, tickers, years)
    finally:
        shutil.rmtree(copy)


def report(
    found: dict[tuple[str, str], list[dict[str, Any]]], tickers: int, years: int, runs: int
) -> None:
    load = os.getloadavg()[0]
    print(f"{tickers} tickers x {years} years; best of {runs} runs; load {load:.1f} at the end\n")
    print(f"{'':34}{'this':>10}{'other':>10}{'ratio':>8}")
    for way, stage, unit in (
        *((way, stage, unit) for way in ("disk", "S3") for stage in ("extract", "transform")
          for unit in ("cpu", "wall")),
        ("rebuild", "transform", "cpu"), ("rebuild", "transform", "wall"),
    ):  # fmt: skip
        ours, theirs = (best(found[way, side], stage, unit) for side in ("this", "other"))
        name = f"{way}: {stage}, {unit} s"
        print(f"{name:34}{ours:10.2f}{theirs:10.2f}{ours / theirs:8.2f}")
    ours, theirs = (best(found["disk", side], "memory") for side in ("this", "other"))
    print(f"{'disk: peak memory, MB':34}{ours:10.0f}{theirs:10.0f}{ours / theirs:8.2f}")
    for stage in ("extract", "transform"):
        print(f"\nrequests of {stage} on S3, for each ticker")
        pair = [found["S3", side][0][stage]["requests"] for side in ("this", "other")]
        for name in sorted(pair[0].keys() | pair[1].keys()):
            print(f"  {name:32}" + "".join(f"{each.get(name, 0) / tickers:10.2f}" for each in pair))
        print(f"  {'all':32}" + "".join(f"{sum(each.values()) / tickers:10.2f}" for each in pair))


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
