"""`show`: tickers drawn with the letters of a terminal."""

import itertools
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from tickerlake import pictures
from tickerlake.cli import options, tables
from tickerlake.cli.parameters import Text
from tickerlake.errors import BadSettingError, pip_install
from tickerlake.stages import counted, words

if TYPE_CHECKING:
    import polars as pl

    from tickerlake.stages.facts import Facts
    from tickerlake.stages.show import Shown

_NARROWEST: Final = 40
_WIDEST: Final = 120
_PLAIN_WIDTH: Final = 80
_HEIGHT: Final = 14
_TICKS: Final = 5
_SPARK: Final = 24
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII_BLOCKS: Final = " ._-=+*%#"
_NAMED: Final = 3

_Join = Callable[[Sequence[float]], float]


@click.command()
@click.argument("names", nargs=-1, metavar="[TICKER]...")
@options.lake
@options.workers
@options.as_of
@click.option(
    "--period",
    type=Text(),
    default="6mo",
    show_default=True,
    metavar="6mo|2y|ytd|max",
    help="How much to draw, back from the last bar: a number of d, wk, mo or y.",
)
def show(names: tuple[str, ...], lake: str, workers: int, as_of: str | None, period: str) -> None:
    """Draw a ticker: its prices, volume and indicators.

    Several tickers, or none for all that the lake holds, are shown as a table.
    """
    click.echo(drawn(pictures.show(names, period, lake, workers, as_of), period))


def drawn(found: "Sequence[Shown]", period: str) -> str:
    """Return what there is to see of tickers in a period: a portrait of one, or a table."""
    if len(found) == 1:
        return "\n".join(_portrait(found[0], period))
    return _table(found, period) if found else "The lake is empty: `tickerlake run AAPL` fills it."


def _portrait(shown: "Shown", period: str) -> Iterator[str]:
    known = shown.facts
    name = [tables.clean(known.name)] if known.name != known.ticker else []
    parts = [part for part in (*name, known.exchange, known.currency) if part]
    yield click.style(known.ticker, bold=True) + "  " + ", ".join(parts)
    if known.rows.is_empty():
        yield f"No bars: {counted(known.held.quarantined.rows, 'row')} in quarantine."
        return
    yield _last(known)
    yield _range(known)
    yield ""
    yield from _chart(shown.rows, _width())
    yield ""
    yield from _indicators(shown.rows, period)
    yield from _footer(known)
    yield f"stamp     {shown.stamp}"


def _last(known: "Facts") -> str:
    text = f"{words.signed(known.change)} ({words.percent(known.change_ratio)})"
    colour = "green" if (known.change or 0) >= 0 else "red"
    when = f"{known.rows['session'][-1]}, {_behind(known)}"
    change = click.style(text, fg=colour) if known.change is not None else "the first bar"
    return f"{click.style(words.price(known.close), bold=True)}  {change}  {when}"


def _behind(known: "Facts") -> str:
    held = known.held
    if held.retired:
        return f"retired {held.retired}" + (f", now {held.renamed_to}" if held.renamed_to else "")
    if held.behind is None:
        return "not known whether it is up to date"
    return f"{counted(held.behind, 'session')} behind" if held.behind else "up to date"


def _range(known: "Facts") -> str:
    low, high = known.year or (0.0, 0.0)
    room = 30
    where = round(((known.close or 0.0) - low) / (high - low) * room) if high > low else 0
    mark, line = ("o", "-") if _is_ascii() else ("●", "─")
    where = min(max(where, 0), room)
    bar = line * where + mark + line * (room - where)
    return f"52 weeks  {words.price(low)} {bar} {words.price(high)}"


def _chart(rows: "pl.DataFrame", width: int) -> Iterator[str]:
    """Draw closes as a line and volume as blocks, one above the other."""
    closes = rows["close"].to_list()
    low, high = min(closes), max(closes)
    if low == high:  # flat, or one bar: the line is in the middle
        low, high = low - (abs(low) or 1) / 100, high + (abs(high) or 1) / 100
    digits = 3 - math.floor(math.log10(high - low))
    marks = [round(low + (high - low) * step / (_TICKS - 1), digits) for step in range(_TICKS)]
    labels = [words.price(mark) for mark in marks]
    volumes = rows["volume"].to_list()
    most = _largest(volumes)
    margin = max(map(len, [*labels, most])) + 1
    plotext = _plotext()
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.frame(False)
    plotext.plot_size(width, _HEIGHT)
    plotext.plot(list(range(len(closes))), closes, marker="*" if _is_ascii() else "braille")
    plotext.ylim(low, high)
    plotext.yticks(marks, [label.rjust(margin - 1) + " " for label in labels])
    plotext.xticks([])
    lines = plotext.uncolorize(plotext.build()).splitlines()
    yield from (line.rstrip() for line in lines)
    if most:
        high_line, low_line = _blocks(_buckets(volumes, width - margin, max), 2, bottom=0)
        yield " " * margin + high_line.rstrip()
        yield most.rjust(margin - 1) + " " + low_line.rstrip()
    yield _dates(rows, margin, width)


def _largest(volumes: Sequence[int]) -> str:
    return words.large(max(volumes)) if any(volumes) else ""


def _plotext() -> Any:
    try:
        import plotext
    except ImportError as error:
        raise BadSettingError(f"show needs plotext: {pip_install('terminal')}") from error
    return plotext


def _dates(rows: "pl.DataFrame", margin: int, width: int) -> str:
    days = rows["session"].to_list()
    count = max(2, (width - margin) // 24)
    line = [" "] * width
    for number in range(count):
        text = str(days[round((len(days) - 1) * number / (count - 1))])
        at = margin + round((width - margin - 1) * number / (count - 1)) - len(text) // 2
        at = min(max(at, margin), width - len(text))
        line[at : at + len(text)] = text
        if len(days) == 1:
            break
    return "".join(line).rstrip()


def _indicators(rows: "pl.DataFrame", period: str) -> Iterator[str]:
    for name, write in (("rsi_14", "{:.1f}".format), ("drawdown", words.percent)):
        values = rows[name].drop_nulls().to_list()
        if values:
            yield f"{name:9} {_spark(values)} {write(values[-1])}"
    closes = rows["close"]
    if len(closes) > 1 and closes[0] > 0 < closes[-1]:
        yield f"{period:9} {words.percent(closes[-1] / closes[0] - 1)}"


def _footer(known: "Facts") -> Iterator[str]:
    held = known.held
    yield "dividend  " + ", ".join(_last_events(known))
    flags = [f"{each.names} on {each.session}" for each in known.flagged[-_NAMED:]]
    more = len(known.flagged) - len(flags)
    yield "flags     " + (", ".join(flags) or "none") + (f" and {more:,} more" if more else "")
    days = [str(day) for day in held.gaps[-_NAMED:]]
    more = len(held.gaps) - len(days)
    none = "none" if held.has_calendar else "not known: the exchange has no calendar"
    yield "gaps      " + (", ".join(days) or none) + (f" and {more:,} more" if more else "")
    yield f"holds     {counted(held.sessions, 'session')}, {held.first} to {held.last}" + (
        f"; {counted(held.quarantined.rows, 'row')} in quarantine" if held.quarantined.rows else ""
    )


def _last_events(known: "Facts") -> Iterator[str]:
    paid, parts = known.dividends[-1:], known.splits[-1:]
    yield "".join(f"{words.price(each.size)} on {each.session}" for each in paid) or "none"
    yield from (f"split {words.split(each.size)} on {each.session}" for each in parts)


def _table(found: "Sequence[Shown]", period: str) -> str:
    full = [each for each in found if each.rows.height]
    known = [each.facts for each in full]
    written: dict[str, Callable[[Facts], object]] = {
        "ticker": lambda facts: facts.ticker,
        "close": lambda facts: words.price(facts.close),
        "change": lambda facts: words.percent(facts.change_ratio),
        "session": lambda facts: facts.held.last,
        "state": _behind,
        "name": lambda facts: facts.name,
    }
    columns = [
        tables.column(name, list(map(write, known)), is_number=name in ("close", "change"))
        for name, write in written.items()
    ]
    lines = [_spark(each.rows["close"].to_list()) for each in full]
    columns.insert(3, tables.column(period, lines))
    if all(each.name == each.ticker for each in known):
        columns.pop()
    return tables.render(columns)


def _spark(values: Sequence[float]) -> str:
    return _blocks(_buckets(values, min(_SPARK, len(values)), lambda part: part[-1]), 1)[0]


def _buckets(values: Sequence[float], count: int, join: _Join) -> list[float]:
    """Return as many values as asked for, each joined from its share of the given ones.

    >>> _buckets([1, 2, 3, 4], 2, sum), _buckets([1, 2], 4, sum)
    ([3, 7], [1, 1, 2, 2])
    """
    edges = [round(number * len(values) / count) for number in range(count + 1)]
    return [
        join(values[begin : max(end, begin + 1)] or values[-1:])
        for begin, end in itertools.pairwise(edges)
    ]


def _blocks(values: Sequence[float], rows: int, bottom: float | None = None) -> list[str]:
    """Return lines of blocks as high as the values, the highest line first."""
    blocks = _ASCII_BLOCKS if _is_ascii() else _BLOCKS
    steps = len(blocks) - 1
    low = min(values) if bottom is None else bottom
    least = 1 if bottom is None else 0
    size = (max(values) - low) or 1.0
    heights = [max(least, round((value - low) / size * steps * rows)) for value in values]
    return [
        "".join(blocks[min(max(height - steps * row, 0), steps)] for height in heights)
        for row in reversed(range(rows))
    ]


def _width() -> int:
    if os.environ.get("COLUMNS") or (sys.stdout is not None and sys.stdout.isatty()):
        return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    return _PLAIN_WIDTH


def _is_ascii() -> bool:
    """Return whether standard output can't take the letters that we draw with."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        "⠿█●".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return False
