"""What a day reads does not grow with the runs of the past: counted, not timed."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tickerlake.stages import transform, verify

FEW, MANY = 3, 40


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
    healthy = {}
    for runs in (FEW, MANY):
        for kind in ("a healthy day", "the day after a crash", "a day with a broken ticker"):
            counted, listings = reads.KINDS[kind](reads.lived(runs))
            healthy.setdefault(kind, (counted, listings))
            assert (counted, listings) == healthy[kind], f"{kind} costs more after {runs} runs"
            assert counted["transform"] <= 2 * healthy["a healthy day"][0]["transform"]
            assert counted["extract"] <= 2 * healthy["a healthy day"][0]["extract"]
    tickers = len(reads.TICKERS)
    # each reads the index, too
    assert healthy["a healthy day"][0] == {"extract": tickers + 1, "transform": 2 * tickers + 2}


def test_a_late_run_reads_every_manifest_once_and_the_blobs_of_its_ticker(reads):
    counted, _ = reads.with_a_late_run(reads.lived(MANY))
    tickers, past = len(reads.TICKERS), MANY + 1
    today = 2 * tickers + 2  # histories, blobs, today's manifest and the late one
    late_ticker = 1 + 3  # its history again, and its blobs: the first load's, today's, the late one
    assert counted["transform"] <= today + past + late_ticker


def test_the_past_that_the_benchmark_makes_is_what_its_runs_give(reads):
    lake = reads.lived(FEW)
    reads.day(lake, 0)
    assert verify.verify(lake, workers=1) == []
    assert transform.transform(lake).exit_code == 0
