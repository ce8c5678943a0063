"""Write `docs/cli.md`, the reference of the command line, from the commands themselves.

`python tools/cli_reference.py`
"""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Final

import click

from tickerlake.cli.commands import tickerlake
from tickerlake.cli.operators import OPERATORS

PATH: Final = Path(__file__).parents[1] / "docs" / "cli.md"

_NOT_WRAPPED: Final = "\b\n"
"""How click marks a paragraph whose lines it leaves as they are."""

_INTRODUCTION: Final = """\
# Command line

<!-- generated from jobs/tickerlake/cli by `make docs`; a test fails when it is stale -->

```console
$ tickerlake run --offline                            # no network needed: recorded bars -> ./lake
$ tickerlake query "select * from daily limit 5"
$ tickerlake run AAPL MSFT --lake s3://bucket/lake    # from Yahoo, into a bucket
```

`python -m tickerlake` is the same command. Most options can also be given by an environment
variable; what is typed wins.

Standard output has the answer, standard error the log: readable lines and a progress bar on a
terminal, JSON lines elsewhere. An error is one sentence; `tickerlake --log-level DEBUG ...` shows
where it happened.

| Exit code | Meaning |
| --- | --- |
| 0 | Done. |
| 1 | Failed: the message says why. |
| 2 | Wrong usage: the message says what would be right. |
| 3 | Partly done: some tickers failed. `run` ends with the larger code of its two stages. |
| 128+n | Ended by signal n (130: Ctrl-C, 141: the output pipe was closed). |
"""


def commands(
    command: click.Command = tickerlake, path: tuple[str, ...] = ("tickerlake",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each command and the words that call it, in the order of `--help`."""
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))


def render() -> str:
    """Return the reference as Markdown."""
    sections = [_INTRODUCTION]
    operators = {command.name for command in OPERATORS}
    for path, command in commands():
        if path[1:2] == (OPERATORS[0].name,):
            sections.append("## Commands for operators\n")
        level = "###" if operators.intersection(path[1:2]) else "##"
        sections.append(f"{level} {' '.join(path)}\n")
        sections += _described(path, command)
    return "\n".join(sections)


def _described(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path[-1])
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    yield f"```\n{usage}\n```\n"
    yield f"{_plain(command.help or '')}\n"
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        rows = "\n".join(_row(context, option) for option in options)
        yield f"| Option | Meaning |\n| --- | --- |\n{rows}\n"


def _row(context: click.Context, option: click.Option) -> str:
    record = option.get_help_record(context)
    if record is None:
        raise ValueError(f"{option.name} is hidden")
    names, text = (each.replace("|", "\\|") for each in record)
    return f"| `{names}` | {text} |"


def _plain(text: str) -> str:
    """Return a docstring's paragraphs, each in one piece; one that is not wrapped is a list."""
    return "\n\n".join(
        _list(part) if part.startswith(_NOT_WRAPPED) else " ".join(part.split())
        for part in cleandoc(text).split("\n\n")
    )


def _list(part: str) -> str:
    names = (line.split(maxsplit=1) for line in part.removeprefix(_NOT_WRAPPED).splitlines())
    return "\n".join(f"- `{name}`: {meaning}" for name, meaning in names)


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
