"""What is written down twice is the same twice."""

import re
import subprocess
import sys
from pathlib import Path

import exchange_calendars
import pandas as pd
import pytest

from tickerlake import errors

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


def export(*arguments: str) -> list[str]:
    """Requirements as exported from the lock file, without the comment that has the command."""
    done = subprocess.run(
        [UV, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return uncommented(done.stdout)


def uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    "file",
    [
        "requirements.txt",
        "images/extractor/requirements.txt",
        "images/transformer/requirements.txt",
    ],
)
def test_requirements_are_those_of_the_lock_file(file):
    text = (ROOT / file).read_text()
    options = re.findall(r"--(?:prune|extra) \S+", text.splitlines()[1])
    assert uncommented(text) == export(*" ".join(options).split()), "run `make lock`"


def test_every_error_stands_in_the_tree_that_the_module_opens_with():
    tree = errors.__doc__
    for name in dir(errors):
        error = getattr(errors, name)
        if isinstance(error, type) and issubclass(error, errors.TickerlakeError):
            assert re.search(rf"\b{name}\b", tree), name
            if f"{name} " in tree and (code := re.search(rf"{name} +exit code (\d)", tree)):
                assert error.exit_code == int(code[1])


def test_make_help_lists_every_target():
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    [phony] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


@pytest.mark.parametrize("script", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.name)
def test_entry_scripts_hold_no_logic(script):
    text = script.read_text()
    assert "\ndef " not in text
    assert len(text.splitlines()) < 25


def test_default_holidays_of_the_silence_alarm_are_the_exchanges():
    text = (ROOT / "infra" / "variables.tf").read_text()
    _, _, holidays = text.partition('variable "holidays"')
    listed = re.findall(r'"(\d{4}-\d\d-\d\d)"', holidays)
    first, last = f"{listed[0][:4]}-01-01", f"{listed[-1][:4]}-12-31"
    weekdays = pd.bdate_range(first, last)
    exchange = exchange_calendars.get_calendar("XNYS", start=first, end=last)
    closed = weekdays.difference(exchange.sessions)
    assert listed == [f"{day:%Y-%m-%d}" for day in closed]
