"""The command `tickerlake`, and every way in which it can end.

Whatever happens, a user gets a sentence, and a script gets an exit code.
"""

import errno
import logging
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Final

import click

from tickerlake import logs
from tickerlake.cli.commands import tickerlake
from tickerlake.cli.group import OutputClosedError
from tickerlake.errors import TickerlakeError, UsageError

log = logging.getLogger(__name__)

FAILED: Final = 1
USAGE: Final = 2
BY_SIGNAL: Final = 128


def main(arguments: list[str] | None = None) -> None:
    """Run the command; the process's exit code says how it ended.

    Args:
        arguments: the command line without the program's name; None is this process's.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a locale without all letters must not end a command
            stream.reconfigure(errors="replace")
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code = tickerlake.main(arguments, prog_name="tickerlake", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except _Interrupted as interruption:
        # don't wait for requests in flight; what they fetch is fetched again next time
        log.warning("ended by signal %s; what was committed stays", interruption.number)
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(BY_SIGNAL + interruption.number)
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - Polars' panics are not an `Exception`
        return _tell(error)
    return int(code or 0)


def _tell(error: BaseException) -> int:
    """Say what has gone wrong; return the exit code."""
    match error:
        case click.ClickException():
            with suppress(OSError):
                error.show()
            return error.exit_code
        case UsageError():
            _say(f"Error: {error}")
            return error.exit_code
        case TickerlakeError():
            _fail(str(error), error)
            return error.exit_code
        case BrokenPipeError() | OutputClosedError():
            _abandon_output()
            return BY_SIGNAL + signal.SIGPIPE
        case OSError(errno=errno.ENOSPC, filename=None):
            _abandon_output()
            _fail(f"the output can't be written: {error.strerror}", error)
        case OSError(strerror=str(reason)):
            _abandon_output()
            _fail(f"{error.filename}: {reason}" if error.filename else reason, error)
        case MemoryError():
            _fail("there is not enough memory", error)
        case _:
            _fail(
                f"unexpected {type(error).__name__}: {error}. This is a bug in tickerlake;"
                " `tickerlake --log-level DEBUG ...` shows where it is.",
                error,
            )
    return FAILED


def _fail(message: str, error: BaseException) -> None:
    """Say that the command has failed: a sentence on a terminal, otherwise a JSON line."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug("the error's origin:", exc_info=error)
    if logs.is_terminal():
        _say(click.style(f"Error: {message}", fg="red"))
    else:
        log.error("%s", message, extra={"error": type(error).__name__})


def _say(message: str) -> None:
    with suppress(OSError):
        click.echo(message, err=True)


def _abandon_output() -> None:
    """Discard what is still buffered: the interpreter would complain about it when it exits."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Interrupted(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


def _interrupt(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise _Interrupted(number)
