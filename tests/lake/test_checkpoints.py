"""The checkpoint: it says what the manifests said, whoever dies or races while it is written."""

import itertools
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from helpers import Counting
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.errors import ConflictError, CorruptObjectError
from tickerlake.lake import (
    Lake,
    audit,
    backlog,
    by_ticker,
    checkpointing,
    checkpoints,
    create_lake,
    layout,
    manifests,
    time_travel,
)
from tickerlake.lake.checkpoints import Checkpoint, Reader
from tickerlake.lake.commits import Commits
from tickerlake.lake.manifests import Entry, Manifest, Rejected
from tickerlake.lake.store import Store
from tickerlake.market.flags import Flag
from tickerlake.market.listing import Listing

MOMENT = datetime(2026, 2, 2, 22, tzinfo=UTC)
DAY = date(2026, 2, 2)
FULL = Entry(
    outcome="ok",
    reason="because",
    start=DAY,
    end=DAY,
    new=2,
    corrected=1,
    blobs={"2026": "0" * 32},
    splits={DAY: 0.1},
    restated="all of it",
    quarantined=1,
    quarantine={"2026": "1" * 32},
    rejected=(Rejected(DAY, "no_close", "2" * 16),),
    gaps=(DAY,),
    flags=(Flag(DAY, "odd"),),
    timezone="America/New_York",
    listing=Listing(name='A "name"', first_trade_date=DAY),
    retired=DAY,
    renamed_from="B",
    renamed_to="C",
)


def name(number: int) -> str:
    return f"20260202T22{number:04}000000Z-0a1b2c"


def commit(lake: Lake, number: int, *, minutes: int = 0, **tickers: Entry) -> Manifest:
    manifest = Manifest(
        run_id=name(number),
        as_of=MOMENT + timedelta(minutes=minutes),
        source="test",
        tickers=tickers,
        lost=("raw/date=2026/ticker=A/x.parquet",) if number == 1 else (),
    )
    manifests.commit(lake.store, manifest)
    return manifest


def lived(lake: Lake, runs: int, first: int = 0) -> list[Manifest]:
    """Runs with receipts, of which some name few tickers and some many."""
    found = []
    for number in range(first, first + runs):
        names = "ABCDE"[: 1 + number % 5]
        entries = {each: FULL if number % 2 else Entry(outcome="empty") for each in names}
        found.append(commit(lake, number, minutes=-number, **entries))
        manifests.acknowledge(lake.store, found[-1])
    return found


def tidy(lake: Lake) -> None:
    checkpointing.tidy(lake.store, backlog.survey(lake.store))


def everything(lake: Lake, tickers: set[str] | None = None) -> list[Manifest]:
    return manifests.read_all(lake.store, manifests.all_ids(lake.store), tickers)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(checkpointing, "TAIL", 8)
    monkeypatch.setattr(checkpointing, "KEPT", 3)
    monkeypatch.setattr(checkpointing, "PART_ROWS", 7)


def test_it_says_what_the_manifests_said(lake):
    lived(lake, 20)
    before = [everything(lake, each) for each in (None, {"A"}, {"B", "E"}, {"Z"}, set())]
    stamp = time_travel.newest(lake).stamp
    surveyed = backlog.survey(lake.store)
    tidy(lake)
    assert [everything(lake, each) for each in (None, {"A"}, {"B", "E"}, {"Z"}, set())] == before
    assert time_travel.newest(lake).stamp == stamp
    again = backlog.survey(lake.store)
    assert (again.runs, again.receipts) == (surveyed.runs, surveyed.receipts)
    assert [manifests.read(lake.store, each) for each in again.runs] == sorted(
        before[0], key=lambda each: each.run_id
    )
    assert len(list(lake.store.keys(layout.RUNS))) == 3
    assert len(list(lake.store.keys(layout.RECEIPTS))) == 3
    assert list(audit.compare(lake.store)) == []


def test_parts_are_split_between_tickers_and_only_those_asked_for_are_read(lake):
    lived(lake, 20)
    tidy(lake)
    lived(lake, 20, first=20)
    before = everything(lake)
    tidy(lake)
    assert everything(lake) == before
    known = checkpoints.load(lake.store)
    reader = Reader(lake.store, known)
    seen = [set(reader.part(part)["ticker"]) for part in known.parts]
    assert len(seen) > 3
    assert sum(len(each) for each in seen) == len(set().union(*seen))
    assert [part.first for part in known.parts] == sorted({part.first for part in known.parts})
    counting = Counting(lake.store)
    list(Reader(counting, known).documents(known.run_ids, {"C"}))
    assert counting.reads.total() == 1


def test_asked_for_one_ticker_after_the_other_each_part_is_read_once(lake):
    lived(lake, 20)
    tidy(lake)
    lived(lake, 7, first=20)
    run_ids = manifests.all_ids(lake.store)[1:-1]
    known = checkpoints.load(lake.store)
    assert len(known.parts) > by_ticker.PARTS
    counting = Counting(lake.store)
    said = by_ticker.ByTicker(counting, run_ids, "ABCDE", known)
    for ticker in "ABCDE":
        found = manifests.read_all(lake.store, run_ids, {ticker})
        assert list(said.of(ticker)) == [
            each for each in found if ticker in each.tickers and each.tickers[ticker].delivers
        ]
    assert set(counting.reads.values()) == {1}
    assert said.of("Z") == ()


@given(st.lists(st.sampled_from("ABCDEFG"), max_size=40), st.integers(1, 9))
def test_any_rows_are_split_without_loss(tickers, most):
    import polars as pl

    rows = pl.DataFrame({"ticker": sorted(tickers)}, schema={"ticker": pl.String})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpointing, "PART_ROWS", most)
        parts = list(checkpointing._split(rows))
    assert pl.concat(parts).equals(rows)
    names = [each for part in parts for each in dict.fromkeys(part["ticker"])]
    assert len(names) == len(set(names))
    assert all(part.height <= most or part["ticker"].n_unique() == 1 for part in parts)


def test_what_has_no_receipt_stays_and_what_is_late_counts(lake):
    lived(lake, 10)
    pending = commit(lake, 10, A=FULL)
    lived(lake, 10, first=11)
    tidy(lake)
    late = commit(lake, 999, B=FULL)
    odd = Manifest(
        run_id="20200101T000000000000Z-0a1b2c", as_of=MOMENT, source="test", tickers={"A": FULL}
    )
    manifests.commit(lake.store, odd)
    surveyed = backlog.survey(lake.store)
    assert set(surveyed.pending) == {pending.run_id, late.run_id, odd.run_id}
    assert manifests.pending_ids(lake.store) == sorted(surveyed.pending)
    assert len(everything(lake)) == 23
    assert odd.run_id in {each.run_id for each in everything(lake, {"A"})}


def test_a_manifest_that_can_not_be_read_stays_where_it_is(lake):
    lived(lake, 20)
    lake.store.put(layout.run(name(2)), b"garbage")
    tidy(lake)
    assert name(2) not in checkpoints.load(lake.store).run_ids
    assert lake.store.get(layout.run(name(2))) == b"garbage"


class Killed(BaseException):
    """As by SIGKILL."""


class Dying(Store):
    """A store that dies before its n-th write; every deletion is a write."""

    def __init__(self, inner: Store, at: int) -> None:
        super().__init__(inner.url, inner._objects)
        self.at, self.number = at, itertools.count()

    def _write(self, method: str, *arguments: object) -> object:
        if next(self.number) >= self.at:
            raise Killed
        return getattr(super(), method)(*arguments)

    def put(self, key: str, data: bytes) -> None:
        self._write("put", key, data)

    def replace(self, key: str, data: bytes, version: str | None) -> str:
        return str(self._write("replace", key, data, version))

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            self._write("delete", [key])


def test_killed_at_any_write_it_says_the_same_and_the_next_one_finishes(monkeypatch):
    monkeypatch.setattr(checkpointing, "GRACE", -1.0)

    def begun() -> Lake:
        lake = create_lake("memory://", "year")
        lived(lake, 8)
        tidy(lake)
        lived(lake, 9, first=8)
        return lake

    expected = everything(begun())
    at = 0
    while True:
        lake = begun()
        surveyed = backlog.survey(lake.store)
        store = Dying(lake.store, at)
        with suppress(Killed):
            checkpointing.tidy(store, surveyed)
        assert everything(lake) == expected
        assert set(backlog.survey(lake.store).pending) == set()
        died = next(store.number) > at
        tidy(lake)
        assert everything(lake) == expected
        held = checkpoints.load(lake.store).run_ids
        assert len(held) == 14
        assert not held.intersection(manifests.ids(lake.store, layout.RUNS))
        assert not held.intersection(manifests.ids(lake.store, layout.RECEIPTS))
        assert list(audit.compare(lake.store)) == []
        if not died:
            break
        at += 1
    assert at > 20


def test_of_two_at_once_one_wins_and_the_other_changes_nothing(lake):
    lived(lake, 20)
    expected = everything(lake)
    surveyed = backlog.survey(lake.store)
    tidy(lake)
    first = lake.store.get(layout.CHECKPOINT)
    checkpointing.tidy(lake.store, surveyed)
    assert lake.store.get(layout.CHECKPOINT) == first
    assert everything(lake) == expected


def test_a_reader_that_began_before_goes_on_reading(lake):
    """It has listed the manifests, or read the checkpoint, before they were replaced."""
    lived(lake, 8)
    tidy(lake)
    lived(lake, 9, first=8)
    expected = everything(lake)
    ids, old = manifests.all_ids(lake.store), checkpoints.load(lake.store)
    tidy(lake)
    assert [manifests.read(lake.store, each) for each in ids]
    assert manifests.read_all(lake.store, ids) == expected
    assert len(list(Reader(lake.store, old).documents(old.run_ids, None))) == 5


def test_a_receipt_that_comes_after_the_checkpoint_is_swept(lake):
    """A second transform has processed the same run, and is slower."""
    found = lived(lake, 20)
    tidy(lake)
    manifests.acknowledge(lake.store, found[0])
    assert backlog.survey(lake.store).pending == ()
    tidy(lake)
    assert found[0].run_id not in manifests.ids(lake.store, layout.RECEIPTS)


def test_old_parts_are_removed_after_a_day(lake, monkeypatch):
    lived(lake, 20)
    tidy(lake)
    lived(lake, 20, first=20)
    tidy(lake)
    assert set(lake.store.keys(layout.ENTRIES)) > named(lake)
    monkeypatch.setattr(checkpointing, "GRACE", -1.0)
    lived(lake, 20, first=40)
    tidy(lake)
    assert set(lake.store.keys(layout.ENTRIES)) == named(lake)


def delivered(lake: Lake) -> set[str]:
    found = manifests.read_all(lake.store, checkpoints.load(lake.store).run_ids)
    return {name for each in found for name, entry in each.tickers.items() if entry.delivers}


def named(lake: Lake) -> set[str]:
    known = checkpoints.load(lake.store)
    return {layout.entries(each) for each in (known.tickers, *(part.name for part in known.parts))}


def test_a_manifest_in_the_checkpoint_can_be_corrected(lake):
    found = lived(lake, 20)
    tidy(lake)
    right = found[3].model_copy(update={"tickers": {"A": FULL.model_copy(update={"new": 7})}})
    checkpointing.rewrite(lake.store, right)
    assert manifests.read(lake.store, right.run_id) == right
    assert right in everything(lake)
    assert len(everything(lake)) == 20
    assert list(audit.compare(lake.store)) == []
    last = found[-1].model_copy(update={"source": "other"})
    checkpointing.rewrite(lake.store, last)
    assert manifests.read(lake.store, last.run_id) == last
    with pytest.raises(ConflictError):
        checkpointing.fold_or_raise(lake.store, Checkpoint(), [right])


@pytest.mark.parametrize(
    "what",
    ["checkpoint", "lost checkpoint", "part", "lost part", "columns", "tickers", "lost tickers"],
)
def test_a_damaged_checkpoint_says_so_and_is_made_again(lake, what):
    lived(lake, 20)
    expected = everything(lake)
    tidy(lake)
    [part, *_, tickers] = sorted(lake.store.keys(layout.ENTRIES))
    assert checkpoints.tickers(lake.store, checkpoints.load(lake.store)) == delivered(lake)
    match what:
        case "checkpoint":
            lake.store.put(layout.CHECKPOINT, b"garbage")
        case "lost checkpoint":
            lake.store.delete([layout.CHECKPOINT])
        case "part":
            lake.store.put(part, b"garbage")
        case "lost part":
            lake.store.delete([part])
        case "tickers":
            lake.store.put(tickers, b"garbage")
        case "lost tickers":
            lake.store.delete([tickers])
        case _:
            lake.store.put(layout.CHECKPOINT, lake.store.get(part))
    if what == "lost checkpoint":
        assert len(list(audit.compare(lake.store))) == 17
    else:
        with pytest.raises(CorruptObjectError, match="tickerlake repair"):
            list(audit.compare(lake.store))
    if what not in ("lost checkpoint", "tickers", "lost tickers"):
        with pytest.raises(CorruptObjectError, match="tickerlake repair"):
            everything(lake)
    assert audit.mend(lake.store)
    assert everything(lake) == expected
    assert checkpoints.tickers(lake.store, checkpoints.load(lake.store)) == delivered(lake)
    assert audit.mend(lake.store) == []


def test_a_damaged_manifest_in_the_archive_is_written_again(lake):
    found = lived(lake, 20)
    tidy(lake)
    lake.store.put(layout.archived(name(1)), b"garbage")
    lake.store.delete([layout.archived(name(2))])
    wrong = found[3].model_copy(update={"source": "other"})
    lake.store.put(layout.archived(name(3)), manifests.encode(wrong))
    assert [each.run_id for each in audit.compare(lake.store)] == [name(1), name(2), name(3)]
    assert len(audit.mend(lake.store)) == 3
    assert list(audit.compare(lake.store)) == []
    assert manifests.read(lake.store, name(1)) == found[1]
    assert manifests.read(lake.store, name(2)) == found[2]


def test_what_neither_has_returns_to_the_tail(lake):
    lived(lake, 20)
    tidy(lake)
    lake.store.put(layout.CHECKPOINT, b"garbage")
    lake.store.put(layout.archived(name(1)), b"rubbish")
    assert audit.mend(lake.store)
    assert lake.store.get(layout.run(name(1))) == b"rubbish"
    assert len(checkpoints.load(lake.store).run_ids) == 16
    assert backlog.read(lake.store, backlog.survey(lake.store)).damaged


def after(act, request):
    def acted(asked: str) -> object:
        act()
        return request(asked)

    return acted


def test_a_run_that_is_folded_while_the_lake_is_surveyed_is_seen(lake, monkeypatch):
    """Another process folds it between any two requests of ours."""
    for at in range(4):
        made = len(everything(lake))
        lived(lake, 12, first=made)
        steps = iter(range(99))

        def act(steps=steps, at=at):
            if next(steps) == at:
                tidy(lake)

        with monkeypatch.context() as patch:
            for method in ("find", "get_versioned"):
                patch.setattr(lake.store, method, after(act, getattr(lake.store, method)))
            surveyed = backlog.survey(lake.store)
        assert len(surveyed.runs) == made + 12
        assert surveyed.pending == ()


def test_who_loses_the_race_removes_nothing(lake):
    lived(lake, 8)
    surveyed = backlog.survey(lake.store)
    lived(lake, 1, first=8)
    checkpointing.fold(lake.store, surveyed.checkpoint, [manifests.read(lake.store, name(8))])
    checkpointing.tidy(lake.store, surveyed)
    assert len(manifests.ids(lake.store, layout.RUNS)) == 9


def test_runs_that_are_folded_in_between_two_listings_are_not_lost(lake):
    """Whoever keeps what it has read of a lake lists the runs again."""
    lived(lake, 6)
    commits = Commits(lake.store)
    assert len(commits.all_ids()) == 6
    lived(lake, 14, first=6)
    tidy(lake)
    assert commits.all_ids() == manifests.all_ids(lake.store)
    assert len(list(commits.read(commits.all_ids(), None))) == 20


def test_a_folding_in_progress_is_no_damage(lake):
    """Copies are written before the checkpoint counts them."""
    found = lived(lake, 20)
    tidy(lake)
    for each in found[-2:]:
        lake.store.put(layout.archived(each.run_id), manifests.encode(each))
    assert list(audit.compare(lake.store)) == []
    assert audit.mend(lake.store) == []
    lake.store.delete([layout.run(found[-1].run_id)])
    assert [each.run_id for each in audit.compare(lake.store)] == [found[-1].run_id]


@pytest.mark.parametrize("names", ["A", "AE", "ABCDE", "Z"])
def test_whatever_is_corrected_is_in_the_checkpoint_once(lake, names):
    found = lived(lake, 20)
    tidy(lake)
    for number in (0, 3, 4):
        tickers = dict.fromkeys(names, FULL.model_copy(update={"new": number}))
        checkpointing.rewrite(lake.store, found[number].model_copy(update={"tickers": tickers}))
    known = checkpoints.load(lake.store)
    reader = Reader(lake.store, known)
    rows = [row[:2] for part in known.parts for row in reader.part(part).iter_rows()]
    said = [(name, each.run_id) for each in everything(lake) for name in each.tickers]
    assert sorted(rows) == sorted(each for each in said if each[1] in known.run_ids)
    assert known.runs["run_id"].is_unique().all()


def test_a_ticker_of_which_nothing_is_heard_any_more_stays_known(lake):
    """It is in an early checkpoint, and no run that a later one folds in names it."""
    first = lived(lake, 20)
    commit(lake, 20, GONE=FULL)
    manifests.acknowledge(lake.store, manifests.read(lake.store, name(20)))
    for start in (21, 41):
        lived(lake, 20, start)
        tidy(lake)
        known = checkpoints.tickers(lake.store, checkpoints.load(lake.store))
        delivered = {each for manifest in first for each in manifests.delivered(manifest)}
        assert known == {*delivered, "GONE"}


@pytest.mark.parametrize("more", [-1, 0, 1, by_ticker.READERS])
def test_of_many_pending_runs_none_is_left_out(lake, more):
    """They are read some at a time."""
    numbers = range(by_ticker.READERS + more)
    found = [commit(lake, number, minutes=number, A=FULL) for number in numbers]
    run_ids = [each.run_id for each in found]
    said = by_ticker.ByTicker(lake.store, run_ids, {"A", "Z"}, Checkpoint())
    assert [each.run_id for each in said.of("A")] == run_ids
    assert said.of("Z") == ()


@pytest.mark.parametrize("rows", [7, 50_000])
def test_of_many_tickers_each_is_told_what_is_said_of_it(lake, monkeypatch, rows):
    """Whether in the checkpoint, in one or in many parts of it, or beside it."""
    monkeypatch.setattr(checkpointing, "PART_ROWS", rows)
    tickers = [f"T{number * 37 % 80:02}" for number in range(80)]
    for run in range(26):
        said = {
            ticker: FULL.model_copy(update={"new": run + 1, "blobs": {"2026": f"{number:032}"}})
            for number, ticker in enumerate(tickers)
            if number % (run % 7 + 1) == 0
        }
        manifests.acknowledge(lake.store, commit(lake, run, minutes=-run, **said))
    tidy(lake)
    known = checkpoints.load(lake.store)
    assert known.run_ids
    assert (len(known.parts) > 1) == (rows == 7)
    runs = manifests.all_ids(lake.store)
    told = by_ticker.ByTicker(lake.store, runs, tickers, known)
    for ticker in [*tickers, "Z"]:
        everything = manifests.read_all(lake.store, runs, {ticker})
        assert told.of(ticker) == tuple(each for each in everything if each.tickers)
    some = by_ticker.ByTicker(lake.store, runs[3:20], tickers[:5], known)
    for ticker in tickers[:5]:
        expected = [run.run_id for run in told.of(ticker) if run.run_id in runs[3:20]]
        assert [run.run_id for run in some.of(ticker)] == expected


def test_two_parts_are_kept_for_tickers_that_lie_in_both(lake):
    lived(lake, 20)
    tidy(lake)
    known = checkpoints.load(lake.store)
    first, second = (Reader(lake.store, known).part(part)["ticker"][0] for part in known.parts[:2])
    counting = Counting(lake.store)
    told = by_ticker.ByTicker(counting, known.run_ids, {first, second}, known)
    for ticker in (first, second, first, second):
        assert told.of(ticker)
    assert [counting.reads[layout.entries(part.name)] for part in known.parts[:2]] == [1, 1]


@pytest.mark.parametrize(("runs", "folded"), [(7, 0), (8, 5), (9, 6)])
def test_from_how_many_runs_on_they_are_folded(lake, runs, folded):
    """`TAIL` are eight here, and `KEPT` are three."""
    lived(lake, runs)
    tidy(lake)
    assert len(checkpoints.load(lake.store).run_ids) == folded


def test_a_damaged_checkpoint_of_which_nothing_is_left_is_made_again(lake):
    found = lived(lake, 3)
    lake.store.put(layout.CHECKPOINT, b"garbage")
    assert audit.mend(lake.store)
    assert checkpoints.load(lake.store).run_ids == frozenset()
    assert sorted(everything(lake), key=lambda each: each.run_id) == found
    assert audit.mend(lake.store) == []
