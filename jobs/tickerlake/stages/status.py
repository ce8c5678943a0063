"""Status: what the lake holds. It reads only what it needs to: no prices, and no raw data."""

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, manifests
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.parquet import from_parquet
from tickerlake.market import calendars

_Blob = tuple[bytes, str]
"""An object's bytes and its key."""

LAST_RUNS: Final = 5

SIMULATED: Final = timedelta(days=1)
"""A run that was committed this long after the moment that it took for now was a replay's."""


@dataclass(frozen=True)
class Ticker:
    """What is held of a ticker.

    Attributes:
        ticker: its symbol.
        sessions: how many bars are held; 0 when all that arrived is in quarantine.
        first: the session of the first bar, or None.
        last: the session of the last bar, or None.
        behind: how many sessions have closed since the last bar; None when that is not known.
        gaps: the sessions of its exchange between its first and its last bar that have no bar.
        quarantined: how many different rows are in quarantine.
    """

    ticker: str
    sessions: int
    first: date | None
    last: date | None
    behind: int | None
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


def status(lake: Lake, workers: int, *, as_of: datetime | None = None) -> Status:
    """Read the state of the lake.

    Args:
        lake: the lake.
        workers: how many tickers are read at the same time.
        as_of: the moment that says which sessions have closed. None is now, and, in a lake that a
            replay has filled, the moment of its newest run.

    Raises:
        StoreError, CorruptObjectError: as their names say.
    """
    run_ids = manifests.all_ids(lake.store)
    with ThreadPoolExecutor(workers) as pool:
        read = pool.map(lambda run_id: manifests.read(lake.store, run_id), run_ids[-LAST_RUNS:])
        runs = tuple(read)[::-1]
        moment = as_of or _moment(runs)
        quarantine = _quarantine_keys(lake)
        pending = manifests.pending(lake)
        names = sorted(_names(lake, pending) | quarantine.keys())
        held = pool.map(lambda name: _ticker(lake, name, quarantine.get(name, []), moment), names)
        return Status(
            lake=lake.store.url,
            grain=lake.grain,
            tickers=tuple(each for each in held if each.sessions or each.quarantined),
            runs=runs,
            pending=tuple(manifest.run_id for manifest in pending),
        )


def tickers(lake: Lake) -> list[str]:
    """Return the tickers that the lake holds, sorted, whether transformed yet or not."""
    return sorted(_names(lake, manifests.pending(lake)))


def _names(lake: Lake, pending: Iterable[Manifest]) -> set[str]:
    stored = {
        ticker
        for key in lake.store.keys(layout.HISTORY)
        if (ticker := layout.values(key).get("ticker"))
    }
    for manifest in pending:
        stored |= {ticker for ticker, entry in manifest.tickers.items() if entry.delivers}
    return stored


def _moment(runs: Sequence[Manifest]) -> datetime:
    """Return the moment that the lake lives at, given its last runs, newest first."""
    now = datetime.now(UTC)
    if not runs:
        return now
    newest = max(runs, key=lambda run: run.order)
    committed = _committed(newest.run_id)
    return newest.as_of if committed and committed - newest.as_of > SIMULATED else now


def _committed(run_id: str) -> datetime | None:
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S%f%z")
    except ValueError:  # a run of another maker
        return None


def _ticker(lake: Lake, ticker: str, quarantine: Sequence[str], moment: datetime) -> Ticker:
    sessions = _sessions(lake, ticker)
    quarantined = _quarantined(lake, quarantine)
    if sessions.is_empty():
        return Ticker(ticker, 0, None, None, None, (), quarantined)
    exchange = calendars.of(ticker)
    expected = exchange.schedule["session"]
    inside = expected.filter(expected.is_between(sessions[0], sessions[-1]))
    closed = exchange.sessions(sessions[-1], moment)
    return Ticker(
        ticker=ticker,
        sessions=len(sessions),
        first=sessions[0],
        last=sessions[-1],
        behind=int((closed > sessions[-1]).sum()),
        gaps=tuple(inside.filter(~inside.is_in(sessions.implode())).to_list()),
        quarantined=quarantined,
    )


def _sessions(lake: Lake, ticker: str) -> pl.Series:
    """Return the sessions that a ticker's history holds, sorted."""
    key = layout.history(ticker)
    data = lake.store.get(key)
    if data is None:
        return pl.Series("session", [], pl.Date)
    return _column(data, key)


def _quarantine_keys(lake: Lake) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for key in lake.store.keys(layout.QUARANTINE):
        if ticker := layout.values(key).get("ticker"):
            keys.setdefault(ticker, []).append(key)
    return keys


def _quarantined(lake: Lake, keys: Sequence[str]) -> int:
    """Return how many different rows of a ticker are in quarantine.

    Only a partition with several blobs can hold a row twice; of the others no row is read.
    """
    partitions: dict[str, list[_Blob]] = {}
    for key in keys:
        if data := lake.store.get(key):
            partitions.setdefault(layout.folder(key), []).append((data, key))
    alone = [blobs[0] for blobs in partitions.values() if len(blobs) == 1]
    shared = [blobs for blobs in partitions.values() if len(blobs) > 1]
    return _height(alone) + sum(
        pl.concat([from_parquet(*blob) for blob in blobs], how="diagonal").unique().height
        for blobs in shared
    )


def _height(blobs: Sequence[_Blob]) -> int:
    """Return how many rows Parquet files have in total."""
    if not blobs:
        return 0
    try:  # all at once: most of the time goes into the single call
        files: list[Any] = [io.BytesIO(data) for data, _ in blobs]
        return pl.read_parquet(files, columns=["session"], hive_partitioning=False).height
    except pl.exceptions.PolarsError:
        return sum(len(_column(*blob)) for blob in blobs)  # one of them is damaged: name it


def _column(data: bytes, key: str) -> pl.Series:
    """Read nothing but the sessions of a Parquet file."""
    try:
        return pl.read_parquet(io.BytesIO(data), columns=["session"], hive_partitioning=False)[
            "session"
        ]
    except pl.exceptions.PolarsError as error:
        raise CorruptObjectError(
            f"{key} can't be read ({error}); `tickerlake transform --rebuild` rebuilds what is"
            " derived from raw"
        ) from error
