"""The features of the table `daily`: one declarative table, computed by TA-Lib's own code.

All features of a ticker are computed over its whole history, on one split basis, so they depend on
nothing but the market's facts. Each is causal: what comes later never changes it, to the last bit.
Where a value does not exist yet, or is a division by zero, it is null; NaN never comes out.
"""

import math
from dataclasses import dataclass
from typing import Final

import polars as pl
import polars_talib as talib

from tickerlake.schema import BAR

YEAR: Final = 252
"""Sessions in a year, by convention."""

TA_LIB: Final = "TA-Lib"

_open, _high, _low, _close = (pl.col(name) for name in ("open", "high", "low", "close"))
_volume = pl.col("volume").cast(pl.Float64)
_before = _close.shift(1)

# What several features are made of, so that it is computed once.
_SHARED: Final[dict[str, pl.Expr]] = {
    "_macd": talib.macd(_close, fastperiod=12, slowperiod=26, signalperiod=9),
    "_bands": talib.bbands(_close, timeperiod=20, nbdevup=2.0, nbdevdn=2.0),
    "_stoch": talib.stoch(_high, _low, _close, fastk_period=14, slowk_period=3, slowd_period=3),
    "_high_252": talib.max(_high, timeperiod=YEAR),
    "_low_252": talib.min(_low, timeperiod=YEAR),
    "_total": (_close + pl.col("dividend")) / _before,
    "_log": (_close / _before).log(),
}
_macd, _bands, _stoch, _high_252, _low_252, _total, _log = (pl.col(name) for name in _SHARED)
_upper, _middle, _lower = (_bands.struct[number] for number in range(3))


@dataclass(frozen=True)
class Feature:
    """A column of `daily`.

    `warm_up` is the 0-based number of the first bar of a ticker that has a value; `source` says
    whose definition or which formula it is.
    """

    name: str
    expression: pl.Expr
    unit: str
    warm_up: int
    doc: str
    source: str


def _talib(name: str, expression: pl.Expr, unit: str, warm_up: int, doc: str) -> Feature:
    return Feature(name, expression, unit, warm_up, doc, TA_LIB)


FEATURES: Final[tuple[Feature, ...]] = (
    Feature("return_1d", _close / _before - 1, "ratio", 1, "Change of the close since the session"
            " before.", "close / close[-1] - 1"),
    Feature("log_return_1d", _log, "ratio", 1, "Logarithm of the close over the close before.",
            "ln(close / close[-1])"),
    Feature("gap", _open / _before - 1, "ratio", 1, "Change overnight, from close to open.",
            "open / close[-1] - 1"),
    Feature("total_return_1d", _total - 1, "ratio", 1, "Return of a session with its dividend.",
            "(close + dividend) / close[-1] - 1"),
    Feature("total_return_index", _total.fill_null(1.0).cum_prod(), "index", 0, "Worth of 1 put in"
            " at the first bar's close, dividends reinvested; later ones never change it.",
            "cumulative product of 1 + total_return_1d, from 1"),
    *(_talib(f"sma_{n}", talib.sma(_close, timeperiod=n), "price", n - 1,
             f"Mean of the last {n} closes.") for n in (5, 10, 20, 50, 200)),
    *(_talib(f"ema_{n}", talib.ema(_close, timeperiod=n), "price", n - 1,
             f"Exponential mean of the close, k = 2/{n + 1}, from the mean of the first {n}.")
      for n in (12, 26)),
    _talib("macd", _macd.struct[0], "price", 33, "EMA 12 less EMA 26 of the close."),
    _talib("macd_signal", _macd.struct[1], "price", 33, "EMA 9 of macd."),
    _talib("macd_histogram", _macd.struct[2], "price", 33, "macd less macd_signal."),
    _talib("rsi_14", talib.rsi(_close, timeperiod=14), "0 to 100", 14,
           "Relative strength index by Wilder's smoothing; 0 when the price is flat."),
    _talib("bb_upper_20", _upper, "price", 19, "Upper Bollinger band: mean and 2 deviations."),
    _talib("bb_middle_20", _middle, "price", 19, "Middle Bollinger band: mean of 20 closes."),
    _talib("bb_lower_20", _lower, "price", 19, "Lower Bollinger band: mean less 2 deviations."),
    Feature("bb_bandwidth_20", (_upper - _lower) / _middle, "ratio", 19, "Width of the bands over"
            " the middle one.", "(bb_upper_20 - bb_lower_20) / bb_middle_20"),
    Feature("bb_percent_b_20", pl.when(_upper > _lower).then((_close - _lower) / (_upper - _lower)),
    "ratio", 19, "Where the close"
            " is between the bands, 0 to 1; null when they meet.",
            "(close - bb_lower_20) / (bb_upper_20 - bb_lower_20)"),
    _talib("true_range", talib.trange(_high, _low, _close), "price", 1,
           "Range of the session, with the close before."),
    _talib("atr_14", talib.atr(_high, _low, _close, timeperiod=14), "price", 14,
           "Average true range by Wilder's smoothing."),
    _talib("plus_di_14", talib.plus_di(_high, _low, _close, timeperiod=14), "0 to 100", 14,
           "Directional indicator of rises."),
    _talib("minus_di_14", talib.minus_di(_high, _low, _close, timeperiod=14), "0 to 100", 14,
           "Directional indicator of falls."),
    _talib("adx_14", talib.adx(_high, _low, _close, timeperiod=14), "0 to 100", 27,
           "Average directional index: how strong a trend is."),
    _talib("stoch_k_14", _stoch.struct[0], "0 to 100", 17,
           "Slow %K: where the close is in the range of 14 sessions, mean of 3."),
    _talib("stoch_d_14", _stoch.struct[1], "0 to 100", 17, "Slow %D: mean of 3 slow %K."),
    _talib("obv", talib.obv(_close, _volume), "shares", 0,
           "On-balance volume: volume added on rises, taken off on falls, from the first bar on."),
    _talib("mfi_14", talib.mfi(_high, _low, _close, _volume, timeperiod=14), "0 to 100", 14,
           "Money flow index: an RSI of typical price times volume."),
    Feature("volatility_20", talib.stddev(_log, timeperiod=20) * math.sqrt(YEAR * 20 / 19),
            "ratio a year", 20, "Realised volatility: deviation of the last 20 log returns,"
            " annualised.",
            "sample standard deviation of log_return_1d over 20 sessions, times sqrt(252)"),
    Feature("high_252", _high_252, "price", YEAR - 1, "Highest high of 52 weeks.", TA_LIB),
    Feature("low_252", _low_252, "price", YEAR - 1, "Lowest low of 52 weeks.", TA_LIB),
    Feature("distance_high_252", _close / _high_252 - 1, "ratio", YEAR - 1,
            "Distance of the close from the high of 52 weeks, 0 or below.", "close / high_252 - 1"),
    Feature("distance_low_252", _close / _low_252 - 1, "ratio", YEAR - 1,
            "Distance of the close from the low of 52 weeks, 0 or above.", "close / low_252 - 1"),
    Feature("drawdown", _close / _close.cum_max() - 1, "ratio", 0,
            "Distance of the close from the highest close so far, 0 or below.",
            "close / max(close so far) - 1"),
    Feature("volume_ratio_20", _volume / talib.sma(_volume, timeperiod=20), "ratio", 19, "Volume"
            " over the mean of the last 20; null when nothing was traded in them.",
            "volume / mean(volume of 20 sessions)"),
)  # fmt: skip

_COLUMNS: Final = [each.expression.alias(each.name) for each in FEATURES]

DAILY: Final[dict[str, pl.DataType]] = {
    **BAR,
    **{feature.name: pl.Float64() for feature in FEATURES},
}
"""The columns of the table `daily`."""


def compute(bars: pl.DataFrame) -> pl.DataFrame:
    """Compute all features of one ticker.

    Args:
        bars: columns of `schema.BAR` on one split basis, sorted by session, without nulls in prices
        and
            volume.

    Returns:
        As many rows, with the columns of `DAILY`.
    """
    computed = bars.with_columns(**_SHARED).select(_COLUMNS)
    # NaN becomes null in all columns at once: to plan forty expressions takes longer than to run
    # them
    column = pl.concat(computed.get_columns(), rechunk=True).fill_nan(None)
    return bars.select(BAR.keys()).hstack(
        [
            column.slice(number * bars.height, bars.height).alias(feature.name)
            for number, feature in enumerate(FEATURES)
        ]
    )
