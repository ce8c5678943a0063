"""Series: what a ticker's page draws, as compact JSON.

Numbers are little-endian 32-bit floats in base64, which hold the six digits that prices have; a
value that does not exist is NaN. Sessions older than `DAILY` are drawn by week, since a chart that
reaches back further has fewer pixels than weeks.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import polars as pl

from tickerlake.market import flags
from tickerlake.stages import words
from tickerlake.stages.facts import Facts

DAILY: Final = 2_600
"""The newest sessions that are drawn one by one: ten years."""

PRICES: Final = ("open", "high", "low", "close")
LINES: Final = (
    "sma_50", "sma_200", "bb_upper_20", "bb_lower_20", "rsi_14", "macd", "macd_signal", "drawdown",
)  # fmt: skip
"""The features that are drawn."""

_SAME: Final = 1e-9
"""Two factors that differ by less are the same."""


class Mark(NamedTuple):
    """Something that a chart points out at a bar: its kind, and a sentence."""

    day: int
    kind: str
    text: str


def series(facts: Facts, revised: Iterable[date]) -> dict[str, object]:
    """Return what the page of a ticker draws.

    Args:
        facts: the ticker.
        revised: the sessions whose bars the source has corrected.
    """
    rows = _thinned(facts.rows.with_columns(*_factors(facts)))
    return {
        "days": _encoded(rows["session"].cast(pl.Int32)),
        **{name: _encoded(rows[name].cast(pl.Float32)) for name in (*PRICES, "volume", *LINES)},
        "traded": _steps(rows["traded"]),
        "total": _steps(rows["total"]),
        "marks": _marks(facts, revised),
    }


def _factors(facts: Facts) -> tuple[pl.Expr, pl.Expr]:
    """Return what turns a split-adjusted price into others.

    The first gives the price that was traded; the second gives prices whose changes are total
    returns, and that end at the last close.
    """
    traded = pl.lit(1.0)
    for day, ratio in facts.known.splits.items():
        traded = traded * pl.when(pl.col("session") < day).then(ratio).otherwise(1.0)
    worth = pl.col("total_return_index") / pl.col("close")  # null once a price was not positive
    return traded.alias("traded"), (worth / worth.last()).alias("total")


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with those before the newest `DAILY` joined by week."""
    older, newer = rows.head(max(rows.height - DAILY, 0)), rows.tail(DAILY)
    if older.is_empty():
        return newer
    others = [name for name in rows.columns if name not in {"high", "low", "open", "volume"}]
    weeks = (
        older.group_by(pl.col("session").dt.truncate("1w").alias("_week"), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("volume").sum(),
            pl.col(others).last(),
        )
        .select(rows.columns)
    )
    return pl.concat([weeks, newer])


def _encoded(column: pl.Series) -> str:
    if column.dtype == pl.Float32:
        column = column.fill_null(float("nan"))
    return base64.b64encode(column.to_numpy().tobytes()).decode()


def _steps(column: pl.Series) -> list[list[float]] | None:
    """Return a factor as the rows at which it changes; None when it is not always known."""
    if column.null_count() or column.is_nan().any():
        return None
    steps: list[list[float]] = []
    for number, value in enumerate(column.to_list()):
        if not steps or abs(value / steps[-1][1] - 1) > _SAME:
            steps.append([number, float(f"{value:.9g}")])
    return steps


def _marks(facts: Facts, revised: Iterable[date]) -> list[Mark]:
    def mark(day: date, kind: str, text: str) -> Mark:
        return Mark((day - date(1970, 1, 1)).days, kind, text)

    currency = f" {facts.currency}" if facts.currency else ""
    found = [
        *(
            mark(each.session, "dividend", f"dividend {words.price(each.size)}{currency}")
            for each in facts.dividends
        ),
        *(mark(each.session, "split", f"split {words.split(each.size)}") for each in facts.splits),
        *(mark(day, "revision", "revised by the source") for day in revised),
        *(mark(each.session, "flag", describe(each.names.split(","))) for each in facts.flagged),
    ]
    return sorted(found)


def describe(names: Sequence[str], meanings: Mapping[str, str] = flags.FLAGS) -> str:
    """Return what flags say.

    >>> describe(["off_calendar"])
    "off_calendar: The exchange's calendar has no session on this day."
    """
    return " ".join(f"{name}: {meanings[name]}" if name in meanings else name for name in names)
