"""The group of all commands: how they are listed, and how they report a closed pipe."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click


class OutputClosedError(Exception):
    """The reader of standard output has gone."""


class Commands(click.Group):
    """The commands in order of use, those for operators in a section of their own."""

    def __init__(self, *args: Any, operators: Sequence[str], **extra: Any) -> None:
        """Take the names of the operators' commands, and the arguments of every group."""
        super().__init__(*args, **extra)
        self._operators = operators

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - inherited
        """Return the names in the order of their declaration."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lists of commands."""
        names = self.list_commands(ctx)
        width = formatter.width - 6 - max(map(len, names))
        for title, operators in (("Commands", False), ("Commands for operators", True)):
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name, self.commands[name].get_short_help_str(width))
                        for name in names
                        if (name in self._operators) is operators
                    ]
                )

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line, which for `--help` is all there is to do."""
        with _telling_closed_output():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with _telling_closed_output():
            return super().invoke(ctx)


@contextmanager
def _telling_closed_output() -> Iterator[None]:
    """Turn a closed pipe into an error that click does not handle itself."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosedError from error
