"""The features of the table `daily`: one declarative table, computed by TA-Lib's own code.

All features of a ticker are computed over its whole history, on one split basis, so they depend on
nothing but the market's facts. Each is causal and computed from the first bar on, so what comes
later never changes a value, to the last bit; transform relies on that to find what has changed.

Where a value does not exist, it is null: before a feature's first bar, and where it would be a
division by zero or too large for a float. NaN and infinity never come out. Flat prices give what
TA-Lib gives: 0 for `rsi_14`, `stoch_*`, `adx_14` and `*_di_14`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from tickerlake.market.arrays import YEAR, Array, Bars, arrow, ratio, record_batch, talib
from tickerlake.market.bars import BAR


@dataclass(frozen=True)
class Feature:
    """A column of `daily`.

    `values` computes it for the bars of a ticker. `warm_up` is the 0-based number of the first bar
    that has a value. `source` says whose definition or which formula it is; in formulas `[-1]` is
    the session before, and a number of sessions includes today's.
    """

    name: str
    values: Callable[[Bars], Array]
    unit: str
    warm_up: int
    doc: str
    source: str


def _sma(sessions: int) -> Callable[[Bars], Array]:
    return lambda b: talib.SMA(b.close, sessions)


def _ema(sessions: int) -> Callable[[Bars], Array]:
    return lambda b: talib.EMA(b.close, sessions)


def _bandwidth(b: Bars) -> Array:
    upper, middle, lower = b.bands
    return np.where(middle > 0, (upper - lower) / middle, np.nan)


def _percent_b(b: Bars) -> Array:
    upper, _, lower = b.bands
    return (b.close - lower) / (upper - lower)


_SMAS: Final = (5, 10, 20, 50, 200)
_EMAS: Final = (12, 26)

# fmt: off
FEATURES: Final[tuple[Feature, ...]] = (
    Feature("return_1d", lambda b: b.change - 1, "ratio", 1,
            "Change of the close since the session before, without dividends.",
            "close / close[-1] - 1"),
    Feature("log_return_1d", lambda b: b.log_return, "ratio", 1,
            "Logarithm of the close over the close before, without dividends.",
            "ln(close / close[-1])"),
    Feature("gap", lambda b: ratio(b.open, b.previous) - 1, "ratio", 1,
            "Change overnight, from the close before to the open; null when the open is not known.",
            "open / close[-1] - 1"),
    Feature("total_return_1d", lambda b: b.total - 1, "ratio", 1,
            "Return of the session with the dividend and the capital gain that went ex.",
            "(close + dividend + capital_gain) / close[-1] - 1"),
    Feature("total_return_index", lambda b: b.worth, "index", 0,
            "Worth of 1 invested at the first bar's close, dividends and capital gains reinvested"
            " at the close. Built forward: a later dividend never changes it. Null from the first"
            " non-positive price onwards.",
            "1 at the first bar, then total_return_index[-1] * (1 + total_return_1d)"),
    *(Feature(f"sma_{n}", _sma(n), "price", n - 1,
              f"Simple moving average: mean of the last {n} closes.",
              f"TA-Lib SMA({n})") for n in _SMAS),
    *(Feature(f"ema_{n}", _ema(n), "price", n - 1,
              f"Exponential moving average of the close: weight 2/{n + 1}, from the mean of the"
              f" first {n}.",
              f"TA-Lib EMA({n})") for n in _EMAS),
    Feature("macd", lambda b: b.macd[0], "price", 33,
            "Moving average convergence/divergence: EMA 12 minus EMA 26 of the close, both started"
            " at the same bar.",
            "TA-Lib MACD(12, 26, 9)"),
    Feature("macd_signal", lambda b: b.macd[1], "price", 33, "EMA 9 of macd.",
            "TA-Lib MACD(12, 26, 9)"),
    Feature("macd_histogram", lambda b: b.macd[2], "price", 33,
            "macd minus macd_signal.",
            "TA-Lib MACD(12, 26, 9)"),
    Feature("rsi_14", lambda b: talib.RSI(b.close, 14), "0 to 100", 14,
            "Relative strength index, by Wilder's smoothing; 0 when the price is flat.",
            "TA-Lib RSI(14)"),
    Feature("bb_upper_20", lambda b: b.bands[0], "price", 19,
            "Upper Bollinger band: the mean and 2 population deviations.",
            "TA-Lib BBANDS(20, 2, 2)"),
    Feature("bb_middle_20", lambda b: b.bands[1], "price", 19,
            "Middle Bollinger band: mean of the last 20 closes.",
            "TA-Lib BBANDS(20, 2, 2)"),
    Feature("bb_lower_20", lambda b: b.bands[2], "price", 19,
            "Lower Bollinger band: the mean minus 2 population deviations.",
            "TA-Lib BBANDS(20, 2, 2)"),
    Feature("bb_bandwidth_20", _bandwidth, "ratio", 19,
            "Distance between the Bollinger bands over the middle one.",
            "(bb_upper_20 - bb_lower_20) / bb_middle_20"),
    Feature("bb_percent_b_20", _percent_b, "ratio", 19,
            "%b: where the close is between the bands, 0 at the lower and 1 at the upper; null when"
            " the bands meet.",
            "(close - bb_lower_20) / (bb_upper_20 - bb_lower_20)"),
    Feature("tr", lambda b: talib.TRANGE(b.high, b.low, b.close), "price", 1,
            "True range: the range of the session, stretched to the close before.",
            "TA-Lib TRANGE"),
    Feature("atr_14", lambda b: talib.ATR(b.high, b.low, b.close, 14), "price", 14,
            "Average true range, by Wilder's smoothing.",
            "TA-Lib ATR(14)"),
    Feature("plus_di_14", lambda b: talib.PLUS_DI(b.high, b.low, b.close, 14), "0 to 100", 14,
            "Directional indicator of rises, by Wilder's smoothing.",
            "TA-Lib PLUS_DI(14)"),
    Feature("minus_di_14", lambda b: talib.MINUS_DI(b.high, b.low, b.close, 14), "0 to 100", 14,
            "Directional indicator of falls, by Wilder's smoothing.",
            "TA-Lib MINUS_DI(14)"),
    Feature("adx_14", lambda b: talib.ADX(b.high, b.low, b.close, 14), "0 to 100", 27,
            "Average directional index: how strong a trend is, whichever way; 0 when the price is"
            " flat.",
            "TA-Lib ADX(14)"),
    Feature("stoch_k_14", lambda b: b.stochastic[0], "0 to 100", 17,
            "Slow %K: where the close is in the range of the last 14 sessions, mean of 3; 0 when"
            " the price is flat.",
            "TA-Lib STOCH(14, 3, 3)"),
    Feature("stoch_d_14", lambda b: b.stochastic[1], "0 to 100", 17,
            "Slow %D: mean of 3 stoch_k_14.",
            "TA-Lib STOCH(14, 3, 3)"),
    Feature("obv", lambda b: talib.OBV(b.close, b.volume), "shares", 0,
            "On-balance volume, from the first bar on: volume is added on a rise of the close,"
            " taken off on a fall.",
            "TA-Lib OBV"),
    Feature("mfi_14", lambda b: talib.MFI(b.high, b.low, b.close, b.volume, 14),
            "0 to 100", 14,
            "Money flow index: rises' share of typical price times volume in the last 14 sessions;"
            " 0 when less than 1 flowed.",
            "TA-Lib MFI(14)"),
    Feature("volatility_20", lambda b: b.volatility, "ratio a year", 20,
            "Realised volatility: sample deviation of the last 20 log returns, annualised.",
            f"std(log_return_1d, 20 sessions, ddof 1) * sqrt({YEAR})"),
    Feature("high_252", lambda b: b.year_high, "price", YEAR - 1,
            "Highest high of 52 weeks.",
            f"TA-Lib MAX({YEAR}) of high"),
    Feature("low_252", lambda b: b.year_low, "price", YEAR - 1,
            "Lowest low of 52 weeks.",
            f"TA-Lib MIN({YEAR}) of low"),
    Feature("distance_high_252", lambda b: ratio(b.close, b.year_high) - 1,
            "ratio", YEAR - 1,
            "Distance of the close from the high of 52 weeks, 0 or below.",
            "close / high_252 - 1"),
    Feature("distance_low_252", lambda b: ratio(b.close, b.year_low) - 1,
            "ratio", YEAR - 1,
            "Distance of the close from the low of 52 weeks, 0 or above.",
            "close / low_252 - 1"),
    Feature("drawdown", lambda b: ratio(b.close, np.maximum.accumulate(b.close)) - 1, "ratio", 0,
            "Distance of the close from the highest close since the first bar, 0 or below.",
            "close / max(close so far) - 1"),
    Feature("volume_ratio_20", lambda b: b.volume / talib.SMA(b.volume, 20), "ratio", 19,
            "Volume over its mean of the last 20 sessions; null when nothing was traded in them.",
            "volume / mean(volume, 20 sessions)"),
)
# fmt: on
"""All features, in the order of their columns."""

DAILY: Final[dict[str, pl.DataType]] = {
    **BAR,
    "flags": pl.String(),
    **{feature.name: pl.Float64() for feature in FEATURES},
}
"""The columns of the table `daily`."""


def compute(bars: pl.DataFrame) -> pl.DataFrame:
    """Compute all features of one ticker.

    Args:
        bars: columns of `bars.BAR` on one split basis, sorted by session; no null or NaN in high,
            low, close, volume and events.

    Returns:
        As many rows, with the columns of `DAILY` without `flags`; what has no value is null.
    """
    return bars[[*BAR]].hstack(_computed(bars))


def daily(history: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the table `daily` (`DAILY`) for a ticker's bars (`bars.HISTORY`)."""
    return history[[*BAR, "flags"]].hstack(_computed(history))


class Daily:
    """The rows of the table `daily` for a ticker's bars, computed when the first is needed.

    Args:
        history: columns of `bars.HISTORY`, sorted by session.
    """

    def __init__(self, history: pl.DataFrame) -> None:
        self.bars = history[[*BAR, "flags"]]

    @cached_property
    def values(self) -> dict[str, Array]:
        """The features by name; what has no value is not finite."""
        return values(self.bars)

    def table(self, start: int, stop: int) -> pa.Table:
        """Return rows (`DAILY`) as an Arrow table; what has no value is null."""
        bars = arrow(self.bars[start:stop])
        found = record_batch({name: each[start:stop] for name, each in self.values.items()})
        return pa.Table.from_arrays(
            [*bars.columns, *found.columns], names=[*bars.column_names, *found.schema.names]
        )


def _computed(bars: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(record_batch(values(bars)))


def values(bars: pl.DataFrame) -> dict[str, Array]:
    """Return the features of one ticker by name, an array each; see `compute`."""
    if bars.is_empty():
        return {feature.name: np.empty(0) for feature in FEATURES}
    with np.errstate(all="ignore"):
        arrays = Bars(bars.rechunk())
        return {each.name: _values(each, arrays) for each in FEATURES}


def _values(feature: Feature, arrays: Bars) -> Array:
    values = feature.values(arrays)
    in_other_unit = feature.unit == "price" and arrays.scale != 1.0
    return values / arrays.scale if in_other_unit else values
