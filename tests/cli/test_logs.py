"""Log lines and the progress bar: one console, so that they never share a line."""

import logging
import os
import pty
import subprocess
import sys

import pytest
from helpers import tickerlake

from tickerlake import logs, progress
from tickerlake.cli import output
from tickerlake.progress import logged


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(logs, "is_terminal", lambda: True)
    root, level = logging.getLogger(), logging.getLogger("tickerlake").level
    handlers = root.handlers[:]
    yield
    root.handlers[:] = handlers
    logging.getLogger("tickerlake").setLevel(level)


@pytest.mark.usefixtures("terminal")
def test_one_console_serves_both(monkeypatch):
    from rich.progress import Progress

    consoles = []
    begin = Progress.__init__

    def record(self, *columns, console, **options):
        consoles.append(console)
        begin(self, *columns, console=console, **options)

    monkeypatch.setattr(Progress, "__init__", record)
    logs.setup("WARNING")
    with output.progress_of("extract") as advance:
        advance(1, 2)
    [handler] = logging.getLogger().handlers
    assert consoles == [handler.console] == [logs.console()]


@pytest.mark.usefixtures("terminal")
def test_the_bar_moves_until_the_first_ticker_has_ended(monkeypatch):
    from rich.progress import Progress

    totals = []
    monkeypatch.setattr(Progress, "update", lambda *_, **fields: totals.append(fields["total"]))
    with output.progress_of("extract") as advance:
        for ended in range(3):
            advance(ended, 2)
    assert totals == [None, 2, 2]  # a bar without a total pulses


def test_without_a_terminal_the_log_says_how_far_it_is(caplog):
    """A line a minute at most, none at the beginning or the end."""
    caplog.set_level(logging.INFO, "tickerlake")
    seconds = iter([0, 0, 30, 60, 90, 125, 200])
    note = logged("extract", lambda: next(seconds))
    for ended in (0, 500, 1_000, 1_500, 2_000, 3_000):
        note(ended, 3_000)
    assert [record.getMessage() for record in caplog.records] == [
        "extract: 1,000 of 3,000 tickers done, some 2 min left",
        "extract: 2,000 of 3,000 tickers done, some 1 min left",
    ]
    assert [(record.done, record.of) for record in caplog.records] == [
        (1_000, 3_000),
        (2_000, 3_000),
    ]


def test_the_log_says_how_far_it_is_when_nobody_knows_how_much_there_is(caplog):
    caplog.set_level(logging.INFO, "tickerlake")
    seconds = iter([0, 61])
    logged("transform", lambda: next(seconds))(1_234, None)
    assert [record.getMessage() for record in caplog.records] == ["transform: 1,234 tickers done"]


def test_a_command_without_a_terminal_logs_its_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    lake = str(tmp_path / "lake")
    done = tickerlake("run", "--offline", "FB", "IBM", "--grain", "year", "--lake", lake)
    assert '"extract: 1 of 2 tickers done, some 1 min left"' in done.stderr


def test_on_a_terminal_a_warning_has_its_line(tmp_path):
    """What a user sees: every warning begins where a line begins, whatever the bar does."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tickerlake", "run", "--offline", "FB", "NOPE"]
    process = subprocess.Popen(
        [*command, "--grain", "year", "--lake", str(tmp_path / "lake")],
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    assert process.wait() == 3
    screen = draw(shown.decode())
    [line] = [line for line in screen if "NOPE: unknown_symbol" in line and "WARNING" in line]
    assert "━" not in line, "a bar and a warning in one line"
    assert not any("━" in line for line in screen), "the bar is gone in the end"


def draw(text: str) -> list[str]:
    """What a terminal shows in the end: the few commands that rich uses are obeyed."""
    import re

    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif part == "\r":
            column = 0
        elif part.startswith("\x1b["):
            number = int(re.sub(r"\D", "", part) or 1)
            if part[-1] == "A":
                row = max(0, row - number)
            elif part == "\x1b[2K":
                lines[row] = ""
        else:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return lines
