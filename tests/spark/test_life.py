"""A life with all that happens to real tickers leaves the same lake on Spark and on threads."""

from datetime import timedelta

import pytest
from helpers import new_lake, objects, tables
from world import FIRST, KINDS, TICKERS, World, evening

from tickerlake.engines.local import threads
from tickerlake.engines.spark import spark as on_spark
from tickerlake.lake import Lake, manifests
from tickerlake.stages import extract, lifecycle, transform, verify

EVENTS = sorted(
    (FIRST + timedelta(days=10 + number), ticker, kind, size)
    for number, kind in enumerate(KINDS)
    for ticker, size in zip(TICKERS, (0.93, 2.0, 0.4714, 7.0), strict=True)
    if (number + len(ticker)) % 3
)


def copy_extracted(source: Lake, target: Lake) -> None:
    for key, data in objects(source, "raw/", "quarantine/").items():
        target.store.put(key, data)


@pytest.mark.spark
@pytest.mark.parametrize("grain", ["day", "month", "year"])
def test_both_engines_leave_the_same_lake(spark, tmp_path, grain):
    local, cluster = (new_lake(str(tmp_path / name), grain) for name in ("local", "cluster"))
    world = World(events=EVENTS)
    engines = {id(local): threads(2), id(cluster): on_spark(spark)}
    for days in (12, 15, 16, 19, 23, 24):
        world.today = FIRST + timedelta(days)
        tickers = list(TICKERS)
        extract.extract(local, world, tickers, as_of=evening(world.today), start=FIRST, workers=2)
        if days == 19:
            lifecycle.rename(local, "AAPL", "NEW", world.today)
            lifecycle.retire(local, "QAN.AX")
        copy_extracted(local, cluster)
        for lake in (local, cluster):
            assert transform.transform(lake, engine=engines[id(lake)]).exit_code == 0
    assert tables(local) == tables(cluster)
    assert tables(local)
    assert verify.verify(cluster, workers=2) == []
    assert manifests.pending_ids(cluster.store) == []
