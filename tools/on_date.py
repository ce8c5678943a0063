"""Run a command on another day: `python tools/on_date.py 2031-03-12 pytest tests/cli`.

The command, and every Python process that it starts, takes this moment of that day for now; the
clock goes on from there. What is not Python keeps today: servers, DuckDB's `now()`, files' times.
"""

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_AHEAD: Final = "ON_DATE_DAYS_AHEAD"

_AT_START: Final = f"""\
import os
import time

import time_machine

ahead = int(os.environ["{_AHEAD}"]) * 86_400
time_machine.travel(time.time() + ahead, tick=True).start()
"""


def run(day: date, command: list[str]) -> int:
    """Run a command on a day; its exit code."""
    with TemporaryDirectory() as folder:
        # Python imports it at its start
        Path(folder, "sitecustomize.py").write_text(_AT_START)
        found = os.environ.get("PYTHONPATH")
        # what runs this may itself be on another day
        ahead = int(os.environ.get(_AHEAD, "0")) + (day - datetime.now(UTC).date()).days
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([folder, *([found] if found else [])]),
            _AHEAD: str(ahead),
        }
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(run(date.fromisoformat(sys.argv[1]), sys.argv[2:]))
