"""Calibrate `tickerlake plan`, and compare it with lakes: `python benchmarks/plan.py`.

It takes some ten minutes. Lakes are made on the local disk, each in a process of its own: a
backfill, a run a day until the year before is closed, rebuilds, a compaction. From the first ones
it fits the constants of `jobs/tickerlake/stages/plan/speed.py`, and prints them as they stand
there. The last three have other sizes: it prints what the constants in that file predict of them,
and what was measured. Seconds are CPU seconds (user and system).
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from increment import WORKERS, alone, bars, evening

from tickerlake.engines.local import threads
from tickerlake.lake import checkpointing, create_lake, layout, open_lake
from tickerlake.lake.layout import Grain
from tickerlake.market import calendars
from tickerlake.sources import Fetched
from tickerlake.stages import compact
from tickerlake.stages.extract import extract
from tickerlake.stages.plan import speed
from tickerlake.stages.plan.life import Life, Work
from tickerlake.stages.transform import transform_all

LAST: Final = date(2024, 1, 19)
"""The day of the last run: the year before and its months are closed."""


class Shape(NamedTuple):
    """A lake to make: after the years of a backfill, it has a number of runs."""

    tickers: int
    years: int
    grain: Grain
    runs: int = 24


CALIBRATE: Final = (
    Shape(20, 1, "day"),
    Shape(40, 1, "year"),
    Shape(40, 10, "year"),
    Shape(40, 4, "month"),
    Shape(120, 2, "month"),
    Shape(8, 2, "year", 160),
)
COMPARE: Final = (Shape(15, 2, "day"), Shape(60, 5, "month"), Shape(60, 6, "year", 60))

PREFIXES: Final = {
    "blob": layout.RAW,
    "daily": layout.DAILY,
    "history": layout.HISTORY,
    "tickers": layout.TICKERS,
    "manifest": layout.RUNS,
    "receipt": layout.RECEIPTS,
    "archive": layout.ARCHIVE,
    "entries": layout.ENTRIES,
    "index": layout.INDEX,
}
SAMPLE: Final = 300


class Walk:
    """A source of random walks, whose bars end today."""

    name = "memory"

    def __init__(self, days: pl.Series, tickers: Iterable[str]) -> None:
        self._bars = {ticker: bars(days, number) for number, ticker in enumerate(tickers)}
        self.today = LAST

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:  # noqa: ARG002
        """See `sources.Source`."""
        inside = pl.col("session").is_between(start, min(end, self.today))
        return Fetched(self._bars[symbol].filter(inside))


class Done(NamedTuple):
    """A stage that was done: its CPU seconds, and the work that the model says it was."""

    stage: str
    step: str
    cpu: float
    work: Work


class Lived(NamedTuple):
    """A lake that was made: what was done, its model, and its files: bars (if any) and bytes."""

    done: list[Done]
    life: Life
    files: dict[str, list[tuple[int, int]]]
    stored: int


class Making:
    """A lake that is being made, beside its model."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        schedule = calendars.of("T000").schedule["session"]
        self.runs = schedule.filter(schedule <= LAST).tail(shape.runs).to_list()
        start = self.runs[0] - timedelta(days=365 * shape.years)
        self.days = schedule.filter(schedule.is_between(start, LAST)).to_list()
        tickers = [f"T{number:03}" for number in range(shape.tickers)]
        self.source, self.tickers = Walk(pl.Series(self.days), tickers), tickers
        self.lake = create_lake(str(folder), shape.grain)
        self.life = Life(shape.tickers, shape.grain)
        self.done: list[Done] = []

    def measure(self, stage: str, step: str, work: Work, call: Callable[[], Any]) -> None:
        """Do something, and note what it took."""
        start = sum(os.times()[:2])
        assert call().exit_code == 0
        self.done.append(Done(stage, step, sum(os.times()[:2]) - start, work))

    def bring(self, step: str, sessions: Sequence[date]) -> None:
        """Extract and transform sessions."""
        self.source.today = sessions[-1]
        as_of, start = evening(sessions[-1]), self.days[0]
        work = self.life.extract(sessions)
        self.measure("extract", step, work, lambda: extract(
            self.lake, self.source, self.tickers, as_of=as_of, start=start, workers=WORKERS,
        ))  # fmt: skip
        self.lake = open_lake(self.lake.store.url)
        self.measure(
            "transform", step, self.life.transform(),
            lambda: transform_all(self.lake, engine=threads()),
        )  # fmt: skip

    def rebuild(self, step: str) -> None:
        """Rebuild everything."""
        self.measure(
            "rebuild", step, self.life.rebuild(),
            lambda: transform_all(self.lake, engine=threads(), rebuild=True),
        )  # fmt: skip

    def compact(self, *, is_later: bool) -> None:
        """Compact what is closed."""
        self.measure(
            "compact", "a compaction", self.life.compact(LAST, is_later=is_later),
            lambda: compact.compact(self.lake, workers=WORKERS),
        )  # fmt: skip


def lived(folder: Path, shape: Shape) -> Lived:
    """Make a lake, as if a day passed between its runs."""
    checkpointing.GRACE = -1.0  # type: ignore[misc]
    compact.GRACE = timedelta(days=-1)  # type: ignore[misc]
    making = Making(folder, shape)
    making.bring("backfill", [day for day in making.days if day < making.runs[0]])
    for day in making.runs:
        making.bring("a day", [day])
    stored = {kind: files(folder, kind) for kind in PREFIXES}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    life = Life(**vars(making.life))
    life.partitions = {name: type(each)(**vars(each)) for name, each in life.partitions.items()}
    making.rebuild("a rebuild")
    making.compact(is_later=False)
    stored["pack"] = [each for each in files(folder, "blob", "pack.parquet") if each]
    making.compact(is_later=True)
    making.rebuild("a rebuild after it")
    return Lived(making.done, life, stored, size)


def files(folder: Path, kind: str, pattern: str = "*") -> list[tuple[int, int]]:
    """Return bars (0 if it has none) and bytes of files of a kind."""
    place = folder / PREFIXES[kind]
    if place.is_file():
        return [(0, place.stat().st_size)]
    found = [path for path in sorted(place.rglob(pattern)) if path.is_file()]
    if kind == "blob":
        found = [path for path in found if path.suffix == ".parquet"]
    if kind in ("blob", "daily", "history"):
        found = found[:: max(1, len(found) // SAMPLE)]
    return [
        (pl.read_parquet_schema(path) and height(path) if path.suffix == ".parquet" else 0,
         path.stat().st_size)
        for path in found
    ]  # fmt: skip


def height(path: Path) -> int:
    """Return how many rows a file has."""
    return int(pl.scan_parquet(path, hive_partitioning=False).select(pl.len()).collect().item())


def fit(rows: Sequence[Sequence[float]], measured: Sequence[float]) -> list[float]:
    """Return factors, none negative, whose sums over rows miss what was measured the least.

    What counts is the relative error.
    """
    wanted = np.ones(len(rows))
    table = np.array(rows, float) / np.array(measured)[:, None]
    best, missed = np.zeros(table.shape[1]), np.inf
    for count in range(1, table.shape[1] + 1):
        for columns in combinations(range(table.shape[1]), count):
            found, *_ = np.linalg.lstsq(table[:, columns], wanted, rcond=None)
            error = float(((table[:, columns] @ found - wanted) ** 2).sum())
            if (found >= 0).all() and error < missed - 1e-9:
                best, missed = np.zeros(table.shape[1]), error
                best[list(columns)] = found
    return best.tolist()


def totals(done: Iterable[Done]) -> dict[tuple[str, str], tuple[float, Work]]:
    """Return CPU seconds and work by stage and step."""
    found: dict[tuple[str, str], tuple[float, Work]] = {}
    for each in done:
        cpu, work = found.get((each.stage, each.step), (0.0, Work(runs=0)))
        found[each.stage, each.step] = cpu + each.cpu, work + each.work
    return {key: (cpu, work) for key, (cpu, work) in found.items() if work.tickers}


def calibrate(made: Sequence[Lived]) -> None:
    """Print the constants."""
    print("SPEEDS: Final = {")
    for stage in speed.SPEEDS:
        found = [
            each for one in made for (name, _), each in totals(one.done).items() if name == stage
        ]
        factors = fit([speed.amounts(work) for _, work in found], [cpu for cpu, _ in found])
        print(f'    "{stage}": Speed({", ".join(f"{each:.2e}" for each in factors)}),')
    print("}\nSIZES: Final = {")
    for kind in ("blob", "daily", "history", "pack"):
        rows = [each for one in made for each in one.files[kind]]
        base, bar = fit([(1, count) for count, _ in rows], [size for _, size in rows])
        print(f'    "{kind}": Size({base:.0f}, {bar:.1f}),')
    for kind in ("tickers", "manifest", "receipt", "entries", "index"):
        print(f'    "{kind}": Size({", ".join(f"{each:.1f}" for each in said(kind, made))}),')
    print("}")


def said(kind: str, made: Sequence[Lived]) -> list[float]:
    """Return bytes for each entry of manifests (or ticker), and for each blob that they list."""
    rows, sizes = [], []
    for one in made:
        found = one.files[kind] + (one.files["archive"] if kind == "manifest" else [])
        life = one.life
        if not found:
            continue
        entries = {"manifest": life.said, "receipt": len(life.tail), "entries": life.folded}
        sizes.append(sum(size for _, size in found))
        rows.append((entries.get(kind, life.tickers), life.listed * (kind == "manifest")))
    return fit(rows, sizes)


def compare(made: Mapping[Shape, Lived]) -> None:
    """Print what was predicted, and what was measured."""
    print(f"\n{'':44}{'predicted':>11}{'measured':>11}{'ratio':>8}")
    worst = 1.0
    for shape, one in made.items():
        print(f"{shape.tickers} tickers, {shape.years} years by {shape.grain}, {shape.runs} days")
        for (stage, step), (cpu, work) in totals(one.done).items():
            guess = speed.cpu(stage, work)
            worst = max(worst, guess / cpu, cpu / guess)
            print(
                f"  {f'{step}: {stage}, CPU seconds':42}{guess:11.2f}{cpu:11.2f}{guess / cpu:8.2f}"
            )
        guess, size = speed.size(one.life) / 1e6, one.stored / 1e6
        print(
            f"  {'stored before the compaction, MB':42}{guess:11.1f}{size:11.1f}{guess / size:8.2f}"
        )
    print(f"\nThe worst prediction of seconds is wrong by a factor of {worst:.2f}.")


def main() -> None:
    made = {}
    for shape in (*CALIBRATE, *COMPARE):
        with tempfile.TemporaryDirectory() as folder:
            made[shape] = alone(lived, Path(folder), shape)
        print(f"made {shape}", file=sys.stderr)
    print("Constants of jobs/tickerlake/stages/plan/speed.py\n")
    calibrate([made[shape] for shape in CALIBRATE])
    compare({shape: made[shape] for shape in COMPARE})


if __name__ == "__main__":
    main()
