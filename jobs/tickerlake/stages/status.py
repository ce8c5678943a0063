"""Status: what the lake holds. It reads only what it needs to: no prices, and no raw data."""

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, history, layout, manifests
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.parquet import from_parquet
from tickerlake.market import calendars, exchanges

if TYPE_CHECKING:
    from tickerlake.market.calendars import Exchange

_Blob = tuple[bytes, str]
"""An object's bytes and its key."""

LAST_RUNS: Final = 5

GOING_ON: Final = frozenset({"XNYS", "24/5", "24/7", "us_futures"})
"""Calendars that have no last day."""

_EARLIEST_ZONE: Final = "Pacific/Kiritimati"
"""Where a day begins first."""

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
        behind: how many sessions have closed since the last bar; None when that is not known, or
            the ticker is retired.
        gaps: the sessions of its exchange since its first bar that have no bar.
        quarantined: how many different rows are in quarantine.
        retired: the day after which it is not asked for, or None.
    """

    ticker: str
    sessions: int = 0
    first: date | None = None
    last: date | None = None
    behind: int | None = None
    gaps: tuple[date, ...] = ()
    quarantined: int = 0
    retired: date | None = None


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
    warnings: tuple[str, ...] = ()
    """Sentences for people."""


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
    with ThreadPoolExecutor(workers) as pool:
        last = manifests.all_ids(lake.store)[-LAST_RUNS:]
        runs = tuple(pool.map(lambda run_id: manifests.read(lake.store, run_id), reversed(last)))
        moment = as_of or _moment(runs)
        quarantine = _quarantine_keys(lake)
        pending = manifests.pending(lake)
        names = sorted(_names(lake, pending) | quarantine.keys())
        held = pool.map(lambda name: _ticker(lake, name, quarantine.get(name, []), moment), names)
        shown = tuple(each for each in held if each.sessions or each.quarantined)
    return Status(
        lake=lake.store.url,
        grain=lake.grain,
        tickers=shown,
        runs=runs,
        pending=tuple(manifest.run_id for manifest in pending),
        warnings=tuple(_ending_calendars([each.ticker for each in shown], moment)),
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
    key = layout.history(ticker)
    data = lake.store.get(key)
    if data is None:
        return Ticker(ticker, quarantined=_quarantined(lake, quarantine))
    sessions = _column(data, key)
    known = _known(data, key)
    if sessions.is_empty():
        return Ticker(ticker, quarantined=len(known.rejected), retired=known.retired)
    return Ticker(
        ticker=ticker,
        sessions=len(sessions),
        first=sessions[0],
        last=sessions[-1],
        behind=None if known.retired else _behind(ticker, known.timezone, sessions[-1], moment),
        gaps=known.gaps,
        quarantined=len(known.rejected),
        retired=known.retired,
    )


def _known(data: bytes, key: str) -> History:
    try:
        return history.decode_known(data)
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(key, error) from error


def _behind(ticker: str, timezone: str | None, last: date, moment: datetime) -> int | None:
    """Return how many sessions have closed since the last one that is held.

    Calendars are slow to load, so they are only asked when a day has passed that may be a session.
    """
    place = exchanges.place(ticker, timezone)
    if place is None:
        return None
    today = moment.astimezone(ZoneInfo(timezone or _EARLIEST_ZONE)).date()
    passed = (last + timedelta(days=number) for number in range(1, (today - last).days + 1))
    if not any(day.isoweekday() in place.weekdays for day in passed):
        return 0
    exchange = calendars.of(ticker, timezone)
    if exchange.known is None:
        return None
    closed = exchange.sessions(last + timedelta(days=1), moment)
    return 0 if closed.is_empty() else len(exchange.expected(closed[0], closed[-1]))


def _ending_calendars(tickers: Sequence[str], moment: datetime) -> list[str]:
    """Warn of calendars that end soon; those that go on for ever are not loaded for it."""
    found: dict[str, Exchange] = {}
    for ticker in tickers:
        place = exchanges.place(ticker)
        if place and place.calendar and place.calendar not in GOING_ON:
            found.setdefault(place.calendar, calendars.of(ticker))
    return [
        f"the calendar {exchange.name} ends on {exchange.ends}: update the package"
        " exchange_calendars, or gaps after that day will not be noticed."
        for exchange in found.values()
        if exchange.ends_soon(moment)
    ]


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
        raise _damaged(key, error) from error


def _damaged(key: str, error: Exception) -> CorruptObjectError:
    return CorruptObjectError(
        f"{key} can't be read ({error}); `tickerlake repair` rebuilds it", key
    )
