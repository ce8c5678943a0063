"""Make the recording from the CSV files of bokeh-sampledata: `python tools/record.py`.

The files give unadjusted prices and an adjusted close, both rounded to cents, but no dividends or
splits. These are read off the adjustment factor, adjusted close over close, which is constant from
one event to the next. Rounding leaves an interval of possible factors a day; the intervals of days
with no event between them intersect. Where they do not there is an event, and the step of the
factor is its size.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

import polars as pl

from tickerlake.sources.replay import recording
from tickerlake.sources.replay.recording import FILE, SCHEMA

log = logging.getLogger(__name__)

TICKERS: Final = ("AAPL", "FB", "GOOG", "IBM", "MSFT")

_HALF_A_CENT: Final = 0.005
_SPLIT_TOLERANCE: Final = 0.15


@dataclass(frozen=True)
class Interval:
    """The adjustment factors that prices rounded to cents leave possible."""

    low: float
    high: float

    def __and__(self, other: "Interval") -> "Interval":
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def __mul__(self, ratio: float) -> "Interval":
        return Interval(self.low * ratio, self.high * ratio)

    @property
    def is_empty(self) -> bool:
        """Whether no factor is possible."""
        return self.low > self.high

    @property
    def middle(self) -> float:
        """The best guess."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Event:
    """An ex-date: `split` new shares for an old one, then `dividend`, the cash a new share."""

    session: date
    split: float
    dividend: float


def events(
    sessions: Sequence[date], closes: Sequence[float], adjusted: Sequence[float]
) -> Iterator[Event]:
    """Read the splits and dividends off the adjustment factor.

    Args:
        sessions: ascending.
        closes: unadjusted closes, rounded to cents.
        adjusted: closes adjusted for splits and dividends, rounded to cents.
    """
    stretches = _stretches(closes, adjusted)
    _, before = stretches[0]
    for start, after in stretches[1:]:
        step = after.middle / before.middle
        split = _split(closes[start - 1] / closes[start], step)
        rebased = before * split
        common = rebased & after
        # The last close on the new basis, less the share of it that the step leaves.
        paid = closes[start - 1] / split * (1 - rebased.middle / after.middle)
        dividend = 0.0 if not common.is_empty else round(paid, 2)
        if split != 1.0 or dividend > 0:
            yield Event(sessions[start], split, dividend)
        # A split alone leaves two readings of one factor; the next event is judged by both.
        before = after if common.is_empty else common


def _stretches(closes: Sequence[float], adjusted: Sequence[float]) -> list[tuple[int, Interval]]:
    """The stretches of a constant factor: the first day's number, and the possible factors."""
    stretches: list[tuple[int, Interval]] = []
    for number, (close, value) in enumerate(zip(closes, adjusted, strict=True)):
        factor = Interval((value - _HALF_A_CENT) / close, (value + _HALF_A_CENT) / close)
        common = stretches[-1][1] & factor if stretches else factor
        if not stretches or common.is_empty:
            stretches.append((number, factor))
        else:
            stretches[-1] = (stretches[-1][0], common)
    return stretches


def _split(fall: float, step: float) -> float:
    """The split ratio: a whole number that both the price's fall and the factor's step are near."""
    ratio = max(round(step), 1)
    return float(ratio) if abs(fall / ratio - 1) < _SPLIT_TOLERANCE else 1.0


def bars() -> pl.DataFrame:
    """Read the CSV files, and derive what they leave out.

    Returns:
        Bars (`recording.SCHEMA`), sorted by ticker and session.
    """
    return pl.concat([_bars(ticker) for ticker in TICKERS])


def _bars(ticker: str) -> pl.DataFrame:
    path = files("bokeh_sampledata") / "_data" / f"{ticker}.csv"
    recorded = pl.read_csv(path.read_bytes(), try_parse_dates=True)
    found = pl.DataFrame(
        list(events(*(recorded[name].to_list() for name in ("Date", "Close", "Adj Close")))),
        schema={"Date": pl.Date, "split": pl.Float64, "dividend": pl.Float64},
    )
    split = pl.col("split").fill_null(1.0)
    later_splits = split.cum_prod(reverse=True) / split
    return (
        recorded.join(found, on="Date", how="left", maintain_order="left")
        .select(
            ticker=pl.lit(ticker),
            session="Date",
            open="Open",
            high="High",
            low="Low",
            close="Close",
            # the files' volume, unlike their prices, is split-adjusted
            volume=(pl.col("Volume") / later_splits).round().cast(pl.Int64),
            dividend=pl.col("dividend").fill_null(0.0),
            split=split,
            currency=pl.lit("USD"),
        )
        .cast(SCHEMA)  # type: ignore[arg-type]
    )


def main() -> None:
    """Write the recording into the package."""
    made = bars()
    target = Path(recording.__file__).with_name(FILE)
    made.write_parquet(target, compression="zstd", compression_level=19, statistics=False)
    log.info("wrote %d bars to %s", made.height, target)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
