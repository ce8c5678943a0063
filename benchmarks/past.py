"""One ticker as it is and as it was, in processor time: `python benchmarks/past.py`; minutes.

Two lakes on local disk, one partition a year. The first has 500 tickers with 10 years, fetched at
once, and three more days. The second has lived: 20 tickers with 10 years, and then a run each
evening for 500 more. Most of the time is spent creating them; all bars are generated. Each question
is asked of a lake that was opened for it, so that all that it reads is counted and timed, manifests
included. As it is and as it was are asked alternately.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path

from increment import (
    DAYS,
    SESSIONS_A_YEAR,
    TICKERS,
    Counting,
    alone,
    bars,
    day,
    make,
    sessions,
)

from tickerlake.lake import (
    Lake,
    blobs,
    create_lake,
    establish,
    frames,
    layout,
    manifests,
    open_lake,
    time_travel,
)
from tickerlake.lake.frames import Wanted
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.stages.query import query
from tickerlake.stages.relations import Past
from tickerlake.stages.transform import transform

YEARS = 10
TICKER = "T013"
ROUNDS = 9
EVENINGS = 500

Question = Callable[[Lake, time_travel.State | None], object]


def sql(text: str) -> Question:
    return lambda lake, state: query(lake, text, tables=state and Past(state))


def python(table: str) -> Question:
    return lambda lake, state: frames.read(lake, table, state, Wanted((TICKER,)))


QUESTIONS: dict[str, Question] = {
    "`query`: all columns of `daily`": sql("select * from daily where ticker = 'T013'"),
    "`query`: the highest close": sql("select max(close) from daily where ticker = 'T013'"),
    **{f"`lake.{table}`": python(table) for table in ("daily", "history", "tickers", "raw")},
}


def live(folder: Path) -> None:
    """Create a lake in which each evening's run delivers one bar of each ticker."""
    lake = create_lake(str(folder), "year")
    establish(lake)
    days = sessions(SESSIONS_A_YEAR * YEARS + EVENINGS)
    rows = {ticker: bars(days, seed) for seed, ticker in enumerate(TICKERS[:20])}
    first = SESSIONS_A_YEAR * YEARS
    for number in range(EVENINGS):
        made = datetime.combine(days[first + number], time_of_day(22, 30), UTC)
        entries = {}
        for ticker, every in rows.items():
            part = every[: first + 1] if number == 0 else every[first + number : first + number + 1]
            entries[ticker] = Entry(
                outcome="ok",
                start=part["session"][0],
                end=days[first + number],
                new=part.height,
                blobs=blobs.write(lake, layout.RAW, ticker, part),
                splits={},
            )
        run_id = f"{made:%Y%m%dT%H%M%S%fZ}-{number:06x}"
        run = Manifest(run_id=run_id, as_of=made, source="generated", tickers=entries)
        manifests.commit(lake.store, run)
    transform(lake)


def asked(folder: Path, ask: Question, moment: date | None) -> tuple[float, Counting]:
    """Return how long a question takes, and what was read; DuckDB's own reads are not counted."""
    opened = open_lake(str(folder))
    store = Counting(opened.store)
    lake = Lake(store, opened.grain)
    start = time.process_time()
    ask(lake, time_travel.resolve(lake, moment) if moment else None)
    return time.process_time() - start, store


def compare(folder: Path, moment: date) -> None:
    print("\n| | as it is, ms | as it was, ms | ratio | objects read as it was |")
    print("|---|---|---|---|---|")
    for name, ask in QUESTIONS.items():
        took: Sequence[list[float]] = ([], [])
        for _ in range(ROUNDS):
            for each, then in zip(took, (None, moment), strict=True):
                each.append(asked(folder, ask, then)[0] * 1000)
        now, past = map(statistics.median, took)
        read = asked(folder, ask, moment)[1].objects
        parts = ", ".join(
            f"{n} {part}" for (what, part), n in sorted(read.items()) if what == "read"
        )
        print(f"| {name} | {now:.0f} | {past:.0f} | {past / now:.1f} | {parts} |")


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "many")
        alone(make, folder, SESSIONS_A_YEAR * YEARS, without=DAYS)
        days = alone(sessions, DAYS)
        for session in days:
            alone(day, folder, session)
        print(f"500 tickers with {YEARS} years, as they were two days before")
        compare(folder, days[0])
        folder = Path(parent, "lived")
        alone(live, folder)
        days = alone(sessions, EVENINGS)
        for back in (2, 20, 250):
            print(f"\n{EVENINGS} evenings, as it was {back} sessions before")
            compare(folder, days[-back])


if __name__ == "__main__":
    main()
