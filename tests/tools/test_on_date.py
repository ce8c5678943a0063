"""Another day for a command and for the processes that it starts."""

import subprocess
import sys
from datetime import date

import on_date
import pytest

SAY = "import datetime, time; print(datetime.date.today(), time.gmtime().tm_year)"
NESTED = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SAY!r}], check=True)"


@pytest.mark.parametrize("script", [SAY, NESTED], ids=["itself", "a process of its own"])
@pytest.mark.parametrize("day", ["2024-02-29", "2031-03-12"])
def test_the_clock_says_that_day(day, script, capfd):
    assert on_date.run(date.fromisoformat(day), [sys.executable, "-c", script]) == 0
    assert capfd.readouterr().out.split() == [day, day[:4]]


def test_the_exit_code_is_the_commands():
    assert on_date.run(date(2031, 3, 12), [sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_what_was_on_the_path_stays(monkeypatch, tmp_path):
    (tmp_path / "found.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert on_date.run(date(2031, 3, 12), [sys.executable, "-c", "import found"]) == 0


def test_the_script_takes_a_day_and_a_command():
    words = [sys.executable, on_date.__file__, "2027-02-15", sys.executable, "-c", SAY]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.startswith(
        "2027-02-15"
    )
