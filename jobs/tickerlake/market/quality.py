"""What is done with a fetched bar: keep it, repair and flag it, or quarantine it.

A bar whose close is a usable number is kept. What is known to be wrong with it is repaired in
history and flagged there; raw keeps what the source said. Only what can't be used is quarantined.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tickerlake.market.bars import PRICES, QUARANTINE, RAW
from tickerlake.market.flags import CONTEXTUAL

GAP_SESSIONS: Final = 5
"""A bar is flagged `after_gap` when more sessions than this are missing before it."""

_NEUTRAL: Final = {"dividend": 0.0, "capital_gain": 0.0, "split": 1.0}
"""What stands for an event that is not known."""

_SMALLEST, _LARGEST = 1e-12, 1e12
_FILLER_TOLERANCE: Final = 1e-5
_SPLIT_RATIOS: Final = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50)
_SPLIT_TOLERANCE: Final = 0.04
_SPLIT_NEIGHBOURS: Final = 30
"""Days around an announced split in which a jump of its ratio is suspicious."""
_ANNOUNCED_TOLERANCE: Final = 0.1
_SMALLEST_SPLIT: Final = 1.2
"""The jumps of smaller splits can't be told from moves of the market."""

_UNIT_ERROR: Final = (70.0, 143.0)
_LARGE_DIVIDEND: Final = 0.3


@dataclass(frozen=True)
class Judged:
    """The good rows (`market.bars.RAW`) and the quarantined ones (`market.bars.QUARANTINE`)."""

    good: pl.DataFrame
    bad: pl.DataFrame


def _unknown(name: str) -> pl.Expr:
    """Return whether a price is not known: null, not finite, or the 0 that stands for null."""
    price = pl.col(name)
    return price.is_null() | ~price.is_finite() | (price == 0)


_close = pl.col("close")
_flat = pl.all_horizontal(
    _unknown(name) | (pl.col(name) == _close) for name in ("open", "high", "low")
)
_previous_close = pl.coalesce(_close.shift(1), pl.col("_close_before"))

CHECKS: Final[Mapping[str, pl.Expr]] = {
    "no_close": _unknown("close"),
    "close_not_positive": (_close < 0) & ~pl.col("_may_be_negative"),
    "price_beyond_reason": pl.any_horizontal(
        pl.col(name).is_finite()
        & (pl.col(name) != 0)
        & ~pl.col(name).abs().is_between(_SMALLEST, _LARGEST)
        for name in ("open", "high", "low", "close")
    ),
    "low_above_high": ~_unknown("low") & ~_unknown("high") & (pl.col("low") > pl.col("high")),
    "duplicate": pl.col("session").is_duplicated()
    & (pl.int_range(pl.len()).over("session") < pl.len().over("session") - 1),
    "in_the_future": pl.col("session") > pl.col("_today"),
    "filler": pl.col("_denied")
    & _flat
    & (pl.col("volume").fill_null(0) <= 0)
    & (_previous_close.is_null() | ((_close / _previous_close - 1).abs() <= _FILLER_TOLERANCE)),
    "placeholder": pl.all_horizontal(_unknown(name) for name in ("open", "high", "low"))
    & (pl.col("volume").fill_null(0) <= 0)
    & (pl.col("session") >= pl.col("_last_closed")),
}
"""What is true for a row that fails a check, by the check's name. Of duplicates, the last row is
kept. A `placeholder` is what some exchanges' newest session looks like until its prices arrive."""


_NONE: Final = pl.DataFrame(schema=QUARANTINE)


def judge(
    bars: pl.DataFrame,
    denied: NDArray[np.bool_],
    *,
    today: date,
    last_closed: date,
    close_before: float | None = None,
    may_be_negative: bool = False,
) -> Judged:
    """Separate usable bars from those that must be quarantined.

    Args:
        bars: columns of `market.bars.RAW`, in the source's order, each with at least one price.
        denied: of which rows the calendar denies that there was a session.
        today: the exchange's date at the moment of the fetch.
        last_closed: the newest session that has closed.
        close_before: the close held for the session before the first row, if any.
        may_be_negative: prices may be negative, like those of futures.
    """
    if _is_plain(bars, denied, today):
        return Judged(_columns(bars, RAW), _NONE)
    return _judge_each(
        bars,
        _today=pl.lit(today),
        _last_closed=pl.lit(last_closed),
        _denied=pl.Series(denied),
        _close_before=pl.lit(close_before, pl.Float64),
        _may_be_negative=pl.lit(may_be_negative),
    )


def _is_plain(bars: pl.DataFrame, denied: NDArray[np.bool_], today: date) -> bool:
    """Return whether no row can fail a check: the usual case, decided without a plan."""
    opened, high, low, close = (bars[name].to_numpy() for name in PRICES)
    session = bars["session"].to_numpy()
    return bool(
        # a price that is null is NaN here, of which nothing is true
        all(((price >= _SMALLEST) & (price <= _LARGEST)).all() for price in (opened, close))
        and ((low >= _SMALLEST) & (low <= high) & (high <= _LARGEST)).all()
        and (session[1:] > session[:-1]).all()
        and (session <= np.datetime64(today)).all()
        and not denied.any()
    )


def _columns(bars: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    return bars if bars.columns == list(names) else bars.select(names)


def _judge_each(bars: pl.DataFrame, **facts: pl.Expr | pl.Series) -> Judged:
    """Judge row by row; `facts` are columns that the checks refer to."""
    marked = bars.select(RAW.keys()).with_columns(**facts)
    reasons = pl.concat_str(
        [
            pl.when(failed.fill_null(value=False)).then(pl.lit(name))
            for name, failed in CHECKS.items()
        ],
        separator=",",
        ignore_nulls=True,
    )
    judged = marked.with_columns(reasons=reasons)
    return Judged(
        judged.filter(pl.col("reasons") == "").select(RAW.keys()).sort("session"),
        judged.filter(pl.col("reasons") != "").select(QUARANTINE.keys()),
    )


def repair(bars: pl.DataFrame) -> pl.DataFrame:
    """Repair what is visibly wrong with a bar on its own, and add the column `flags`.

    Args:
        bars: good rows (`market.bars.RAW`).
    """
    opened, high, low = (_known(bars[name]) for name in ("open", "high", "low"))
    close, volume = _floats(bars["close"]), _floats(bars["volume"])
    top, bottom = np.fmax(opened, close), np.fmin(opened, close)
    events = {name: _floats(bars[name]) for name in _NEUTRAL}
    usable = {name: np.isfinite(each) & (each >= 0) for name, each in events.items()}
    usable["split"] &= events["split"] > 0
    found = {
        "range_widened": (high < top) | (low > bottom),
        "open_unknown": np.isnan(opened),
        "range_unknown": np.isnan(high) | np.isnan(low),
        "volume_unknown": ~(volume >= 0),
        "event_unknown": ~np.logical_and.reduce([*usable.values()]),
        "dividend_currency": ~_nulls(bars["dividend_currency"]),
    }
    flags = _joined(found).alias("flags")
    if not any(each.any() for each in found.values()):
        return bars.hstack([flags])
    repaired = {
        "open": opened,
        "high": np.fmax(high, top),
        "low": np.fmin(low, bottom),
        **{name: np.where(usable[name], events[name], _NEUTRAL[name]) for name in _NEUTRAL},
    }
    return bars.with_columns(
        *(pl.Series(name, each, nan_to_null=True) for name, each in repaired.items()),
        pl.col("volume").fill_null(0).clip(0),
        flags,
    )


def _known(prices: pl.Series) -> NDArray[np.float64]:
    """Return prices, NaN where they are not known; see `_unknown`."""
    values = _floats(prices)
    return np.where(np.isfinite(values) & (values != 0), values, np.nan)


def _floats(values: pl.Series) -> NDArray[np.float64]:
    """Return numbers as floats; NaN where there is none."""
    return values.to_numpy().astype(np.float64, copy=False)


def _nulls(values: pl.Series) -> NDArray[np.bool_]:
    """Return where values are null, without planning a query when all or none are."""
    count = values.null_count()
    if count in (0, len(values)):
        return np.full(len(values), bool(count))
    return values.is_null().to_numpy()


def add_flags(bars: pl.DataFrame, flags: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Add flags to the rows of some sessions.

    Args:
        bars: with the columns `session` and `flags`.
        flags: sessions, by the name of the flag.
    """
    for name, sessions in flags.items():
        marked = pl.when(pl.col("session").is_in(sessions.implode())).then(pl.lit(name))
        bars = bars.with_columns(flags=_merged(pl.col("flags"), marked))
    return bars


def flag_context(bars: pl.DataFrame, splits: Mapping[date, float], gaps: pl.Series) -> pl.DataFrame:
    """Set the flags that depend on other bars, replacing those set earlier.

    Args:
        bars: columns of `market.bars.HISTORY`, sorted by session, on one split basis.
        splits: all that are known, by ex-date.
        gaps: the sessions without a bar, sorted.
    """
    with np.errstate(all="ignore"):
        found = _found_in_context(bars, splits, gaps)
    if not any(each.any() for each in found.values()) and (bars["flags"] == "").all():
        return bars
    context = pl.lit(_joined(found))
    lasting = (
        pl.col("flags")
        .str.split(",")
        .list.eval(pl.element().filter(~pl.element().is_in([*CONTEXTUAL, ""])))
    )
    return bars.with_columns(flags=_merged(lasting.list.join(","), context).fill_null(""))


def _found_in_context(
    bars: pl.DataFrame, splits: Mapping[date, float], gaps: pl.Series
) -> dict[str, NDArray[np.bool_]]:
    """Return which bars deserve each flag of `CONTEXTUAL`."""
    session, close = bars["session"].to_numpy(), bars["close"].to_numpy()
    previous = np.concatenate([[np.nan], close[:-1]])[: len(close)]
    jump = np.fmax(close / previous, previous / close)
    missing = np.diff(np.searchsorted(gaps.to_numpy(), session), prepend=0)
    missing[:1] = 0
    common, explained = np.zeros((2, len(close)), dtype=np.bool_)
    large = np.flatnonzero(jump > _SPLIT_RATIOS[0] * (1 - _SPLIT_TOLERANCE))
    for ratio in _SPLIT_RATIOS:
        common[large] |= np.abs(jump[large] / ratio - 1) < _SPLIT_TOLERANCE
    for day, ratio in splits.items():
        size = max(ratio, 1 / ratio)
        if size > _SMALLEST_SPLIT:
            is_near = np.abs(session - np.datetime64(day)) <= _SPLIT_NEIGHBOURS
            explained |= is_near & (np.abs(jump / size - 1) < _ANNOUNCED_TOLERANCE)
    is_unit_error = (jump >= _UNIT_ERROR[0]) & (jump <= _UNIT_ERROR[1]) & ~explained
    is_large = (bars["dividend"].to_numpy() > _LARGE_DIVIDEND * previous) & (previous > 0)
    return {
        "after_gap": missing > GAP_SESSIONS,
        "missed_split": ~is_unit_error & (common | explained),
        "unit_error": is_unit_error,
        "large_dividend": is_large & _nulls(bars["dividend_currency"]),
    }


def _joined(found: Mapping[str, NDArray[np.bool_]]) -> pl.Series:
    """Return the names of what is true, for each row, in order, separated by commas."""
    some = np.logical_or.reduce([*found.values()])
    if not some.any():
        return pl.Series([""]).new_from_index(0, len(some))
    names = [""] * len(some)
    for row in np.flatnonzero(some):
        names[row] = ",".join(name for name, true in found.items() if true[row])
    return pl.Series(names, dtype=pl.String)


def _merged(flags: pl.Expr, more: pl.Expr) -> pl.Expr:
    """Return flags and more flags, separated by commas, each once."""
    both = pl.concat_str(
        [pl.when(each != "").then(each) for each in (flags, more)],
        separator=",",
        ignore_nulls=True,
    )
    return both.str.split(",").list.unique(maintain_order=True).list.join(",")
