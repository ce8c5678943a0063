"""What a day reads does not grow with the runs of the past: counted, not timed."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tickerlake.lake import checkpointing
from tickerlake.stages import transform, verify

FEW, MANY = 105, 250
"""Both have a checkpoint, and the same number of manifests beside it."""


@pytest.fixture(scope="module")
def reads() -> ModuleType:
    """The benchmark, which counts the same for more runs."""
    path = Path(__file__).parents[2] / "benchmarks" / "reads.py"
    spec = importlib.util.spec_from_file_location("reads", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TICKERS = module.TICKERS[:5]
    return module


def test_reads_of_a_day_do_not_grow_with_runs_and_trouble_at_most_doubles_them(reads):
    seen: dict[str, tuple[object, int]] = {}
    kinds = sorted(reads.KINDS.keys() - {"a day with a late run"})
    for runs in (FEW, MANY):
        for kind in kinds:
            counted, listings = reads.KINDS[kind](reads.lived(runs))
            assert (counted, listings) == seen.setdefault(kind, (counted, listings)), kind
    healthy, _ = seen["a healthy day"]
    for kind in ("the day after a crash", "a day with a broken ticker"):
        counted, _ = seen[kind]
        assert counted["transform"] <= 2 * healthy["transform"]
        assert counted["extract"] <= 2 * healthy["extract"]
    tickers = len(reads.TICKERS)
    # each reads the checkpoint and the index; the transform's driver and its worker, the manifest
    assert healthy == {"extract": tickers + 2, "transform": 2 * tickers + 4}
    assert seen["opening a lake"] == ({"transform": 1}, 3)


def test_a_late_run_reads_its_part_of_the_checkpoint_the_tail_and_its_tickers_blobs(reads):
    counted, _ = reads.with_a_late_run(reads.lived(MANY))
    tickers, tail = len(reads.TICKERS), checkpointing.KEPT
    # histories, the others' blobs, the checkpoint, and two manifests for driver, worker and again
    today = tickers + (tickers - 1) + 1 + 3 * 2
    again = 5  # the checkpoint and the index, twice, and a part of the checkpoint
    late_ticker = 1 + 3  # its history again, and its blobs: the first load's, today's, the late one
    assert counted["transform"] == today + tail + again + late_ticker


def test_the_past_that_the_benchmark_makes_is_what_its_runs_give(reads):
    lake = reads.lived(FEW)
    reads.day(lake, 0)
    assert verify.verify(lake, workers=1) == []
    assert transform.transform(lake).exit_code == 0
