"""The features of the table `daily`: one declarative table, computed by TA-Lib's own code.

All features of a ticker are computed over its whole history, on one split basis, so they depend on
nothing but the market's facts. Each is causal and computed from the first bar on, so what comes
later never changes a value, to the last bit; transform relies on that to find what has changed.

Where a value does not exist, it is null: before a feature's first bar, and where it would be a
division by zero or too large for a float. NaN and infinity never come out. Flat prices give what
TA-Lib gives: 0 for `rsi_14`, `stoch_*`, `adx_14` and `*_di_14`.
"""

import math
from dataclasses import dataclass
from typing import Final

import polars as pl
import polars_talib as plta

from tickerlake.market.bars import BAR, PRICES

YEAR: Final = 252
"""Sessions in a year, by convention."""


@dataclass(frozen=True)
class Feature:
    """A column of `daily`.

    `expression` may use the columns of `bars.BAR` and of `_SHARED`. `warm_up` is the 0-based
    number of the first bar of a ticker that has a value. `source` says whose definition or which
    formula it is; in formulas `[-1]` is the session before, and a number of sessions includes
    today's.
    """

    name: str
    expression: pl.Expr
    unit: str
    warm_up: int
    doc: str
    source: str


_open, _high, _low, _close = (pl.col(name) for name in ("open", "high", "low", "close"))
_previous = _close.shift(1)
# cash in another currency can't be added to the price; a plus sign marks cash besides the dividend
_paid_in = pl.col("dividend_currency")
_distribution = (
    pl.when(_paid_in.is_null() | _paid_in.str.starts_with("+"))
    .then(pl.col("dividend") + pl.col("capital_gain"))
    .otherwise(0.0)
)


def _ratio(value: pl.Expr, base: pl.Expr = _previous) -> pl.Expr:
    """Return a value over a price; null where either is not positive, as can happen to futures."""
    return pl.when((value > 0) & (base > 0)).then(value / base)


# parts that several features share, so that they are computed once
_SHARED: Final = (
    pl.col("volume").cast(pl.Float64).alias("_volume"),
    _ratio(_close).log().alias("_log"),
    _ratio(_close + _distribution).alias("_total"),
    plta.macd(_close, fastperiod=12, slowperiod=26, signalperiod=9).alias("_macd"),
    plta.bbands(_close, timeperiod=20, nbdevup=2.0, nbdevdn=2.0).alias("_bands"),
    plta.stoch(_high, _low, _close, fastk_period=14, slowk_period=3, slowd_period=3)
    .alias("_stoch"),
    plta.max(_high, timeperiod=YEAR).alias("_year_high"),
    plta.min(_low, timeperiod=YEAR).alias("_year_low"),
)  # fmt: skip

_volume, _log, _total = pl.col("_volume"), pl.col("_log"), pl.col("_total")
_worth = pl.when(_close.cum_min() > 0).then(_total.fill_null(1.0).cum_prod())
_macd, _signal, _histogram = (pl.col("_macd").struct[number] for number in range(3))
_upper, _middle, _lower = (pl.col("_bands").struct[number] for number in range(3))
_k, _d = (pl.col("_stoch").struct[number] for number in range(2))

_SMAS: Final = (5, 10, 20, 50, 200)
_EMAS: Final = (12, 26)

# fmt: off
FEATURES: Final[tuple[Feature, ...]] = (
    Feature("return_1d", _ratio(_close) - 1, "ratio", 1,
            "Change of the close since the session before, without dividends.",
            "close / close[-1] - 1"),
    Feature("log_return_1d", _log, "ratio", 1,
            "Logarithm of the close over the close before, without dividends.",
            "ln(close / close[-1])"),
    Feature("gap", _ratio(_open) - 1, "ratio", 1,
            "Change overnight, from the close before to the open; null when the open is not known.",
            "open / close[-1] - 1"),
    Feature("total_return_1d", _total - 1, "ratio", 1,
            "Return of the session with the dividend and the capital gain that went ex.",
            "(close + dividend + capital_gain) / close[-1] - 1"),
    Feature("total_return_index", _worth, "index", 0,
            "Worth of 1 invested at the first bar's close, dividends and capital gains reinvested"
            " at the close. Built forward: a later dividend never changes it. Null from the first"
            " price on that is not positive.",
            "1 at the first bar, then total_return_index[-1] * (1 + total_return_1d)"),
    *(Feature(f"sma_{n}", plta.sma(_close, timeperiod=n), "price", n - 1,
              f"Simple moving average: mean of the last {n} closes.",
              f"TA-Lib SMA({n})") for n in _SMAS),
    *(Feature(f"ema_{n}", plta.ema(_close, timeperiod=n), "price", n - 1,
              f"Exponential moving average of the close: weight 2/{n + 1}, from the mean of the"
              f" first {n}.",
              f"TA-Lib EMA({n})") for n in _EMAS),
    Feature("macd", _macd, "price", 33,
            "Moving average convergence/divergence: EMA 12 less EMA 26 of the close, both started"
            " at the same bar.",
            "TA-Lib MACD(12, 26, 9)"),
    Feature("macd_signal", _signal, "price", 33, "EMA 9 of macd.", "TA-Lib MACD(12, 26, 9)"),
    Feature("macd_histogram", _histogram, "price", 33,
            "macd less macd_signal.",
            "TA-Lib MACD(12, 26, 9)"),
    Feature("rsi_14", plta.rsi(_close, timeperiod=14), "0 to 100", 14,
            "Relative strength index, by Wilder's smoothing; 0 when the price is flat.",
            "TA-Lib RSI(14)"),
    Feature("bb_upper_20", _upper, "price", 19,
            "Upper Bollinger band: the mean and 2 population deviations.",
            "TA-Lib BBANDS(20, 2, 2)"),
    Feature("bb_middle_20", _middle, "price", 19,
            "Middle Bollinger band: mean of the last 20 closes.",
            "TA-Lib BBANDS(20, 2, 2)"),
    Feature("bb_lower_20", _lower, "price", 19,
            "Lower Bollinger band: the mean less 2 population deviations.",
            "TA-Lib BBANDS(20, 2, 2)"),
    Feature("bb_bandwidth_20", pl.when(_middle > 0).then((_upper - _lower) / _middle), "ratio", 19,
            "Distance between the Bollinger bands over the middle one.",
            "(bb_upper_20 - bb_lower_20) / bb_middle_20"),
    Feature("bb_percent_b_20", (_close - _lower) / (_upper - _lower), "ratio", 19,
            "%b: where the close is between the bands, 0 at the lower and 1 at the upper; null when"
            " the bands meet.",
            "(close - bb_lower_20) / (bb_upper_20 - bb_lower_20)"),
    Feature("tr", plta.trange(_high, _low, _close), "price", 1,
            "True range: the range of the session, stretched to the close before.",
            "TA-Lib TRANGE"),
    Feature("atr_14", plta.atr(_high, _low, _close, timeperiod=14), "price", 14,
            "Average true range, by Wilder's smoothing.",
            "TA-Lib ATR(14)"),
    Feature("plus_di_14", plta.plus_di(_high, _low, _close, timeperiod=14), "0 to 100", 14,
            "Directional indicator of rises, by Wilder's smoothing.",
            "TA-Lib PLUS_DI(14)"),
    Feature("minus_di_14", plta.minus_di(_high, _low, _close, timeperiod=14), "0 to 100", 14,
            "Directional indicator of falls, by Wilder's smoothing.",
            "TA-Lib MINUS_DI(14)"),
    Feature("adx_14", plta.adx(_high, _low, _close, timeperiod=14), "0 to 100", 27,
            "Average directional index: how strong a trend is, whichever way; 0 when the price is"
            " flat.",
            "TA-Lib ADX(14)"),
    Feature("stoch_k_14", _k, "0 to 100", 17,
            "Slow %K: where the close is in the range of the last 14 sessions, mean of 3; 0 when"
            " the price is flat.",
            "TA-Lib STOCH(14, 3, 3)"),
    Feature("stoch_d_14", _d, "0 to 100", 17, "Slow %D: mean of 3 stoch_k_14.",
            "TA-Lib STOCH(14, 3, 3)"),
    Feature("obv", plta.obv(_close, _volume), "shares", 0,
            "On-balance volume, from the first bar on: volume is added on a rise of the close,"
            " taken off on a fall.",
            "TA-Lib OBV"),
    Feature("mfi_14", plta.mfi(_high, _low, _close, _volume, timeperiod=14), "0 to 100", 14,
            "Money flow index: rises' share of typical price times volume in the last 14 sessions;"
            " 0 when less than 1 flowed.",
            "TA-Lib MFI(14)"),
    Feature("volatility_20", _log.rolling_std(20) * math.sqrt(YEAR), "ratio a year", 20,
            "Realised volatility: sample deviation of the last 20 log returns, annualised.",
            f"std(log_return_1d, 20 sessions, ddof 1) * sqrt({YEAR})"),
    Feature("high_252", pl.col("_year_high"), "price", YEAR - 1,
            "Highest high of 52 weeks.",
            f"TA-Lib MAX({YEAR}) of high"),
    Feature("low_252", pl.col("_year_low"), "price", YEAR - 1,
            "Lowest low of 52 weeks.",
            f"TA-Lib MIN({YEAR}) of low"),
    Feature("distance_high_252", _ratio(_close, pl.col("_year_high")) - 1, "ratio", YEAR - 1,
            "Distance of the close from the high of 52 weeks, 0 or below.",
            "close / high_252 - 1"),
    Feature("distance_low_252", _ratio(_close, pl.col("_year_low")) - 1, "ratio", YEAR - 1,
            "Distance of the close from the low of 52 weeks, 0 or above.",
            "close / low_252 - 1"),
    Feature("drawdown", _ratio(_close, _close.cum_max()) - 1, "ratio", 0,
            "Distance of the close from the highest close since the first bar, 0 or below.",
            "close / max(close so far) - 1"),
    Feature("volume_ratio_20", _volume / plta.sma(_volume, timeperiod=20), "ratio", 19,
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

_NAMES: Final = [feature.name for feature in FEATURES]


_PRICE_UNITS: Final = [
    *(name for name in BAR if name in {*PRICES, "dividend", "capital_gain"}),
    *(feature.name for feature in FEATURES if feature.unit == "price"),
]
_SMALL_PRICE: Final = 1e-3


def compute(bars: pl.DataFrame) -> pl.DataFrame:
    """Compute all features of one ticker.

    Args:
        bars: columns of `bars.BAR` on one split basis, sorted by session; no null or NaN in high,
            low, close, volume and events.

    Returns:
        As many rows, with the columns of `DAILY` less `flags`; what has no value is null.
    """
    scale = _scale(bars)
    in_price_units = pl.col(name for name in _PRICE_UNITS if name in BAR)
    frame = (
        bars.with_columns(in_price_units * scale)
        .lazy()
        .with_columns(_SHARED)
        .select(*BAR, *(feature.expression.alias(feature.name) for feature in FEATURES))
        # on its own, as each side of a `when` would compute the expression again
        .with_columns(pl.when(pl.col(_NAMES).is_finite()).then(pl.col(_NAMES)))
        # a ticker's bars are few: planning costs more than it saves, streaming three times more
        .collect(engine="in-memory", optimizations=pl.QueryOptFlags.none())
    )
    return frame.with_columns(pl.col(_PRICE_UNITS) / scale)


def daily(history: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the table `daily` (`DAILY`) for a ticker's bars (`bars.HISTORY`)."""
    rows = compute(history.select(BAR.keys()))
    return rows.with_columns(history["flags"]).select(DAILY.keys())


def _scale(bars: pl.DataFrame) -> float:
    """Return the power of two that brings tiny prices to about 1, otherwise 1.

    TA-Lib treats differences below 1e-14 as zero. Scaling by a power of two changes no digit, and
    since only the first close decides, no later bar changes an earlier value.
    """
    first = abs(bars["close"][0]) if bars.height else 1.0
    return 2.0 ** -math.floor(math.log2(first)) if 0 < first < _SMALL_PRICE else 1.0
