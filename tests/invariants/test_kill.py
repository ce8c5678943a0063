"""Two processes that extract and transform at the same time, and are killed again and again.

`TICKERLAKE_LONG_TESTS=1` kills 40 times.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from helpers import new_lake, until
from small_market import SESSIONS, TICKERS, Steady, evening, in_turn, prices, state

from tickerlake.lake import Lake, disk, manifests, open_lake
from tickerlake.stages import extract, transform, verify

KILLS: Final = 40 if os.environ.get("TICKERLAKE_LONG_TESTS") else 6
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
