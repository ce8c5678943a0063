"""All features of 500 tickers x 2,520 sessions: tickerlake, pandas groupby, and bare TA-Lib.

`python benchmarks/features.py`, in the development environment. Every peer computes all features
from bars in memory, the way its users hold them: tickerlake in one frame per ticker, pandas in one
long frame, TA-Lib in one dict of arrays per ticker. Values are compared first, on a few tickers.
pandas' `ewm` starts from the first value, TA-Lib's averages from a mean, so what `ewm` gives (EMA,
MACD, RSI, ATR, DI, ADX) is compared only where the start no longer matters; everything else agrees
from its first bar on.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import talib

from tickerlake.market.bars import BAR
from tickerlake.market.features import FEATURES, compute

TICKERS = 500
SESSIONS = 2520
RUNS = 3
FORGOTTEN = 1500
SEEDED = ("ema", "macd", "rsi", "atr", "plus_di", "minus_di", "adx")
NAMES = [feature.name for feature in FEATURES]

Arrays = dict[str, Any]


def bars(seed: int) -> pl.DataFrame:
    """One ticker's random walk, with four dividends a year."""
    random = np.random.default_rng(seed)
    close = random.uniform(5, 500) * np.exp(np.cumsum(random.normal(0.0003, 0.02, SESSIONS)))
    opened = close * np.exp(random.normal(0, 0.005, SESSIONS))
    days = pl.date_range(date(2016, 1, 1), date(2026, 12, 31), eager=True)
    return pl.DataFrame(
        {
            "session": days.filter(days.dt.weekday() < 6).head(SESSIONS),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + random.uniform(0, 0.02, SESSIONS)),
            "low": np.minimum(opened, close) * (1 - random.uniform(0, 0.02, SESSIONS)),
            "close": close,
            "volume": random.integers(10**5, 10**8, SESSIONS),
            "dividend": np.where(np.arange(SESSIONS) % 63 == 40, close * 0.004, 0.0),
            "capital_gain": np.zeros(SESSIONS),
            "split": np.ones(SESSIONS),
            "currency": ["USD"] * SESSIONS,
            "dividend_currency": [None] * SESSIONS,
        },
        schema=BAR,
    )


def ours(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    return [compute(frame) for frame in frames]


def in_threads(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """As many threads as cores, as the local engine has."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compute, frames))


class _Groups:
    """pandas' grouped operations on the columns of one long frame, by its column `ticker`."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.key = frame["ticker"]

    def by(self, values: Any) -> Any:
        return values.groupby(self.key, sort=False)

    def shift(self, values: Any) -> Any:
        return self.by(values).shift()

    def roll(self, values: Any, sessions: int, what: str, **options: int) -> Any:
        return getattr(self.by(values).rolling(sessions), what)(**options).droplevel(0)

    def ema(self, values: Any, span: int) -> Any:
        return self.by(values).ewm(span=span, adjust=False).mean().droplevel(0)

    def wilder(self, values: Any) -> Any:
        return self.by(values).ewm(alpha=1 / 14, adjust=False).mean().droplevel(0)


def with_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """Idiomatic pandas: groupby's own kernels, without calling a Python function per group.

    Args:
        frame: bars of all tickers, sorted by ticker and session, with a RangeIndex.
    """
    g = _Groups(frame)
    opened, high, low, close = (frame[name] for name in ("open", "high", "low", "close"))
    before = g.shift(close)
    total = (close + frame["dividend"]) / before
    f: dict[str, Any] = {
        "return_1d": close / before - 1,
        "log_return_1d": np.log(close / before),
        "gap": opened / before - 1,
        "total_return_1d": total - 1,
        "total_return_index": g.by(total.fillna(1.0)).cumprod(),
    }
    for n in (5, 10, 20, 50, 200):
        f[f"sma_{n}"] = g.roll(close, n, "mean")
    for n in (12, 26):
        f[f"ema_{n}"] = g.ema(close, n)
    f["macd"] = f["ema_12"] - f["ema_26"]
    f["macd_signal"] = g.ema(f["macd"], 9)
    f["macd_histogram"] = f["macd"] - f["macd_signal"]
    width = 2 * g.roll(close, 20, "std", ddof=0)
    f["bb_middle_20"] = f["sma_20"]
    f["bb_upper_20"], f["bb_lower_20"] = f["sma_20"] + width, f["sma_20"] - width
    f["bb_bandwidth_20"] = 2 * width / f["sma_20"]
    f["bb_percent_b_20"] = (close - f["bb_lower_20"]) / (2 * width)
    f["volatility_20"] = g.roll(f["log_return_1d"], 20, "std") * 252**0.5
    f["high_252"], f["low_252"] = g.roll(high, 252, "max"), g.roll(low, 252, "min")
    f["distance_high_252"] = close / f["high_252"] - 1
    f["distance_low_252"] = close / f["low_252"] - 1
    f["drawdown"] = close / g.by(close).cummax() - 1
    f |= pandas_momentum(g, high, low, close, before)
    f |= pandas_volume(g, close - before, (high + low + close) / 3, frame["volume"])
    return pd.concat([frame, pd.DataFrame(f)], axis=1)


def pandas_momentum(g: _Groups, high: Any, low: Any, close: Any, before: Any) -> dict[str, Any]:
    change = close - before
    gain, loss = g.wilder(change.clip(lower=0)), g.wilder(-change.clip(upper=0))
    tr = np.maximum(high, before) - np.minimum(low, before)
    atr = g.wilder(tr)
    up, down = high - g.shift(high), g.shift(low) - low
    plus = g.wilder(up.where((up > down) & (up > 0), 0.0).where(before.notna()))
    minus = g.wilder(down.where((down > up) & (down > 0), 0.0).where(before.notna()))
    lowest, highest = g.roll(low, 14, "min"), g.roll(high, 14, "max")
    slow = g.roll(100 * (close - lowest) / (highest - lowest), 3, "mean")
    return {
        "rsi_14": 100 * gain / (gain + loss),
        "tr": tr,
        "atr_14": atr,
        "plus_di_14": 100 * plus / atr,
        "minus_di_14": 100 * minus / atr,
        "adx_14": g.wilder(100 * (plus - minus).abs() / (plus + minus)),
        "stoch_k_14": slow,
        "stoch_d_14": g.roll(slow, 3, "mean"),
    }


def pandas_volume(g: _Groups, change: Any, typical: Any, volume: Any) -> dict[str, Any]:
    flow, rise = typical * volume, typical - g.shift(typical)
    into = g.roll(flow.where(rise > 0, 0.0).where(rise.notna()), 14, "sum")
    out = g.roll(flow.where(rise < 0, 0.0).where(rise.notna()), 14, "sum")
    return {
        "obv": g.by(np.sign(change).fillna(1.0) * volume).cumsum(),
        "mfi_14": 100 * into / (into + out),
        "volume_ratio_20": volume / g.roll(volume, 20, "mean"),
    }


def with_talib(b: Arrays) -> Arrays:
    """Bare TA-Lib, and NumPy where TA-Lib has no such function."""
    opened, high, low, close = b["open"], b["high"], b["low"], b["close"]
    before = np.concatenate([[np.nan], close[:-1]])
    total = (close + b["dividend"]) / before
    f: Arrays = {
        "return_1d": close / before - 1,
        "log_return_1d": np.log(close / before),
        "gap": opened / before - 1,
        "total_return_1d": total - 1,
        "total_return_index": np.cumprod(np.concatenate([[1.0], total[1:]])),
    }
    for n in (5, 10, 20, 50, 200):
        f[f"sma_{n}"] = talib.SMA(close, n)
    for n in (12, 26):
        f[f"ema_{n}"] = talib.EMA(close, n)
    f["macd"], f["macd_signal"], f["macd_histogram"] = talib.MACD(close, 12, 26, 9)
    f["rsi_14"] = talib.RSI(close, 14)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    f["bb_upper_20"], f["bb_middle_20"], f["bb_lower_20"] = upper, middle, lower
    f["bb_bandwidth_20"] = (upper - lower) / middle
    f["bb_percent_b_20"] = (close - lower) / (upper - lower)
    f["tr"] = talib.TRANGE(high, low, close)
    f["atr_14"] = talib.ATR(high, low, close, 14)
    f["plus_di_14"] = talib.PLUS_DI(high, low, close, 14)
    f["minus_di_14"] = talib.MINUS_DI(high, low, close, 14)
    f["adx_14"] = talib.ADX(high, low, close, 14)
    f["stoch_k_14"], f["stoch_d_14"] = talib.STOCH(
        high, low, close, fastk_period=14, slowk_period=3, slowd_period=3
    )
    f["obv"] = talib.OBV(close, b["volume"])
    f["mfi_14"] = talib.MFI(high, low, close, b["volume"], 14)
    f["volatility_20"] = talib.STDDEV(f["log_return_1d"], 20) * (20 / 19 * 252) ** 0.5
    f["high_252"] = talib.MAX(high, 252)
    f["low_252"] = talib.MIN(low, 252)
    f["distance_high_252"] = close / f["high_252"] - 1
    f["distance_low_252"] = close / f["low_252"] - 1
    f["drawdown"] = close / np.maximum.accumulate(close) - 1
    f["volume_ratio_20"] = b["volume"] / talib.SMA(b["volume"], 20)
    return f


def long_frame(frames: list[pl.DataFrame]) -> pd.DataFrame:
    """All tickers' bars in one pandas frame."""
    parts = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in frames]
    tickers = [f"T{number:03}" for number in range(len(parts))]
    joined = pd.concat(dict(zip(tickers, parts, strict=True)), names=["ticker", None])
    return joined.reset_index("ticker").reset_index(drop=True).astype({"ticker": "category"})


def arrays(frame: pl.DataFrame) -> Arrays:
    return {
        name: frame[name].cast(pl.Float64).to_numpy() for name, of in BAR.items() if of.is_numeric()
    }


def compare(frames: list[pl.DataFrame]) -> None:
    """Raise an AssertionError unless all three agree."""
    mine = [frame.select(NAMES).to_numpy() for frame in ours(frames)]
    panda = with_pandas(long_frame(frames)).groupby("ticker", observed=True)
    for number, (_, frame) in enumerate(panda):
        for column, name in enumerate(NAMES):
            got = mine[number][:, column]
            bare = with_talib(arrays(frames[number]))[name]
            scale = np.nanmax(np.abs(got))
            np.testing.assert_allclose(bare, got, rtol=1e-9, atol=1e-12 * scale, err_msg=name)
            # TA-Lib hides the first values of some, pandas does not
            same = ~np.isnan(got)
            same[: FORGOTTEN if name.startswith(SEEDED) else 0] = False
            np.testing.assert_allclose(
                frame[name].to_numpy()[same], got[same], rtol=1e-8, atol=1e-10 * scale, err_msg=name
            )


def best(ways: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Processor time (user and system) and wall time of each way, which take turns; the best."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, work in ways.items():
            cpu, wall = time.process_time(), time.perf_counter()
            work()
            found[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: (min(c for c, _ in each), min(w for _, w in each)) for name, each in found.items()
    }


def main() -> None:
    frames = [bars(seed) for seed in range(TICKERS)]
    compare(frames[:5])
    frame, columns = long_frame(frames), [arrays(each) for each in frames]
    measured = best(
        {
            "tickerlake": lambda: ours(frames),
            "tickerlake, in threads": lambda: in_threads(frames),
            "TA-Lib and NumPy, a loop": lambda: [with_talib(each) for each in columns],
            "pandas groupby": lambda: with_pandas(frame),
        }
    )
    print(
        f"{len(FEATURES)} features, {TICKERS} tickers x {SESSIONS:,} sessions,"
        f" {os.cpu_count()} cores, best of {RUNS} runs; load {os.getloadavg()[0]:.1f}"
    )
    print("values agree (those of pandas' ewm, which starts differently, after 1,500 sessions)")
    print(f"polars {pl.__version__}, pandas {pd.__version__}, TA-Lib {talib.__version__}\n")
    print(f"{'':26}{'CPU':>8}{'ratio':>8}{'wall':>8}")
    for name, (cpu, wall) in measured.items():
        print(f"{name:26}{cpu:8.2f}{cpu / measured['tickerlake'][0]:7.2f}x{wall:8.2f}")


if __name__ == "__main__":
    main()
