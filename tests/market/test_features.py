import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import numpy as np
import polars as pl
import polars_talib as plta
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tickerlake.market.bars import BAR, rounded
from tickerlake.market.features import DAILY, FEATURES, compute
from tickerlake.sources.replay import recording

Array = NDArray[np.float64]
Columns = Mapping[str, Array]

RECORDED = recording.load().with_columns(
    capital_gain=pl.lit(0.0), dividend_currency=pl.lit(None, pl.String)
)
REAL = {str(bars["ticker"][0]): bars for bars in RECORDED.partition_by("ticker")}
NAMES = [feature.name for feature in FEATURES]
SHORT = (*range(1, 41), 199, 200, 201, 251, 252, 253)


# --- bars ---------------------------------------------------------------------------------------


def frame(
    opened: Array, high: Array, low: Array, close: Array, volume: Array, dividend: Array
) -> pl.DataFrame:
    rows = len(close)
    first = date(2000, 1, 3)
    return pl.DataFrame(
        {
            "session": [first + timedelta(days=number) for number in range(rows)],
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume.astype(np.int64),
            "dividend": dividend,
            "capital_gain": np.zeros(rows),
            "split": np.ones(rows),
            "currency": ["USD"] * rows,
            "dividend_currency": [None] * rows,
        },
        schema=BAR,
    )


def walk(rows: int, seed: int = 0, start: float = 100.0, size: float = 0.02) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(random.normal(0, size, rows)))
    opened = close * np.exp(random.normal(0, size / 2, rows))
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, size / 2, rows)))
    low = np.minimum(opened, close) * (1 - random.uniform(0, 0.03, rows))
    dividend = np.where(np.arange(rows) % 63 == 40, close * 0.004, 0.0)
    return frame(opened, high, low, close, random.integers(10**4, 10**8, rows), dividend)


def flat(rows: int, price: float, volume: int = 1000) -> pl.DataFrame:
    prices = np.full(rows, price)
    return frame(prices, prices, prices, prices, np.full(rows, volume), np.zeros(rows))


def joined(*closes: Array) -> pl.DataFrame:
    """Bars without a range, so that every move is a gap."""
    close = np.concatenate(closes)
    return frame(close, close, close, close, np.full(len(close), 10**6), np.zeros(len(close)))


GENERATED = {
    "walk": walk(600),
    "calm": walk(600, 1, size=1e-5),
    "wild": walk(600, 2, size=0.2),
    "tiny": walk(600, 3, start=1e-6),
    "huge": walk(600, 4, start=1e9),
    "falling a billionfold": walk(600, 5, start=1e9).with_columns(
        pl.col("open", "high", "low", "close") * np.exp(np.linspace(0, -20, 600))
    ),
    "flat": flat(300, 123.456),
    "flat and tiny": flat(300, 1e-6),
    "flat and huge": flat(300, 1e9),
    "no volume": walk(300, 6).with_columns(volume=pl.lit(0, pl.Int64)),
    "no volume for a while": walk(300, 7).with_columns(
        volume=pl.when(pl.int_range(pl.len()).is_between(100, 160))
        .then(0)
        .otherwise(pl.col("volume"))
    ),
    "flat, jump, flat": joined(np.full(100, 10.0), np.full(100, 1000.0)),
    "gaps": joined(np.tile([100.0, 150.0, 75.0, 75.0, 75.0, 200.0], 50)),
    "rising": joined(np.linspace(10, 400, 300)),
    "falling": joined(np.linspace(400, 10, 300)),
}


@st.composite
def walks(draw: st.DrawFn) -> pl.DataFrame:
    """A random walk of a few moods: still or wild, with and without gaps, range and volume.

    Rounded as the lake's prices are, so that closes repeat and small moves vanish.
    """
    size = st.sampled_from([0.0, 1e-6, 0.02, 0.3])
    mood = st.tuples(st.integers(1, 120), size, size, size, st.sampled_from([1, 10**9]))
    moods = draw(st.lists(mood, min_size=1, max_size=5))
    rows, move, gap, reach, most = (
        np.repeat(each, [rows for rows, *_ in moods]) for each in zip(*moods, strict=True)
    )
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    close = draw(st.floats(1e-5, 1e9)) * np.exp(np.cumsum(random.normal(0, move)))
    opened = close * np.exp(random.normal(0, gap))
    high = np.maximum(opened, close) * (1 + random.uniform(0, reach))
    low = np.minimum(opened, close) * (1 - random.uniform(0, reach))
    dividend = close * 0.01 * (random.random(len(rows)) < 0.02)
    return rounded(frame(opened, high, low, close, random.integers(0, most), dividend))


# --- the oracle: another binding of TA-Lib, or NumPy ----------------------------------------------


def ta_lib(name: str, *columns: Array, **parameters: float) -> tuple[Array, ...]:
    """Call a function of TA-Lib through its binding for Polars; return its lines."""
    inputs = [pl.lit(pl.Series(values)) for values in columns]
    line = pl.select(getattr(plta, name)(*inputs, **parameters)).to_series()
    lines = line.struct.unnest().get_columns() if line.dtype == pl.Struct else [line]
    return tuple(each.cast(pl.Float64).to_numpy().copy() for each in lines)


def shifted(values: Array) -> Array:
    return np.concatenate([[np.nan], values[:-1]])


def windows(of: Callable[..., Array], values: Array, size: int) -> Array:
    """A function of each window of `size` values; NaN until there are as many."""
    result = np.full(len(values), np.nan)
    if len(values) >= size:
        result[size - 1 :] = of(sliding_window_view(values, size), axis=1)
    return result


def log_return(b: Columns) -> Array:
    # the difference of two logarithms would lose the digits of small moves
    return np.log1p((b["close"] - shifted(b["close"])) / shifted(b["close"]))


def total_return(b: Columns) -> Array:
    return (b["close"] - shifted(b["close"]) + b["dividend"] + b["capital_gain"]) / shifted(
        b["close"]
    )


def volatility(b: Columns) -> Array:
    deviation = windows(lambda window, axis: np.std(window, axis, ddof=1), log_return(b)[1:], 20)
    return np.concatenate([[np.nan], deviation * np.sqrt(252)])


def bands(b: Columns) -> tuple[Array, Array, Array]:
    upper, middle, lower = ta_lib("bbands", b["close"], timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
    return upper, middle, lower


def macd(b: Columns) -> tuple[Array, Array, Array]:
    line, signal, histogram = ta_lib(
        "macd", b["close"], fastperiod=12, slowperiod=26, signalperiod=9
    )
    return line, signal, histogram


def stoch(b: Columns) -> tuple[Array, Array]:
    k, d = ta_lib("stoch", *hlc(b), fastk_period=14, slowk_period=3, slowd_period=3)
    return k, d


def hlc(b: Columns) -> tuple[Array, Array, Array]:
    return b["high"], b["low"], b["close"]


def high(b: Columns) -> Array:
    return windows(np.max, b["high"], 252)


def low(b: Columns) -> Array:
    return windows(np.min, b["low"], 252)


ORACLE: dict[str, Callable[[Columns], Array]] = {
    "return_1d": lambda b: np.concatenate([[np.nan], np.diff(b["close"]) / b["close"][:-1]]),
    "log_return_1d": log_return,
    "gap": lambda b: (b["open"] - shifted(b["close"])) / shifted(b["close"]),
    "total_return_1d": total_return,
    "total_return_index": lambda b: np.exp(np.cumsum(np.log1p(np.nan_to_num(total_return(b))))),
    "sma_5": lambda b: ta_lib("sma", b["close"], timeperiod=5)[0],
    "sma_10": lambda b: ta_lib("sma", b["close"], timeperiod=10)[0],
    "sma_20": lambda b: ta_lib("sma", b["close"], timeperiod=20)[0],
    "sma_50": lambda b: ta_lib("sma", b["close"], timeperiod=50)[0],
    "sma_200": lambda b: ta_lib("sma", b["close"], timeperiod=200)[0],
    "ema_12": lambda b: ta_lib("ema", b["close"], timeperiod=12)[0],
    "ema_26": lambda b: ta_lib("ema", b["close"], timeperiod=26)[0],
    "macd": lambda b: macd(b)[0],
    "macd_signal": lambda b: macd(b)[1],
    "macd_histogram": lambda b: macd(b)[2],
    "rsi_14": lambda b: ta_lib("rsi", b["close"], timeperiod=14)[0],
    "bb_upper_20": lambda b: bands(b)[0],
    "bb_middle_20": lambda b: bands(b)[1],
    "bb_lower_20": lambda b: bands(b)[2],
    "bb_bandwidth_20": lambda b: (bands(b)[0] - bands(b)[2]) / bands(b)[1],
    "bb_percent_b_20": lambda b: (b["close"] - bands(b)[2]) / (bands(b)[0] - bands(b)[2]),
    "tr": lambda b: ta_lib("trange", *hlc(b))[0],
    "atr_14": lambda b: ta_lib("atr", *hlc(b), timeperiod=14)[0],
    "plus_di_14": lambda b: ta_lib("plus_di", *hlc(b), timeperiod=14)[0],
    "minus_di_14": lambda b: ta_lib("minus_di", *hlc(b), timeperiod=14)[0],
    "adx_14": lambda b: ta_lib("adx", *hlc(b), timeperiod=14)[0],
    "stoch_k_14": lambda b: stoch(b)[0],
    "stoch_d_14": lambda b: stoch(b)[1],
    "obv": lambda b: ta_lib("obv", b["close"], b["volume"])[0],
    "mfi_14": lambda b: ta_lib("mfi", *hlc(b), b["volume"], timeperiod=14)[0],
    "volatility_20": volatility,
    "high_252": high,
    "low_252": low,
    "distance_high_252": lambda b: (b["close"] - high(b)) / high(b),
    "distance_low_252": lambda b: (b["close"] - low(b)) / low(b),
    "drawdown": lambda b: b["close"] / np.maximum.accumulate(b["close"]) - 1,
    "volume_ratio_20": lambda b: b["volume"] / windows(np.mean, b["volume"], 20),
}

DIVISION_BY_ZERO = {"bb_percent_b_20", "volume_ratio_20"}


def check(bars: pl.DataFrame) -> None:
    """Hold every feature against its oracle, and the rules for nulls."""
    columns = {
        name: bars[name].cast(pl.Float64).to_numpy() for name, of in BAR.items() if of.is_numeric()
    }
    got = compute(bars)
    assert dict(got.schema) == {name: of for name, of in DAILY.items() if name != "flags"}
    assert got.select(BAR.keys()).equals(bars)
    for feature in FEATURES:
        values = got[feature.name]
        assert values.is_finite().all(), f"{feature.name}: NaN or infinity"
        assert values.head(feature.warm_up).null_count() == min(feature.warm_up, bars.height)
        if feature.name not in DIVISION_BY_ZERO:
            assert values.slice(feature.warm_up).null_count() == 0, feature.name
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = ORACLE[feature.name](columns)
        expected[~np.isfinite(expected)] = np.nan
        # sums that run over values of many sizes keep the rounding errors of the largest, and
        # ratios of about the same values those of 1
        scale = np.nanmax(np.abs(expected), initial=0.0, where=~np.isnan(expected))
        absolute = 1e-12 * scale + (1e-14 if feature.unit.startswith("ratio") else 0.0)
        np.testing.assert_allclose(
            values.to_numpy(), expected, rtol=1e-9, atol=absolute, err_msg=feature.name
        )


def test_every_feature_has_an_oracle():
    assert list(ORACLE) == NAMES


@pytest.mark.parametrize("ticker", REAL)
def test_real_bars(ticker):
    """Unadjusted, so that splits are gaps."""
    check(REAL[ticker].select(BAR.keys()))


def test_all_real_bars_are_there():
    assert list(REAL) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_bars(name):
    check(GENERATED[name])


@pytest.mark.parametrize("rows", SHORT)
def test_short_series(rows):
    check(walk(rows, rows))
    check(flat(rows, 5.0, volume=0))


def test_no_rows():
    got = compute(walk(0))
    assert dict(got.schema) == {name: of for name, of in DAILY.items() if name != "flags"}
    assert got.height == 0


@settings(deadline=None, max_examples=30)
@given(walks())
def test_random_walks(bars):
    check(bars)


# --- nulls ----------------------------------------------------------------------------------------


def test_warm_up_is_exactly_as_declared():
    got = compute(walk(300))
    nulls = dict(zip(NAMES, got.select(NAMES).null_count().row(0), strict=True))
    assert nulls == {feature.name: feature.warm_up for feature in FEATURES}


def test_flat_prices_give_what_ta_lib_gives():
    last = compute(flat(300, 123.456)).row(-1, named=True)
    for name in ("rsi_14", "adx_14", "plus_di_14", "minus_di_14", "stoch_k_14", "stoch_d_14"):
        assert last[name] == 0.0
    assert last["bb_bandwidth_20"] == 0.0
    assert last["bb_percent_b_20"] is None
    assert last["volatility_20"] == 0.0


def test_no_volume():
    got = compute(walk(300).with_columns(volume=pl.lit(0, pl.Int64)))
    assert got["volume_ratio_20"].null_count() == got.height
    assert got["obv"].to_list() == [0.0] * got.height


def test_values_beyond_a_float_are_null():
    """Prices that no check forbids."""
    got = compute(joined(np.tile([1e-300, 1e300], 150)))
    assert got.select(pl.col(NAMES).is_finite().all()).row(0) == (True,) * len(NAMES)
    assert got["return_1d"].null_count() > 100


# --- total return ---------------------------------------------------------------------------------


def test_total_return_index_reinvests_dividends():
    bars = joined(np.array([100.0, 98.0, 98.0])).with_columns(
        dividend=pl.Series([7.0, 2.0, 4.9])  # the first one went to whoever held it before
    )
    got = compute(bars)
    assert got["total_return_1d"].to_list() == [None, 0.0, pytest.approx(0.05)]
    assert got["total_return_index"].to_list() == [1.0, 1.0, pytest.approx(1.05)]


# --- the same to the last bit ---------------------------------------------------------------------


def bits(bars: pl.DataFrame) -> bytes:
    """All features, bit for bit: even 0.0 and -0.0 differ."""
    values = compute(bars).select(NAMES)
    return values.to_numpy(order="fortran").tobytes() + repr(values.null_count().row(0)).encode()


@settings(deadline=None, max_examples=30)
@given(walks(), st.data())
def test_later_bars_change_nothing(bars, data):
    rows = data.draw(st.integers(0, bars.height))
    early = compute(bars).head(rows).select(NAMES)
    again = compute(bars.head(rows)).select(NAMES)
    assert early.equals(again)
    assert early.to_numpy().tobytes() == again.to_numpy().tobytes()


@pytest.mark.parametrize("name", GENERATED)
def test_later_bars_change_nothing_at_any_length(name):
    bars = GENERATED[name]
    full = compute(bars).select(NAMES).to_numpy()
    for rows in range(1, bars.height, 7):
        part = compute(bars.head(rows)).select(NAMES).to_numpy()
        assert part.tobytes() == full[:rows].tobytes()


def test_how_the_frame_lies_in_memory_does_not_matter():
    bars = walk(600)
    chunks = pl.concat([bars[:1], bars[1:250], bars[250:]], rechunk=False)
    assert chunks.n_chunks() == 3
    assert bits(chunks) == bits(bars)
    assert bits(pl.concat([bars, bars])[600:]) == bits(bars)


def test_the_number_of_threads_does_not_matter():
    frames = [walk(700, seed) for seed in range(16)]
    alone = [bits(bars) for bars in frames]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(bits, frames)) == alone


@pytest.mark.parametrize("threads", ["1", "7"])
def test_the_size_of_the_thread_pool_does_not_matter_and_pandas_stays_out(threads, tmp_path):
    walk(3000).write_parquet(tmp_path / "bars")
    code = (
        "import sys, polars; from tickerlake.market.features import compute;"
        "compute(polars.read_parquet(sys.argv[1])).write_parquet(sys.argv[2]);"
        "print(polars.thread_pool_size(), 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "bars", tmp_path / "features"],
        env={**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [threads, "False"]
    elsewhere = pl.read_parquet(tmp_path / "features").select(NAMES)
    here = compute(walk(3000)).select(NAMES)
    assert elsewhere.equals(here)
    assert elsewhere.to_numpy().tobytes() == here.to_numpy().tobytes()


# ---- odd markets


@given(st.floats(1e-9, 1e3), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_what_is_a_ratio_does_not_depend_on_the_unit_of_the_price(factor, seed):
    bars = walk(300, seed)
    money = pl.col("open", "high", "low", "close", "dividend", "capital_gain")
    ratios = [feature.name for feature in FEATURES if feature.unit not in ("price", "shares")]
    got = compute(bars.with_columns(money * factor)).select(ratios)
    expected = compute(bars).select(ratios)
    for name in ratios:
        np.testing.assert_allclose(
            got[name].to_numpy(), expected[name].to_numpy(), rtol=1e-6, atol=1e-9, err_msg=name
        )


def test_prices_below_zero_leave_null_what_makes_no_sense():
    bars = walk(600).with_columns(
        pl.when(pl.int_range(pl.len()) == 300)
        .then(-pl.col("close"))
        .otherwise(pl.col("close"))
        .alias("close")
    )
    bars = bars.with_columns(low=pl.min_horizontal("low", "close"))
    got = compute(bars)
    for name in ("return_1d", "log_return_1d", "total_return_1d"):
        assert got[name][300:302].to_list() == [None, None]
        assert got[name][302:].null_count() == 0
    assert got["total_return_index"][:300].null_count() == 0
    assert got["total_return_index"][300:].null_count() == 300
    assert got["volatility_20"][321:].null_count() == 0
    assert got["drawdown"][300] is None
    assert all(got[name].drop_nulls().is_finite().all() for name in NAMES)


def test_a_fund_that_pays_out_what_its_price_falls_by_returns_nothing():
    bars = joined(np.array([20.0, 18.1])).with_columns(
        dividend=pl.Series([0.0, 0.1]), capital_gain=pl.Series([0.0, 1.8])
    )
    assert abs(compute(bars)["total_return_1d"][1]) < 1e-12


def test_a_foreign_dividend_is_in_no_return():
    bars = joined(np.array([6000.0, 6000.0])).with_columns(
        dividend=pl.Series([0.0, 0.5]), dividend_currency=pl.Series([None, "USD"])
    )
    assert compute(bars)["total_return_1d"][1] == 0.0


def test_an_open_that_is_not_known_leaves_null_the_gap_and_nothing_else():
    bars = walk(300)
    got = compute(bars.with_columns(open=pl.lit(None, pl.Float64)))
    assert got["gap"].null_count() == 300
    others = [name for name in NAMES if name != "gap"]
    assert got.select(others).equals(compute(bars).select(others))


@pytest.mark.parametrize("price", [1e-12, 3e-9, 9.99e-4, 1e-3, 1.0, 6e5])
def test_cash_counts_whatever_the_price(price):
    """A token at 1e-9 that pays a tenth of its price returns a tenth."""
    held = joined(np.array([price, price, price])).with_columns(
        dividend=pl.Series([0.0, price / 10, 0.0]), capital_gain=pl.Series([0.0, 0.0, price / 4])
    )
    found = compute(held)
    assert found["total_return_1d"][1:].to_list() == pytest.approx([0.1, 0.25], rel=1e-9)
    assert found["total_return_index"].to_list() == pytest.approx([1, 1.1, 1.375], rel=1e-9)


@pytest.mark.parametrize("growth", [1.0, 1.01, 0.99, 1.0001, 1.3])
def test_a_price_that_grows_evenly_is_not_volatile(growth):
    found = compute(joined(100.0 * growth ** np.arange(60.0)))["volatility_20"][20:]
    assert found.to_list() == [0.0] * 40
