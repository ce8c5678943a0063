"""A lake of 500 tickers and 10 years rebuilt from raw, and what copying the same rows takes.

`python benchmarks/rebuild.py`; some minutes. History and refined are gone, so a rebuild reads raw,
folds it into histories, computes all features, and writes everything. The peers compute nothing, so
they are a lower bound: they read the rows of a lake, and write them to the same partitions, one
file each. Each measurement runs in a process of its own, after the libraries have been loaded. At
the end, the rebuilt lake must equal the one before, byte for byte.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from increment import SESSIONS_A_YEAR, TICKERS, WORKERS, alone, make

from tickerlake.lake import open_lake
from tickerlake.stages.transform import transform

YEARS: Final = 10
RUNS: Final = 3
RAW: Final = "raw"
DAILY: Final = "refined/daily"


def with_tickerlake(folder: Path) -> float:
    """Seconds to derive history and refined from raw."""
    shutil.rmtree(folder / DAILY, ignore_errors=True)
    shutil.rmtree(folder / "history", ignore_errors=True)
    opened = open_lake(str(folder))
    start = time.perf_counter()
    report = transform(opened, rebuild=True)
    seconds = time.perf_counter() - start
    assert report.exit_code == 0, report
    return seconds


def with_polars(source: Path, target: Path) -> float:
    """Seconds to copy rows, a partition at a time, on as many threads."""

    def copy(file: Path) -> None:
        to = target / file.parent.relative_to(source)
        to.mkdir(parents=True)
        frame = pl.read_parquet(file, hive_partitioning=False)
        frame.sort("session").write_parquet(to / "data.parquet", compression="zstd")

    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(copy, sorted(source.glob("date=*/ticker=*/*.parquet"))))
    return time.perf_counter() - start


def with_pyarrow(source: Path, target: Path) -> float:
    """Seconds to copy rows as a data set, on pyarrow's own threads."""
    start = time.perf_counter()
    keys = pa.schema([("date", pa.string()), ("ticker", pa.string())])
    partitions = ds.partitioning(keys, flavor="hive")
    ds.write_dataset(
        ds.dataset(source, partitioning=partitions),
        target,
        format="parquet",
        file_options=ds.ParquetFileFormat().make_write_options(compression="zstd"),
        partitioning=partitions,
        max_partitions=100_000,
        max_open_files=500,
    )
    return time.perf_counter() - start


def copied(work: Callable[[Path, Path], float], source: Path, target: Path) -> float:
    """Copy in a process of its own, and remove the copy."""
    seconds = alone(work, source, target)
    assert len(list(target.rglob("*.parquet"))) == len(list(source.rglob("*.parquet")))
    shutil.rmtree(target)
    return seconds


def differences(one: Path, other: Path) -> list[Path]:
    """The files that differ between the two folders."""
    files = {path.relative_to(at) for at in (one, other) for path in at.rglob("*.parquet")}
    return [
        path
        for path in sorted(files)
        if not (one / path).exists()
        or not (other / path).exists()
        or (one / path).read_bytes() != (other / path).read_bytes()
    ]


def main() -> None:
    names = (
        "tickerlake, rebuild",
        "polars, copy bars",
        "pyarrow, copy bars",
        "polars, copy bars and features",
    )
    times: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as at:
        folder, before, copy = Path(at, "lake"), Path(at, "before"), Path(at, "copy")
        alone(make, folder, SESSIONS_A_YEAR * YEARS)
        shutil.copytree(folder / DAILY, before)
        for _ in range(RUNS):
            runs = (
                alone(with_tickerlake, folder),
                copied(with_polars, folder / RAW, copy),
                copied(with_pyarrow, folder / RAW, copy),
                copied(with_polars, before, copy),
            )
            for name, seconds in zip(names, runs, strict=True):
                times[name].append(seconds)
        assert differences(before, folder / DAILY) == []
        files = len(list(before.rglob("*.parquet")))
    rows = len(TICKERS) * SESSIONS_A_YEAR * YEARS
    print(
        f"{rows:,} rows, {len(TICKERS)} tickers x {YEARS} years, {files:,} partitions,"
        f" {WORKERS} workers; median of {RUNS} runs\n"
    )
    print(f"{'':32}{'seconds':>9}{'rows/s':>10}{'ratio':>8}")
    reference = statistics.median(times[names[0]])
    for name, each in times.items():
        seconds = statistics.median(each)
        print(f"{name:32}{seconds:9.2f}{rows / seconds:10,.0f}{seconds / reference:7.2f}x")


if __name__ == "__main__":
    main()
