"""What the lake holds."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from tickerlake.lake import Lake, history, layout, manifests
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.parquet import from_parquet
from tickerlake.market import calendars

LAST_RUNS: Final = 5


@dataclass(frozen=True)
class Ticker:
    """What is held of a ticker.

    `gaps` are the sessions of its exchange between its first and its last bar that have no bar.
    """

    ticker: str
    sessions: int
    first: date
    last: date
    gaps: tuple[date, ...]
    quarantined: int


@dataclass(frozen=True)
class Status:
    """What the lake holds."""

    lake: str
    grain: str
    tickers: tuple[Ticker, ...]
    runs: tuple[Manifest, ...]
    """The last ones, newest first."""
    pending: tuple[str, ...]
    """The runs that the transformer has yet to process."""


def status(lake: Lake, workers: int) -> Status:
    """Read the state of the lake.

    Raises:
        StoreError, CorruptObjectError: as their names say.
    """
    with ThreadPoolExecutor(workers) as pool:
        quarantined = dict(pool.map(lambda keys: _quarantined(lake, keys), _by_ticker(lake)))
        held = pool.map(lambda name: _ticker(lake, name, quarantined.get(name, 0)), tickers(lake))
        return Status(
            lake=lake.store.url,
            grain=lake.grain,
            tickers=tuple(each for each in held if each),
            runs=tuple(
                manifests.read(lake.store, run_id)
                for run_id in reversed(manifests.all_ids(lake.store)[-LAST_RUNS:])
            ),
            pending=tuple(manifests.pending_ids(lake.store)),
        )


def tickers(lake: Lake) -> list[str]:
    """The tickers that the lake holds, sorted, whether transformed yet or not."""
    stored = {layout.values(key)["ticker"] for key in lake.store.keys(layout.HISTORY)}
    for manifest in manifests.pending(lake):
        stored |= {ticker for ticker, entry in manifest.tickers.items() if entry.delivers}
    return sorted(stored)


def _ticker(lake: Lake, ticker: str, quarantined: int) -> Ticker | None:
    stored, _ = history.read(lake, ticker)
    if stored.bars.is_empty():
        return None
    sessions = stored.bars["session"]
    expected = calendars.of(ticker).schedule["session"]
    inside = expected.filter(expected.is_between(sessions[0], sessions[-1]))
    return Ticker(
        ticker=ticker,
        sessions=len(sessions),
        first=sessions[0],
        last=sessions[-1],
        gaps=tuple(inside.filter(~inside.is_in(sessions.implode())).to_list()),
        quarantined=quarantined,
    )


def _by_ticker(lake: Lake) -> Iterable[tuple[str, list[str]]]:
    keys: dict[str, list[str]] = {}
    for key in lake.store.keys(layout.QUARANTINE):
        keys.setdefault(layout.values(key)["ticker"], []).append(key)
    return keys.items()


def _quarantined(lake: Lake, of: tuple[str, list[str]]) -> tuple[str, int]:
    ticker, keys = of
    rows = [from_parquet(data, key) for key in keys if (data := lake.store.get(key))]
    return ticker, pl.concat(rows).unique().height
