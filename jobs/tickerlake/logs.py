"""Logging: rich on a terminal, JSON lines everywhere else."""

import logging
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> "Console":
    """Return the console of standard error, the same for log lines and progress bars.

    Because both use one console, log lines appear above the bar instead of inside it.
    """
    from rich.console import Console

    return Console(stderr=True)


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def setup(level: str) -> None:
    """Send the package's records to standard error.

    Args:
        level: a level's name, for example `INFO`.
    """
    handler: logging.Handler
    if is_terminal():
        from rich.logging import RichHandler

        handler = RichHandler(console=console(), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(json_formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("tickerlake").setLevel(level)


def json_formatter() -> logging.Formatter:
    """Return what writes a record as one line of JSON."""
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )
