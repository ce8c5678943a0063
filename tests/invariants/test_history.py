"""The first invariant: however a history came about, it equals the one made from raw alone."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, bars, new_lake, objects
from hypothesis import given, settings
from hypothesis import strategies as st

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, history, layout, manifests
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import digest, partitions, to_parquet
from tickerlake.stages import transform, verify

DAY = date(2005, 2, 1)
START = datetime(2005, 3, 1, 22, tzinfo=UTC)


def deliver(
    lake: Lake,
    minutes: int,
    rows: list[dict],
    splits: dict[date, float] | None = None,
    start=DAY,
    restated="",
) -> Manifest:
    """Commit a run of one ticker, fetched so many minutes after the first."""
    blobs = {}
    for partition, part in partitions(bars(*rows), lake.grain):
        blobs[partition] = digest(part)
        key = layout.blob(layout.RAW, partition, "T", blobs[partition])
        lake.store.put_new(key, to_parquet(part))
    as_of = START + timedelta(minutes=minutes)
    entry = Entry(
        outcome="ok",
        start=start,
        end=DAY,
        new=len(rows),
        blobs=blobs,
        splits=splits or {},
        restated=restated,
    )
    manifest = Manifest(
        run_id=manifests.new_run_id(), as_of=as_of, source="test", tickers={"T": entry}
    )
    manifests.commit(lake.store, manifest)
    return manifest


def closes(lake: Lake) -> list[float]:
    stored = history.load(lake, "T")
    return stored.bars["close"].to_list()


def process(lake: Lake) -> None:
    assert transform.transform(lake).exit_code == 0


def test_the_newest_version_of_a_bar_wins_and_a_vendor_may_go_back(lake):
    for minutes, close in enumerate([10.0, 11.0, 10.0]):
        deliver(lake, minutes, [bar(DAY, close)])
        process(lake)
        assert closes(lake) == [close]
    assert verify.verify(lake, workers=1) == []


def test_a_run_that_comes_late_changes_nothing_that_is_newer(lake):
    deliver(lake, 5, [bar(DAY, 10.0)])
    process(lake)
    deliver(lake, 1, [bar(DAY, 9.0), bar(DAY + timedelta(1), 8.0)])
    process(lake)
    assert closes(lake) == [10.0, 8.0]
    assert verify.verify(lake, workers=1) == []


def test_partitions_that_a_restated_past_lacks_are_deleted_even_by_the_next_run(
    any_grain, monkeypatch
):
    lake = any_grain
    first = [bar(DAY + timedelta(number), 10.0 + number) for number in range(0, 800, 100)]
    deliver(lake, 0, first)
    process(lake)
    deliver(lake, 1, first[4:], restated="another basis")
    with monkeypatch.context() as dying:
        dying.setattr("tickerlake.lake.derived.put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            transform.transform(lake)
    deliver(lake, 2, [bar(DAY + timedelta(801), 12.0)])
    process(lake)
    assert len(closes(lake)) == 5
    assert verify.verify(lake, workers=1) == []


def test_a_split_seen_later_brings_older_versions_to_its_basis(lake):
    deliver(lake, 0, [bar(DAY, 90.0), bar(DAY + timedelta(1), 92.0)])
    process(lake)
    split = {DAY + timedelta(2): 2.0}
    deliver(lake, 1, [bar(DAY + timedelta(2), 45.0, split=2.0)], split)
    process(lake)
    assert closes(lake) == [45.0, 46.0, 45.0]
    # as read again on the new basis
    deliver(lake, 2, [bar(DAY, 45.0)], split)
    process(lake)
    stored = history.load(lake, "T")
    assert stored.bars["basis_factor"].to_list() == [1.0, 2.0, 1.0]
    assert closes(lake) == [45.0, 46.0, 45.0]
    # Yahoo withdraws it
    deliver(lake, 3, [bar(DAY + timedelta(2), 45.0)], {})
    process(lake)
    assert closes(lake) == [90.0, 92.0, 45.0]
    assert verify.verify(lake, workers=1) == []


def test_a_split_counts_though_its_own_session_has_no_bar(lake):
    deliver(lake, 0, [bar(DAY, 90.0)])
    deliver(lake, 1, [bar(DAY + timedelta(2), 45.0)], {DAY + timedelta(1): 2.0})
    process(lake)
    assert closes(lake) == [45.0, 45.0]
    assert verify.verify(lake, workers=1) == []


def test_a_window_that_ends_before_a_known_split_withdraws_nothing(lake):
    split = {DAY + timedelta(9): 2.0}
    deliver(lake, 0, [bar(DAY, 45.0), bar(DAY + timedelta(9), 45.0, split=2.0)], split)
    deliver(lake, 1, [bar(DAY + timedelta(1), 46.0)], split)
    process(lake)
    assert closes(lake) == [45.0, 46.0, 45.0]


def test_what_is_not_in_the_columns_survives_the_file(lake):
    splits = {date(2003, 2, 18): 2.0, date(2005, 2, 28): 1.5}
    deliver(lake, 0, [bar(DAY)], splits, start=date(2003, 1, 1))
    process(lake)
    stored = history.load(lake, "T")
    assert stored.splits == splits
    assert history.decode(history.encode(history.Stored(stored)), "k").history.last == stored.last


def test_a_missing_blob_and_a_broken_history_are_named(lake):
    manifest = deliver(lake, 0, [bar(DAY)])
    [(partition, digest)] = manifest.tickers["T"].blobs.items()
    key = layout.blob(layout.RAW, partition, "T", digest)
    lake.store.delete([key])
    with pytest.raises(CorruptObjectError, match=digest):
        history.rebuild(lake, "T")
    lake.store.put(layout.history("T"), b"nonsense")
    with pytest.raises(CorruptObjectError, match="tickerlake repair"):
        history.load(lake, "T")


SESSIONS = [DAY + timedelta(n) for n in range(8)]
VERSION = st.fixed_dictionaries(
    {
        "late": st.integers(0, 3),  # it is committed after so many later fetches
        "process": st.booleans(),
        "crash": st.booleans(),
        "splits": st.dictionaries(
            st.sampled_from(SESSIONS), st.sampled_from([2.0, 1.5, 0.1]), max_size=2
        ),
        "rows": st.dictionaries(st.sampled_from(SESSIONS), st.integers(1, 999), max_size=5),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VERSION, min_size=1, max_size=6))
def test_any_life_equals_a_rebuild(tmp_path_factory, versions):
    lake = new_lake(str(tmp_path_factory.mktemp("life")), "month")
    order = sorted(range(len(versions)), key=lambda n: n + versions[n]["late"])
    for n in order:
        version = versions[n]
        rows = [
            bar(day, cents / 7, split=version["splits"].get(day, 1.0))
            for day, cents in sorted(version["rows"].items())
        ]
        manifest = deliver(lake, n, [*rows], version["splits"])
        if version["process"]:
            process(lake)
        if version["process"] and version["crash"]:  # it died before the receipt
            lake.store.delete([layout.receipt(manifest.run_id)])
    process(lake)
    before = objects(lake)
    assert verify.verify(lake, workers=1) == []
    process(lake)
    assert transform.transform(lake, rebuild=True).exit_code == 0
    assert objects(lake) == before


def test_the_order_of_equal_moments_is_that_of_the_commits(lake):
    deliver(lake, 0, [bar(DAY, 1.0)])
    deliver(lake, 0, [bar(DAY, 2.0)])
    process(lake)
    assert closes(lake) == [2.0]


def test_rows_are_sorted_and_unique(lake):
    deliver(lake, 0, [bar(day, 5.0) for day in SESSIONS[4:]])
    deliver(lake, 1, [bar(day, 6.0) for day in SESSIONS[:6]])
    process(lake)
    stored = history.load(lake, "T")
    assert stored.bars["session"].to_list() == SESSIONS
    assert stored.bars.select(pl.col("close")).to_series().to_list() == [6.0] * 6 + [5.0] * 2


def test_what_a_window_does_not_reach_is_not_withdrawn(lake):
    old, new = DAY - timedelta(20), DAY
    splits = {old: 2.0, new: 3.0}
    deliver(lake, 0, [bar(DAY - timedelta(30), 10.0), bar(DAY, 10.0)], splits, start=old)
    deliver(lake, 1, [bar(DAY + timedelta(1), 10.0)], {}, start=DAY + timedelta(1))
    process(lake)
    held = history.load(lake, "T")
    assert held.splits == splits
    assert held.bars["close"].to_list() == [10.0, 10.0, 10.0]
