"""Processes that extract and transform, and are killed again and again.

`TICKERLAKE_LONG_TESTS=1` kills 40 or 50 times.
"""

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from helpers import new_lake, until
from small_market import SESSIONS, TICKERS, Steady, evening, fetch, in_turn, prices, state

from tickerlake.lake import Lake, disk, manifests, open_lake
from tickerlake.stages import extract, transform, verify

LONG: Final = bool(os.environ.get("TICKERLAKE_LONG_TESTS"))
KILLS: Final = 40 if LONG else 6
DAYS: Final = SESSIONS[3:]
TESTS: Final = Path(__file__).parents[1]


def live(lake: Lake, days: list) -> None:
    """Extract and transform day by day."""
    for day in days:
        source, as_of = Steady(day), evening(day)
        extract.extract(lake, source, TICKERS, as_of=as_of, start=SESSIONS[0], workers=2)
        transform.transform(lake)


PROCESS: Final = """
import sys, time
sys.path[:0] = sys.argv[2:]
from test_kill import DAYS, live
from tickerlake.lake import open_lake
lake = open_lake(sys.argv[1])
print("ready", flush=True)
while True:
    live(lake, DAYS)
"""


def start(lake: Lake) -> subprocess.Popen[bytes]:
    folders = (str(TESTS), str(TESTS / "invariants"))
    command = [sys.executable, "-c", PROCESS, lake.store.url, *folders]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_processes_that_are_killed_at_any_moment_make_no_difference(tmp_path):
    dice = random.Random(1)
    lake = new_lake(str(tmp_path / "lake"), "month")
    reference = new_lake("memory://", "month")
    live(reference, DAYS)
    processes = [start(lake), start(lake)]
    ends = []
    try:
        for kill in range(KILLS):
            process = processes[kill % 2]
            assert process.stdout.readline() == b"ready\n"
            time.sleep(dice.uniform(0, 1.5))
            process.kill()
            ends.append(process.wait())
            process.stdout.close()
            processes[kill % 2] = start(lake)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
    assert ends == [-9] * KILLS
    live(lake, DAYS[-2:])
    assert transform.transform(lake, engine=in_turn).exit_code == 0
    assert verify.verify(lake, workers=2) == []
    assert manifests.pending_ids(lake.store) == []
    assert prices(state(lake)) == prices(state(reference))
    open_lake(lake.store.url).store.put("_written", b"by the next process that writes")
    staging = Path(lake.store.url, disk.STAGING)
    assert until(lambda: not list(staging.iterdir())), "what the killed ones left is removed"


# ---- what other engines see of a transform that was killed


def transform_at(url: str, ready: Event) -> None:
    lake = open_lake(url)
    ready.set()
    transform.transform(lake)


KEYS: Final = pa.schema([("date", pa.string()), ("ticker", pa.string())])
ROW: Final = ["ticker", "session"]


def by_engine(folder: str) -> dict[str, list[tuple]]:
    """The rows of `daily` as engines find them that read whole folders."""
    keys = ds.partitioning(KEYS, flavor="hive")
    files = f"{folder}/**/*.parquet"
    by_pyarrow = ds.dataset(folder, partitioning=keys).to_table(columns=ROW)
    by_pandas = pd.read_parquet(folder, partitioning=keys, columns=ROW)
    by_polars = pl.scan_parquet(files, hive_schema={"date": pl.String, "ticker": pl.String})
    by_duckdb = duckdb.sql(
        f"select ticker, session from read_parquet('{files}', hive_partitioning = true,"
        " hive_types = {'date': varchar, 'ticker': varchar})"
    )
    return {
        "PyArrow": pl.from_arrow(by_pyarrow).rows(),
        "pandas": list(by_pandas.itertuples(index=False, name=None)),
        "Polars": by_polars.select(ROW).collect().rows(),
        "DuckDB": by_duckdb.fetchall(),
    }


def test_no_reader_counts_a_row_twice_when_a_transform_was_killed(tmp_path):
    dice = random.Random(2)
    before = new_lake(str(tmp_path / "before"), "day")
    fetch(before, SESSIONS[20], ["T0"])
    assert transform.transform(before).exit_code == 0
    fetch(before, SESSIONS[20], ["T1"])  # new partitions
    fetch(before, SESSIONS[-1], ["T0"])  # a split: all partitions are replaced
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tickerlake.stages.transform", "tickerlake.engines.local"])
    ends = []
    for _ in range(50 if LONG else 3):
        lake = open_lake(str(shutil.copytree(before.store.url, tmp_path / f"lake-{len(ends)}")))
        folder = f"{lake.store.url}/refined/daily"
        ready = context.Event()
        process = context.Process(target=transform_at, args=(lake.store.url, ready))
        process.start()
        assert ready.wait(60)
        time.sleep(dice.uniform(0, 0.5))
        process.kill()
        process.join()
        ends.append(process.exitcode)
        for engine, rows in by_engine(folder).items():
            assert 21 <= len(rows) == len(set(rows)), engine
        assert transform.transform(lake).exit_code == 0
        for engine, rows in by_engine(folder).items():
            assert len(rows) == len(set(rows)) == 21 + len(SESSIONS), engine
        assert not list(Path(lake.store.url, disk.STAGING).iterdir())
        shutil.rmtree(lake.store.url)
    assert -9 in ends
