"""Tables as text, for people: what fits is shown whole, and what is not shown is counted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import zip_longest
from typing import Any, Final

MOST_ROWS: Final = 40
GAP: Final = "  "

_FIXED: Final = range(-5, 15)
"""The powers of ten of numbers that are written without an exponent."""


@dataclass(frozen=True)
class Column:
    """A column as text; numbers are aligned on the right."""

    name: str
    cells: Sequence[str]
    is_number: bool = False

    @cached_property
    def width(self) -> int:
        """How many cells of a terminal it takes."""
        return max(
            map(_width, (line for cell in (self.name, *self.cells) for line in _lines(cell)))
        )

    def padded(self, text: str) -> str:
        """Return a cell's text as wide as the column."""
        space = " " * (self.width - _width(text))
        return space + text if self.is_number else text + space


def column(name: str, values: Sequence[Any], *, is_number: bool | None = None) -> Column:
    """Return a column of values as text."""
    if is_number is None:
        is_number = any(isinstance(value, (int, float)) for value in values)
    return Column(clean(name), [clean(text(value)) for value in values], is_number)


def text(value: object) -> str:
    """Return a value as a person reads it; a float to six significant digits.

    >>> [text(value) for value in (430.4700001, 1234567.891, 1.5e-7, 138112400, None, True)]
    ['430.47', '1234568', '1.5e-07', '138112400', '', 'true']
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            short = f"{value:.6g}"
            exponent = int(short.partition("e")[2] or 0)
            return f"{value:.0f}" if exponent > 0 and exponent in _FIXED else short
        case datetime():
            return value.isoformat(" ")
        case _:
            return str(value)


def clean(cell: str) -> str:
    r"""Return text with characters that would move a terminal's cursor escaped, except line breaks.

    >>> clean("a\x1b[31mb\tc")
    'a\\x1b[31mb\\tc'
    """
    return "".join(
        each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in cell
    )


def render(columns: Sequence[Column], *, width: int | None = None) -> str:
    """Return a table of the first columns that fit into a width (None: all), at least one."""
    shown = columns[: fitting(columns, width)]
    lines = [[each.padded(each.name) for each in shown], ["─" * each.width for each in shown]]
    for row in zip(*(each.cells for each in shown), strict=True):
        lines += [
            [each.padded(part) for each, part in zip(shown, parts, strict=True)]
            for parts in zip_longest(*(_lines(cell) for cell in row), fillvalue="")
        ]
    return "\n".join(GAP.join(line).rstrip() for line in lines)


def fitting(columns: Sequence[Column], width: int | None) -> int:
    """Return how many of the columns fit into a width."""
    if width is None:
        return len(columns)
    taken = 0
    for number, each in enumerate(columns):
        taken += each.width + (len(GAP) if number else 0)
        if taken > width and number:
            return number
    return len(columns)


def render_vertical(columns: Sequence[Column]) -> str:
    """Return rows one below the other, one value per line."""
    longest = max(_width(each.name) for each in columns)
    return "\n".join(_vertical(columns, longest))


def _vertical(columns: Sequence[Column], longest: int) -> Iterator[str]:
    for number, row in enumerate(zip(*(each.cells for each in columns), strict=True), start=1):
        yield f"─── row {number} ───"
        for each, cell in zip(columns, row, strict=True):
            first, *more = _lines(cell)
            yield f"{' ' * (longest - _width(each.name))}{each.name}{GAP}{first}".rstrip()
            yield from (f"{' ' * longest}{GAP}{line}" for line in more)


def _lines(cell: str) -> list[str]:
    return cell.splitlines() or [""]


def _width(line: str) -> int:
    try:
        from rich.cells import cell_len
    except ImportError:  # then only wide letters stand out of line
        return len(line)
    return cell_len(line)
