"""Features by other libraries: pandas-ta-classic, vectorbt's TA-Lib runner, qlib's expressions.

`uv run --with pandas-ta-classic --with vectorbt --with pyqlib benchmarks/peers.py [TICKERS]`; they
are no dependencies of tickerlake. Each peer computes those of our features that it has, from bars
in memory (qlib from its own files, which hold single precision), and tickerlake computes all of its
features each time. Values are compared first. CPU is user and system time; all take turns in one
run. A peer's time is divided by how many features it computes.
"""

import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import features
import numpy as np
import pandas as pd
import pandas_ta_classic as ta
import qlib
import vectorbt as vbt
from qlib.data import D

from tickerlake.market.features import FEATURES

Frames = dict[str, pd.DataFrame]

QLIB = {
    "return_1d": "$close / Ref($close, 1) - 1",
    "log_return_1d": "Log($close / Ref($close, 1))",
    "gap": "$open / Ref($close, 1) - 1",
    **{f"sma_{n}": f"Mean($close, {n})" for n in (5, 10, 20, 50, 200)},
    "bb_middle_20": "Mean($close, 20)",
    "high_252": "Max($high, 252)",
    "low_252": "Min($low, 252)",
    "distance_high_252": "$close / Max($high, 252) - 1",
    "distance_low_252": "$close / Min($low, 252) - 1",
    "volume_ratio_20": "$volume / Mean($volume, 20)",
    "volatility_20": "Std(Log($close / Ref($close, 1)), 20) * 15.874507866387544",
}


def with_pandas_ta(frame: pd.DataFrame) -> dict[str, Any]:
    high, low, close, volume = (frame[name] for name in ("high", "low", "close", "volume"))
    found = {f"sma_{n}": ta.sma(close, n) for n in (5, 10, 20, 50, 200)}
    found |= {f"ema_{n}": ta.ema(close, n) for n in (12, 26)}
    macd, bands = ta.macd(close), ta.bbands(close, 20, 2)
    adx, slow = ta.adx(high, low, close, 14), ta.stoch(high, low, close, 14, 3, 3)
    names = ("macd", "macd_histogram", "macd_signal")
    found |= {name: macd.iloc[:, number] for number, name in enumerate(names)}
    names = ("bb_lower_20", "bb_middle_20", "bb_upper_20")
    found |= {name: bands.iloc[:, number] for number, name in enumerate(names)}
    names = ("adx_14", "plus_di_14", "minus_di_14")
    found |= {name: adx.iloc[:, number] for number, name in enumerate(names)}
    return found | {
        "rsi_14": ta.rsi(close, 14), "atr_14": ta.atr(high, low, close, 14),
        "tr": ta.true_range(high, low, close), "stoch_k_14": slow.iloc[:, 0],
        "stoch_d_14": slow.iloc[:, 1], "obv": ta.obv(close, volume),
        "mfi_14": ta.mfi(high, low, close, volume, 14),
    }  # fmt: skip


def with_vectorbt(wide: Frames) -> dict[str, Any]:
    high, low, close, volume = (wide[name] for name in ("high", "low", "close", "volume"))
    run = {name: vbt.talib(name).run for name in (
        "SMA", "EMA", "MACD", "RSI", "BBANDS", "TRANGE", "ATR", "PLUS_DI", "MINUS_DI", "ADX",
        "STOCH", "OBV", "MFI", "MAX", "MIN",
    )}  # fmt: skip
    found = {f"sma_{n}": run["SMA"](close, n).real for n in (5, 10, 20, 50, 200)}
    found |= {f"ema_{n}": run["EMA"](close, n).real for n in (12, 26)}
    macd, bands = run["MACD"](close, 12, 26, 9), run["BBANDS"](close, 20, 2.0, 2.0)
    slow = run["STOCH"](high, low, close, fastk_period=14, slowk_period=3, slowd_period=3)
    return found | {
        "macd": macd.macd, "macd_signal": macd.macdsignal, "macd_histogram": macd.macdhist,
        "bb_upper_20": bands.upperband, "bb_middle_20": bands.middleband,
        "bb_lower_20": bands.lowerband, "stoch_k_14": slow.slowk, "stoch_d_14": slow.slowd,
        "rsi_14": run["RSI"](close, 14).real, "tr": run["TRANGE"](high, low, close).real,
        "atr_14": run["ATR"](high, low, close, 14).real,
        "plus_di_14": run["PLUS_DI"](high, low, close, 14).real,
        "minus_di_14": run["MINUS_DI"](high, low, close, 14).real,
        "adx_14": run["ADX"](high, low, close, 14).real, "obv": run["OBV"](close, volume).real,
        "mfi_14": run["MFI"](high, low, close, volume, 14).real,
        "high_252": run["MAX"](high, 252).real, "low_252": run["MIN"](low, 252).real,
    }  # fmt: skip


def store(folder: Path, frames: Frames) -> None:
    """Write bars as qlib stores them: a binary file for each ticker and column."""
    days = next(iter(frames.values()))["session"].astype(str)
    for name, lines in (
        ("calendars/day.txt", days),
        ("instruments/all.txt", [f"{name}\t{days.iloc[0]}\t{days.iloc[-1]}" for name in frames]),
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("\n".join(lines) + "\n")
    for ticker, frame in frames.items():
        at = folder / "features" / ticker.lower()
        at.mkdir(parents=True)
        for name in ("open", "high", "low", "close", "volume"):
            values = np.concatenate([[0], frame[name].to_numpy()]).astype("<f4")
            values.tofile(at / f"{name}.day.bin")


def with_qlib() -> pd.DataFrame:
    found = D.features(D.instruments("all"), list(QLIB.values()), disk_cache=0)
    found.columns = list(QLIB)
    return found


def same(name: str, got: Any, ours: np.ndarray, digits: float) -> None:
    """Raise an AssertionError unless values are the same where both have one, late enough."""
    late = slice(features.FORGOTTEN, None)
    theirs, values = np.asarray(got, float)[late], ours[late]
    both = np.isfinite(theirs) & np.isfinite(values)
    scale = np.nanmax(np.abs(values))
    np.testing.assert_allclose(
        theirs[both], values[both], rtol=digits, atol=digits * scale, err_msg=name
    )


def cpu() -> float:
    """Seconds of this process, and of the processes that it has started and that have ended."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in each)


def best(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of each way, which take turns; the best."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(features.RUNS):
        for name, work in ways.items():
            begin = cpu()
            work()
            found[name].append(cpu() - begin)
    return {name: min(each) for name, each in found.items()}


def main(tickers: int) -> None:
    bars = [features.bars(seed) for seed in range(tickers)]
    frames = {
        f"T{number:03}": pd.DataFrame(each.to_dict(as_series=False))
        for number, each in enumerate(bars)
    }
    for frame in frames.values():
        frame["volume"] = frame["volume"].astype(float)
    wide = {
        name: pd.DataFrame({ticker: frame[name] for ticker, frame in frames.items()})
        for name in ("open", "high", "low", "close", "volume")
    }
    with tempfile.TemporaryDirectory() as at:
        store(Path(at), frames)
        qlib.init(provider_uri=at, kernels=1, joblib_backend="threading", logging_level=50)
        mine = features.ours(bars[:1])[0]
        first, many, expressions = next(iter(frames.values())), with_vectorbt(wide), with_qlib()
        counts = {"tickerlake": len(FEATURES)}
        for label, found, digits in (
            ("pandas-ta-classic", with_pandas_ta(first), 1e-6),
            ("vectorbt", {name: each.iloc[:, 0] for name, each in many.items()}, 1e-9),
            ("qlib", dict(expressions.loc["T000"].items()), 1e-4),
        ):
            counts[label] = len(found)
            for name, got in found.items():
                same(name, got, mine[name].to_numpy(), digits)
        measured = best(
            {
                "tickerlake": lambda: features.ours(bars),
                "pandas-ta-classic": lambda: [with_pandas_ta(each) for each in frames.values()],
                "vectorbt": lambda: with_vectorbt(wide),
                "qlib": with_qlib,
            }
        )
    load = os.getloadavg()[0]
    print(
        f"{tickers} tickers x {features.SESSIONS:,} sessions, best of {features.RUNS} runs;"
        f" load {load:.1f}"
    )
    print(f"\n{'':22}{'features':>9}{'CPU s':>8}{'us a feature and ticker':>25}{'ratio':>8}")
    unit = {name: seconds / counts[name] / tickers * 1e6 for name, seconds in measured.items()}
    for name, seconds in measured.items():
        ratio = unit[name] / unit["tickerlake"]
        print(f"{name:22}{counts[name]:9}{seconds:8.2f}{unit[name]:25.1f}{ratio:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 500)
