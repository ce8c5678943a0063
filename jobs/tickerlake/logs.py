"""Logging: text on a terminal, by rich if it is installed; JSON lines everywhere else."""

import logging
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> "Console | None":
    """Return the console of standard error, the same for log lines and progress bars.

    Because both use one console, log lines appear above the bar instead of inside it. None when
    rich, the extra `terminal`, is not installed.
    """
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(stderr=True)


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def setup(level: str) -> None:
    """Send the package's records to standard error.

    Args:
        level: a level's name, for example `INFO`.
    """
    handler: logging.Handler = logging.StreamHandler()
    if not is_terminal():
        handler.setFormatter(json_formatter())
    elif found := console():
        from rich.logging import RichHandler

        handler = RichHandler(console=found, show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("tickerlake").setLevel(level)


def json_formatter() -> logging.Formatter:
    """Return what writes a record as one line of JSON."""
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )
