"""One ticker of 500 with 10 years, as it is and as it was: `python benchmarks/past.py`; minutes.

Most of the time is spent creating the lake (generated bars, local disk, one partition a year) and
three more days in it. Each question is asked of a lake that was opened for it, so that all that it
reads is counted and timed, manifests included.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from increment import DAYS, SESSIONS_A_YEAR, Counting, alone, day, make, sessions

from tickerlake.lake import Lake, frames, open_lake, states
from tickerlake.lake.frames import Wanted
from tickerlake.stages.query import query
from tickerlake.stages.relations import Past

YEARS = 10
TICKER = "T123"
ROUNDS = 7

Question = Callable[[Lake, states.State | None], object]

QUESTIONS: dict[str, Question] = {
    "SQL: all columns": lambda lake, state: query(
        lake, "select * from daily where ticker = 'T123'", tables=state and Past(state)
    ),
    "SQL: the highest close": lambda lake, state: query(
        lake,
        "select max(close) from daily where ticker = 'T123'",
        tables=state and Past(state),
    ),
    "Python: lake.daily": lambda lake, state: frames.read(lake, "daily", state, Wanted((TICKER,))),
    "Python: lake.history": lambda lake, state: frames.read(
        lake, "history", state, Wanted((TICKER,))
    ),
}


def asked(folder: Path, ask: Question, *, past: bool) -> tuple[float, Counting]:
    """Return how long a question takes, and what was read; DuckDB's own reads are not counted."""
    opened = open_lake(str(folder))
    store = Counting(opened.store)
    lake = Lake(store, opened.grain)
    moment = sessions(DAYS)[0]
    start = time.perf_counter()
    ask(lake, states.resolve(lake, moment) if past else None)
    return time.perf_counter() - start, store


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "lake")
        alone(make, folder, SESSIONS_A_YEAR * YEARS, without=DAYS)
        for session in alone(sessions, DAYS):
            alone(day, folder, session)
        print(f"One ticker of 500 with {YEARS} years; median of {ROUNDS} rounds\n")
        print(f"{'':26}{'as it is':>10}{'as it was':>11}{'ratio':>8}   read as it was")
        for name, ask in QUESTIONS.items():
            asked(folder, ask, past=True)
            took = [
                statistics.median(asked(folder, ask, past=past)[0] for _ in range(ROUNDS))
                for past in (False, True)
            ]
            read = asked(folder, ask, past=True)[1].objects
            parts = ", ".join(f"{what} {part}: {n}" for (what, part), n in sorted(read.items()))
            print(f"{name:26}{took[0]:9.3f}s{took[1]:10.3f}s{took[1] / took[0]:7.1f}x   {parts}")


if __name__ == "__main__":
    main()
