"""What a start costs: commands that have nothing to do, in CPU seconds, and what they load.

`python benchmarks/startup.py [--peer WORKTREE]`; about a minute. Each command is a process of its
own, alternately on both sides, in a lake of the recording's five tickers that is up to date. CPU
seconds are user and system of the whole process. The peer is a worktree of another commit.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

COMMANDS: Final = (
    ("--version",),
    ("--help",),
    ("run", "--offline"),
    ("extract", "--offline"),
    ("transform",),
)
HEAVY: Final = (
    "yfinance", "pandas", "exchange_calendars", "polars", "numpy", "pyarrow", "talib", "pydantic",
)  # fmt: skip
RUNS: Final = 5
ENTRY: Final = "from tickerlake.cli import main; main()"


def environment(jobs: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(jobs)}


def cpu(folder: Path, jobs: Path, command: tuple[str, ...]) -> float:
    """CPU seconds of a command, in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, *command],
        cwd=folder,
        env=environment(jobs),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def loaded(folder: Path, jobs: Path, command: tuple[str, ...]) -> list[str]:
    """The heavy libraries that a command loads."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.__stderr__))\n" + ENTRY
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=folder,
        env=environment(jobs),
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(done.stderr.splitlines()[-1].split())
    return [name for name in HEAVY if name in modules]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path)
    asked = parser.parse_args()
    sides = {"tickerlake": Path(__file__).parents[1] / "jobs"}
    if asked.peer:
        sides["the peer"] = asked.peer / "jobs"
    found: dict[tuple[str, ...], dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place, name) for name in sides}
        for name, jobs in sides.items():
            folders[name].mkdir()
            cpu(folders[name], jobs, ("run", "--offline", "--grain", "year"))
        for _ in range(RUNS):
            for command in COMMANDS:
                for name, jobs in sides.items():
                    seconds = cpu(folders[name], jobs, command)
                    found.setdefault(command, {}).setdefault(name, []).append(seconds)
        loads = {
            each: loaded(folders["tickerlake"], sides["tickerlake"], each) for each in COMMANDS
        }
    print(f"CPU seconds, median of {RUNS} runs; load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':20}" + "".join(f"{name:>12}" for name in sides) + "   ratio  loads")
    for command, times in found.items():
        ours, *peers = (statistics.median(times[name]) for name in sides)
        ratio = f"{ours / peers[0]:8.2f}" if peers else f"{'':8}"
        numbers = "".join(f"{each:12.3f}" for each in (ours, *peers))
        libraries = ", ".join(loads[command]) or "nothing heavy"
        print(f"{' '.join(command):20}{numbers}{ratio}  {libraries}")


if __name__ == "__main__":
    main()
