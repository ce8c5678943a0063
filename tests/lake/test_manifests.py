"""Manifests: which there are, which are pending, and which are none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import excerpts, layout, manifests
from tickerlake.lake.index import Known
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.notes import Behind, Recheck

MOMENT = datetime(2026, 2, 2, 22, tzinfo=UTC)


def commit(lake, run_id: str, minutes: int = 0, **tickers: Entry) -> Manifest:
    as_of = MOMENT + timedelta(minutes=minutes)
    manifest = Manifest(run_id=run_id, as_of=as_of, source="test", tickers=tickers)
    manifests.commit(lake.store, manifest)
    return manifest


def name(number: int) -> str:
    return f"20260202T2200{number:02}000000Z-0a1b2c"


def test_a_manifest_under_the_name_of_another_run_is_refused(lake):
    manifest = commit(lake, name(1))
    lake.store.put(layout.run(name(2)), lake.store.get(layout.run(name(1))))
    assert manifests.read(lake.store, name(1)) == manifest
    with pytest.raises(CorruptObjectError, match="holds the manifest of run"):
        manifests.read(lake.store, name(2))
    with pytest.raises(UsageError, match="has no run"):
        manifests.read(lake.store, name(3))


def test_a_run_can_not_be_committed_twice_with_other_words(lake):
    commit(lake, name(1))
    commit(lake, name(1))  # the answer to the first attempt was lost
    with pytest.raises(CorruptObjectError, match="must not repeat"):
        commit(lake, name(1), minutes=1)


def test_other_files_in_the_folder_are_no_runs(lake):
    commit(lake, name(1))
    for odd in ("notes.txt", name(2), f"{name(2)}.json.tmp", f"{name(2)}.txt", "x.json"):
        lake.store.put(layout.RUNS + odd, b"{}")
    assert manifests.all_ids(lake.store) == [name(1)]
    assert manifests.pending_ids(lake.store) == [name(1)]


def test_runs_are_pending_until_they_have_their_own_receipt(lake):
    made = [commit(lake, name(number)) for number in range(60)]
    for manifest in made[1::2]:
        manifests.acknowledge(lake.store, manifest)
    assert manifests.all_ids(lake.store) == [name(number) for number in range(60)]
    assert manifests.pending_ids(lake.store) == [name(number) for number in range(0, 60, 2)]


def test_they_are_sorted_by_the_moment_of_the_fetch_and_then_by_the_commit(lake):
    commit(lake, name(1), minutes=5)
    commit(lake, name(2), minutes=1)
    commit(lake, name(4), minutes=1)
    commit(lake, name(3), minutes=1)
    for listed in (manifests.all_ids(lake.store), manifests.all_ids(lake.store)[::-1]):
        found = manifests.read_all(lake.store, listed)
        assert [each.run_id for each in found] == [name(2), name(3), name(4), name(1)]
        assert found[1].order < found[2].order


def test_of_some_tickers_only_they_are_read(lake):
    commit(lake, name(1), A=Entry(outcome="ok"), B=Entry(outcome="failed", reason="no"))
    [manifest] = manifests.read_all(lake.store, [name(1)], {"B"})
    assert manifest.tickers == {"B": Entry(outcome="failed", reason="no")}


def test_a_lost_blob_is_left_out_wherever_it_is_listed(lake):
    digest, other = "0" * 32, "1" * 32
    entry = Entry(outcome="ok", blobs={"2026": digest, "2025": other}, quarantine={"2026": digest})
    commit(lake, name(1), A=entry, B=entry)
    lost = layout.blob(layout.RAW, "2026", "A", digest)
    last = Manifest(run_id=name(2), as_of=MOMENT, source="test", tickers={}, lost=(lost,))
    manifests.commit(lake.store, last)
    commit(lake, name(3), A=entry)  # has fetched the same rows again
    first, _, again = manifests.read_all(lake.store, manifests.all_ids(lake.store))
    assert again.tickers["A"] == entry
    assert first.tickers["A"].blobs == {"2025": other}
    assert first.tickers["A"].quarantine == {"2026": digest}
    assert first.tickers["B"] == entry


def test_new_run_ids_are_moments_and_differ():
    made = [manifests.new_run_id() for _ in range(100)]
    assert len(set(made)) == 100
    assert all(layout.is_object(layout.run(each)) for each in made)
    moments = [
        datetime.strptime(each[:22], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC) for each in made
    ]
    assert abs(moments[-1] - datetime.now(UTC)) < timedelta(minutes=1)
    assert moments == sorted(moments)


@given(st.integers(0, 30), st.integers(0, 40), st.data())
@settings(max_examples=30)
def test_an_excerpt_is_the_manifest_cut_down(held, asked, data):
    """However many tickers are asked for, and whether the run has them or not."""
    symbols = [f"T{n}.AX" for n in range(held)] + ["^GSPC", "BTC-USD", "EURUSD=X"]
    entries = {
        each: Entry(outcome="ok", start=MOMENT.date(), new=n, splits={})
        for n, each in enumerate(symbols)
    }
    manifest = Manifest(run_id=name(1), as_of=MOMENT, source="test", tickers=entries)
    wanted = {f"T{n}.AX" for n in range(asked)}
    wanted |= data.draw(st.sets(st.sampled_from(["^GSPC", "BTC-USD", "GONE.L"])))
    found = excerpts.parse(name(1), manifests.encode(manifest), wanted)
    assert found == manifests.cut(manifest, wanted)
    assert found.tickers.keys() == wanted & entries.keys()
    assert excerpts.parse(name(1), manifests.encode(manifest), None) == manifest


@pytest.mark.parametrize(
    "model",
    [
        Entry(outcome="ok"),
        Manifest(run_id="1", as_of=datetime(2026, 2, 2, tzinfo=UTC), source="test", tickers={}),
        Behind(ticker="A", run_id="1", reason="no"),
        Recheck(at=datetime(2026, 2, 2, tzinfo=UTC), tickers={}),
        Known(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_stored_has_no_unknown_fields_and_does_not_change(model):
    said = model.model_dump()
    assert type(model).model_validate(said) == model
    with pytest.raises(ValidationError, match="extra"):
        type(model).model_validate(said | {"surprise": 1})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model, next(iter(said)), None)


def test_who_says_nothing_more_says_this():
    assert Entry(outcome="ok").model_dump() == {
        "outcome": "ok", "reason": "", "start": None, "end": None, "new": 0, "corrected": 0,
        "blobs": {}, "splits": None, "restated": "", "quarantined": 0, "quarantine": {},
        "rejected": (), "gaps": (), "flags": (), "timezone": None, "listing": None,
        "retired": None, "renamed_from": None, "renamed_to": None,
    }  # fmt: skip
