"""A ticker's bars as NumPy arrays, with the parts that several features share.

Arrays have one value per bar. What has no value is NaN or infinite, and becomes null at the end.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from inspect import unwrap
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Array = NDArray[np.float64]

YEAR: Final = 252
"""Sessions in a year, by convention."""

_SMALL_PRICE: Final = 1e-3
_MONTH: Final = 20  # sessions


def _load_talib() -> SimpleNamespace:
    """Return TA-Lib's own functions, without what its package wraps around them for its Series."""
    module = _load_module()
    names = module.__TA_FUNCTION_NAMES__
    return SimpleNamespace(**{name: unwrap(getattr(module, name)) for name in names})


def _load_module() -> Any:
    """Return the module that TA-Lib's package wraps.

    The package imports pandas, which takes a second, to accept its Series, too. Python documents
    that an import fails where `sys.modules` holds None; TA-Lib then does without pandas.
    """
    name = "talib._ta_lib"
    if name in sys.modules:
        return sys.modules[name]
    package = find_spec("talib")
    if package is None:
        raise ModuleNotFoundError("tickerlake needs the package ta-lib", name="talib")
    spec = PathFinder.find_spec(name, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise ImportError("the package ta-lib lacks its compiled module", name=name)
    module = module_from_spec(spec)
    with _without_pandas():
        spec.loader.exec_module(module)
    module._ta_initialize()  # noqa: SLF001 - as the package itself does
    sys.modules[name] = module  # or the package would load it once more
    return module


@contextmanager
def _without_pandas() -> Iterator[None]:
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["pandas"]


talib: Final = _load_talib()


class Bars:
    """The bars of one ticker.

    Prices are multiplied by `scale`, a power of two that brings tiny ones to about 1, as TA-Lib
    treats differences below 1e-14 as zero. That changes no digit, and since only the first close
    decides, no later bar changes an earlier value.

    Args:
        bars: columns of `bars.BAR`, sorted by session, at least one row; no null in high, low,
            close, volume and events.
    """

    def __init__(self, bars: pl.DataFrame) -> None:
        first = abs(bars["close"][0])
        self.scale = 2.0 ** -math.floor(math.log2(first)) if 0 < first < _SMALL_PRICE else 1.0
        self.open, self.high, self.low, self.close, dividend, gain = (
            _scaled(bars[name].to_numpy(), self.scale)
            for name in ("open", "high", "low", "close", "dividend", "capital_gain")
        )
        self.volume: Array = bars["volume"].to_numpy().astype(np.float64)
        self._cash: Array = dividend + gain
        self._currency = bars["dividend_currency"]

    @cached_property
    def previous(self) -> Array:
        """The close of the session before; NaN for the first."""
        before = np.empty_like(self.close)
        before[0] = np.nan
        before[1:] = self.close[:-1]
        return before

    @cached_property
    def change(self) -> Array:
        """The close over the close before."""
        return ratio(self.close, self.previous)

    @cached_property
    def log_return(self) -> Array:
        """The logarithm of `change`, by Arrow, since NumPy's depends on the processor."""
        logarithms = pc.ln(_column(self.change))
        return np.frombuffer(logarithms.buffers()[1])  # `to_numpy` would import pandas

    @cached_property
    def total(self) -> Array:
        """The close with the cash that went ex, over the close before.

        Cash in another currency can't be added to the price; a plus sign marks cash besides the
        dividend.
        """
        cash = self._cash
        if self._currency.null_count() < len(cash):
            paid = self._currency
            cash = np.where(paid.is_null() | paid.str.starts_with("+"), cash, 0.0)
        return ratio(self.close + cash, self.previous)

    @cached_property
    def worth(self) -> Array:
        """The product of `total` from the first bar on, while no price has been below zero."""
        factors = self.total.copy()
        factors[np.isnan(factors)] = 1.0
        product: Array = np.multiply.accumulate(factors)
        product[np.minimum.accumulate(self.close) <= 0] = np.nan
        return product

    @cached_property
    def volatility(self) -> Array:
        """The annualised sample deviation of 20 log returns; NaN where one of them is.

        TA-Lib's STDDEV would carry the rounding errors of a large move, and a NaN, on for ever.
        """
        mean = _sums(self.log_return) / _MONTH
        squares = _sums(self.log_return * self.log_return)
        spread = squares - _MONTH * mean * mean
        spread[spread < 1e-15 * squares] = 0.0  # no more than rounding errors
        deviation: Array = np.sqrt(spread * (YEAR / (_MONTH - 1)))
        return deviation

    @cached_property
    def macd(self) -> tuple[Array, Array, Array]:
        """MACD, its signal and its histogram."""
        lines: tuple[Array, Array, Array] = talib.MACD(self.close, 12, 26, 9)
        return lines

    @cached_property
    def bands(self) -> tuple[Array, Array, Array]:
        """The upper, middle and lower Bollinger band."""
        lines: tuple[Array, Array, Array] = talib.BBANDS(self.close, 20, 2.0, 2.0)
        return lines

    @cached_property
    def stochastic(self) -> tuple[Array, Array]:
        """Slow %K and slow %D."""
        lines: tuple[Array, Array] = talib.STOCH(self.high, self.low, self.close, 14, 3, 0, 3, 0)
        return lines

    @cached_property
    def year_high(self) -> Array:
        """The highest high of a year."""
        highest: Array = talib.MAX(self.high, YEAR)
        return highest

    @cached_property
    def year_low(self) -> Array:
        """The lowest low of a year."""
        lowest: Array = talib.MIN(self.low, YEAR)
        return lowest


def arrow(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table, without a copy; `pa.table` would import pandas."""
    return pa.RecordBatchReader.from_stream(frame.rechunk()).read_all()


def _column(values: Array) -> pa.Array:
    """Return values as an Arrow array without nulls and without a copy."""
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])


def ratio(value: Array, base: Array) -> Array:
    """Return a value over a price; NaN where either is not positive, as can happen to futures."""
    quotient: Array = value / base
    meaningless = (value <= 0) | (base <= 0)
    if meaningless.any():
        quotient[meaningless] = np.nan
    return quotient


def record_batch(columns: Mapping[str, Array]) -> pa.RecordBatch:
    """Return arrays of the same length as a record batch, without a copy; null if not finite."""
    rows = len(next(iter(columns.values())))
    finite = np.empty((len(columns), rows), dtype=np.bool_)
    for number, values in enumerate(columns.values()):
        np.isfinite(values, out=finite[number])
    packed = np.packbits(finite, axis=1, bitorder="little")
    bits, size = pa.py_buffer(packed), packed.shape[1]
    return pa.record_batch(
        {
            name: pa.Array.from_buffers(
                pa.float64(), rows, [bits.slice(number * size, size), pa.py_buffer(values)]
            )
            for number, (name, values) in enumerate(columns.items())
        }
    )


def _sums(values: Array) -> Array:
    """Return the sum of each value and the 19 before it; NaN where there are fewer.

    Each sum is made on its own: a running one would depend on values that have left it.
    """
    sums = np.full_like(values, np.nan)
    if len(values) >= _MONTH:
        four = values[:-3] + values[1:-2] + values[2:-1] + values[3:]
        eight = four[:-4] + four[4:]
        sums[19:] = eight[:-12] + eight[8:-4] + four[16:]
    return sums


def _scaled(values: Array, scale: float) -> Array:
    return values if scale == 1.0 else values * scale
