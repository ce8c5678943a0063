"""What a day reads on a lake with many runs: `python benchmarks/reads.py`; about two minutes.

It counts the objects read and the listings of a lake in memory: when it is opened, on a day without
news, by `status`, on a healthy day, on the day after a transform that was killed before its
receipt, on days on which a ticker is broken, and on a day on which an old run arrives late. The law
that the figures show, for T tickers:

    extract     T histories, 1 checkpoint
    transform   T histories, T blobs, 1 manifest twice, 2 checkpoints, however many runs there are
                a day after a crash: the manifest of that run in addition
                a broken ticker: the note on it, and the object that is damaged
                a late run: the checkpoint's part of its tickers, the manifests beside the
                checkpoint (about `checkpointing.TAIL`), and all blobs of the tickers it names

A listing counts once for every 1,000 keys.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

import polars as pl

from tickerlake.lake import (
    Lake,
    backlog,
    blobs,
    checkpointing,
    create_lake,
    history,
    index,
    layout,
    manifests,
)  # fmt: skip
from tickerlake.lake.history import Stored
from tickerlake.lake.manifests import Entry, Manifest, Order
from tickerlake.lake.objects import Found, Versioned
from tickerlake.lake.store import Store
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.sources import Fetched
from tickerlake.stages.extract import extract
from tickerlake.stages.status import status
from tickerlake.stages.transform import transform

RUNS = (10, 100, 1_000, 10_000)
TICKERS = [f"T{number:03}" for number in range(20)]
SCHEDULE = calendars.of("T000").schedule["session"]
DAYS = SCHEDULE.filter(SCHEDULE.is_between(date(2025, 1, 2), date(2025, 6, 30))).to_list()
HELD = 60
"""Sessions that a lake holds at the beginning."""
PAGE = 1_000
"""Keys that S3 lists with one request."""


class Market:
    """A source that has a bar of every session up to today."""

    name = "market"

    def __init__(self, today: date) -> None:
        self.today = today

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:  # noqa: ARG002
        """See `sources.Source`."""
        days = [day for day in DAYS if start <= day <= min(end, self.today)]
        number = TICKERS.index(symbol)
        rows = [
            {
                "session": day,
                **dict.fromkeys(("open", "high", "low", "close"), 100.0 + number + day.day),
                "volume": 1_000,
                "dividend": 0.0,
                "capital_gain": 0.0,
                "split": 1.0,
                "currency": "USD",
                "source": self.name,
            }
            for day in days
        ]
        return Fetched(pl.DataFrame(rows, schema=RAW))


class Counting(Store):
    """A store that counts what is read and how often it is listed."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner.url, inner._objects)  # noqa: SLF001 - the same objects
        self.reads: Counter[str] = Counter()
        self.listings = 0
        self._guard = threading.Lock()

    def get_versioned(self, key: str) -> Versioned | None:
        """Count a read."""
        with self._guard:
            self.reads[key.partition("/")[0]] += 1
        return super().get_versioned(key)

    def find_all(self, prefix: str) -> Iterator[Found]:
        """Count a listing."""
        found = list(super().find_all(prefix))
        self.listings += max(1, -(-len(found) // PAGE))
        return iter(found)


def evening(day: date) -> datetime:
    return datetime.combine(day, time_of_day(22, 30), UTC)


def lived(runs: int) -> Lake:
    """Create a lake with a number of past runs, each of which names every ticker."""
    lake = create_lake("memory://", "year")
    first = Market(DAYS[HELD - 1])
    extract(lake, first, TICKERS, as_of=evening(first.today), start=DAYS[0], workers=1)
    transform(lake)
    [manifest] = manifests.read_all(lake.store, manifests.all_ids(lake.store))
    said_again = Entry(outcome="ok", start=DAYS[0], end=DAYS[0], splits={})
    last = manifest.order
    for number in range(1, runs):
        made = evening(first.today) + timedelta(seconds=number)
        run_id = f"{made:%Y%m%dT%H%M%S%fZ}-{number:06x}"
        again = Manifest(
            run_id=run_id,
            as_of=made,
            source="market",
            tickers=dict.fromkeys(TICKERS, said_again),
        )
        manifests.commit(lake.store, again)
        manifests.acknowledge(lake.store, again)
        last = max(last, again.order)
    for ticker in TICKERS:
        remember(lake, ticker, last)
    index.update(lake.store, {ticker: indexed(lake, ticker) for ticker in TICKERS})
    checkpointing.tidy(lake.store, backlog.survey(lake.store))
    return lake


def remember(lake: Lake, ticker: str, last: Order) -> None:
    """Store what folding in the manifests would give: as they deliver no bar, only a new `last`."""
    stored = history.load_stored(lake, ticker)
    held = replace(stored.history, last=last)
    lake.store.put(layout.history(ticker), history.encode(Stored(held)))


def indexed(lake: Lake, ticker: str) -> tuple[str, str]:
    """Return the version of a history, and what it says."""
    stored = history.load_stored(lake, ticker)
    return stored.version or "", index.encode(stored.history)


def day(lake: Lake, number: int) -> tuple[Counter[str], int]:
    """Bring in a session; return what each stage read, and the listings."""
    store = Counting(lake.store)
    counted = Lake(store, lake.grain)
    today = DAYS[HELD + number]
    extract(counted, Market(today), TICKERS, as_of=evening(today), start=DAYS[0], workers=1)
    reads = Counter(extract=store.reads.total())
    transform(counted)
    reads["transform"] = store.reads.total() - reads["extract"]
    return reads, store.listings


def after_a_crash(lake: Lake) -> tuple[Counter[str], int]:
    """Count the day after a transform that was killed before its receipt."""
    day(lake, 0)
    lake.store.delete([layout.receipt(manifests.all_ids(lake.store)[-1])])
    return day(lake, 1)


def with_a_broken_ticker(lake: Lake) -> tuple[Counter[str], int]:
    """Count the third day on which a blob of a ticker is damaged."""
    today = DAYS[HELD]
    extract(lake, Market(today), TICKERS, as_of=evening(today), start=DAYS[0], workers=1)
    [manifest] = manifests.pending(lake)
    [(partition, name)] = manifest.tickers[TICKERS[0]].blobs.items()
    lake.store.put(layout.blob(layout.RAW, partition, TICKERS[0], name), b"garbage")
    transform(lake)
    day(lake, 1)
    return day(lake, 2)


def with_a_late_run(lake: Lake) -> tuple[Counter[str], int]:
    """Count the day on which an old run arrives that names one ticker."""
    rows = Market(DAYS[0]).fetch(TICKERS[0], DAYS[0], DAYS[0], "").bars
    names = blobs.write(lake, layout.RAW, TICKERS[0], rows)
    entry = Entry(outcome="ok", start=DAYS[0], end=DAYS[0], new=1, blobs=names, splits={})
    late = Manifest(
        run_id=manifests.new_run_id(),
        as_of=evening(DAYS[1]),
        source="market",
        tickers={TICKERS[0]: entry},
    )
    manifests.commit(lake.store, late)
    return day(lake, 0)


def opening(lake: Lake) -> tuple[Counter[str], int]:
    """Count what it takes to know which runs there are, and which are pending."""
    store = Counting(lake.store)
    backlog.read(store, backlog.survey(store))
    return Counter(transform=store.reads.total()), store.listings


def without_news(lake: Lake) -> tuple[Counter[str], int]:
    """Count a run on an evening on which there is nothing to fetch."""
    return day(lake, -1)


def told(lake: Lake) -> tuple[Counter[str], int]:
    """Count `status`, with all its tickers."""
    store = Counting(lake.store)
    status(Lake(store, lake.grain), 1)
    return Counter(transform=store.reads.total()), store.listings


KINDS: dict[str, Callable[[Lake], tuple[Counter[str], int]]] = {
    "opening a lake": opening,
    "a day without news": without_news,
    "status": told,
    "a healthy day": lambda lake: day(lake, 0),
    "the day after a crash": after_a_crash,
    "a day with a broken ticker": with_a_broken_ticker,
    "a day with a late run": with_a_late_run,
}


def main() -> None:
    print(f"Objects read on a day, by extract + transform; {len(TICKERS)} tickers\n")
    print(f"{'runs in the past':30}" + "".join(f"{runs:>16,}" for runs in RUNS))
    for kind, count in KINDS.items():
        row = []
        for runs in RUNS:
            reads, listings = count(lived(runs))
            row.append(f"{reads['extract']:,} + {reads['transform']:,} ({listings})")
        print(f"{kind:30}" + "".join(f"{cell:>16}" for cell in row))
    print("\nIn brackets: listings, each of which takes a request for every 1,000 keys.")


if __name__ == "__main__":
    main()
