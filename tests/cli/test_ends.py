"""However a command ends, a user reads a sentence, and a script gets an exit code."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from helpers import tickerlake

from tickerlake import logs, reads
from tickerlake.cli import main
from tickerlake.errors import AllFailedError, NoLakeError, UsageError
from tickerlake.universe import read_universe

COMMAND = [sys.executable, "-m", "tickerlake"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    lake = str(tmp_path_factory.mktemp("ends") / "lake")
    done = tickerlake("run", "--offline", "FB", "--grain", "year", "--lake", lake)
    assert done.returncode == 0
    return lake


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError("bad"), ZeroDivisionError()], ids=repr
)
def test_an_unexpected_error_is_a_sentence(monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(reads, "status", fail)
    done = tickerlake("status")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [record] = map(json.loads, done.stderr.splitlines())
    assert type(error).__name__ in record["message"]
    assert "--log-level DEBUG" in record["message"]
    done = tickerlake("--log-level", "DEBUG", "status")
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("it is wrong"), 2, "Error: it is wrong"),
        (NoLakeError("none"), 1, "Error: none"),
        (AllFailedError("all"), 1, "Error: all"),
        (BrokenPipeError(), 141, ""),
        (OSError(errno.ENOSPC, "No space left"), 1, "the output can't be written: No space left"),
        (OSError(errno.ENOSPC, "No space left", "/x"), 1, "Error: /x: No space left"),
        (OSError(errno.EIO, "Input/output error"), 1, "Error: Input/output error"),
        (MemoryError(), 1, "Error: there is not enough memory"),
        (click.UsageError("typed wrongly"), 2, "Error: typed wrongly"),
        (ValueError("x"), 1, "Error: unexpected ValueError: x. This is a bug"),
    ],
    ids=repr,
)
def test_every_end_has_its_code_and_its_sentence(monkeypatch, error, code, words):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(reads, "status", fail)
    monkeypatch.setattr(logs, "is_terminal", lambda: True)
    done = tickerlake("status")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in click.unstyle(done.stderr)
    assert bool(done.stderr) == bool(words)


def test_letters_that_a_stream_does_not_have_are_replaced(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    with pytest.raises(SystemExit):
        main(["--version"])
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert (sys.stdout.errors, sys.stderr.errors) == ("replace", "replace")


def test_a_panic_of_a_library_is_a_sentence(monkeypatch):
    class PanicException(BaseException):  # as Rust's bindings declare it
        pass

    def panic(*_: object) -> None:
        raise PanicException("not yet implemented")

    monkeypatch.setattr(reads, "status", panic)
    done = tickerlake("status")
    assert done.returncode == 1
    assert "not yet implemented" in done.stderr


def test_a_full_disk_is_a_sentence(lake):
    for arguments in (["status", "--lake", lake], ["--help"], ["--version"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["query", "select * from daily", "--format", "csv"], ["--help"], ["status"]],
    ids=str,
)
def test_a_closed_pipe_ends_the_command_in_silence(lake, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "TICKERLAKE_LAKE": lake},
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_is_no_error(lake, closed):
    script = f'exec {closed}>&-; exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *COMMAND, "status", "--lake", lake],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_a_terminal_of_other_letters_is_no_error(lake):
    done = subprocess.run(
        [*COMMAND, "status", "--lake", lake],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert b"FB" in done.stdout


def test_an_address_that_is_taken():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = tickerlake("replay", "--port", port)
    assert done.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr


# ---- universes


def universe(folder: Path, content: bytes) -> str:
    file = folder / "universe.txt"
    file.write_bytes(content)
    return str(file)


def test_a_byte_order_mark_is_no_part_of_a_symbol(tmp_path):
    file = universe(tmp_path, b"\xef\xbb\xbfFB\r\n")
    assert read_universe(file) == ["FB"]


def test_of_many_bad_lines_the_first_are_named(tmp_path):
    lines = "".join(f"line {number} !!\n" for number in range(50_000))
    done = tickerlake("run", "--offline", "--universe", universe(tmp_path, lines.encode()))
    assert done.returncode == 2
    assert "'line 0 !!'" in done.stderr
    assert "49,995 more" in done.stderr
    assert len(done.stderr) < 1000


def test_a_long_bad_line_is_cut(tmp_path):
    done = tickerlake("run", "--offline", "--universe", universe(tmp_path, b"x" * 1_000_000))
    assert done.returncode == 2
    assert len(done.stderr) < 1000


@pytest.mark.parametrize("content", [b"\xff\xfe\x00A", b"\x00\x01"], ids=["UTF-16", "binary"])
def test_a_file_that_is_no_universe(tmp_path, content):
    done = tickerlake("run", "--offline", "--universe", universe(tmp_path, content))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("place", ["s3://no-such-bucket/universe.txt", "s3://no-such-bucket"])
def test_a_universe_of_a_missing_bucket(place):
    done = tickerlake("run", "--offline", "--universe", place)
    assert done.returncode == 2
    assert place in done.stderr


def test_a_transform_of_which_every_ticker_failed_fails(tmp_path):
    lake = tmp_path / "lake"
    words = ["FB", "--offline", "--grain", "year", "--lake", str(lake)]
    assert tickerlake("extract", *words).returncode == 0
    for blob in (lake / "raw").glob("date=*/*/*.parquet"):
        blob.write_bytes(b"garbage")
    done = tickerlake("transform", "--lake", str(lake))
    assert done.returncode == 1
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["error"] == "AllFailedError"
    assert "`tickerlake repair`" in last["message"]
    assert "Traceback" not in done.stderr
