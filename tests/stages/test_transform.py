"""What a transform does with runs of which a part fails, comes late, or says nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from helpers import bar, bars, new_lake, objects

from tickerlake.engines import Refreshed
from tickerlake.errors import StoreError
from tickerlake.lake import Lake, blobs, derived, history, layout, manifests, notes
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.stages import transform, verify

DAY = date(2026, 2, 2)
START = datetime(2026, 2, 2, 22, tzinfo=UTC)


def commit(lake: Lake, minutes: int, **rows: list[dict[str, object]]) -> Manifest:
    """A run, fetched so many minutes after the first."""
    tickers = {
        name: Entry(
            outcome="ok",
            start=DAY,
            end=DAY + timedelta(9),
            new=len(each),
            blobs=blobs.write(lake, layout.RAW, name, bars(*each)),
            splits={each["session"]: each["split"] for each in each if each["split"] != 1.0},
        )
        for name, each in rows.items()
    }
    manifest = Manifest(
        run_id=manifests.new_run_id(),
        as_of=START + timedelta(minutes=minutes),
        source="test",
        tickers=tickers,
    )
    manifests.commit(lake.store, manifest)
    return manifest


def damage(lake: Lake, manifest: Manifest, ticker: str) -> None:
    [(partition, name)] = manifest.tickers[ticker].blobs.items()
    lake.store.put(layout.blob(layout.RAW, partition, ticker, name), b"garbage")


def test_every_bar_says_when_the_run_that_delivered_it_fetched_it(lake):
    commit(lake, 0, A=[bar(DAY), bar(DAY + timedelta(1))])
    transform.transform(lake)
    commit(lake, 7, A=[bar(DAY + timedelta(1), 7.0), bar(DAY + timedelta(2))])
    transform.transform(lake)
    held = history.load(lake, "A")
    later = START + timedelta(minutes=7)
    assert held.bars["as_of"].to_list() == [START, later, later]


def test_when_every_ticker_fails_the_code_says_so(lake):
    manifest = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    for ticker in "AB":
        damage(lake, manifest, ticker)
    assert transform.transform(lake).exit_code == 1


def test_of_two_runs_one_ticker_fails_and_all_else_is_done(lake):
    first = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    second = commit(lake, 1, B=[bar(DAY + timedelta(1))], C=[bar(DAY)])
    damage(lake, first, "A")
    report = transform.transform(lake)
    assert report.exit_code == 3
    assert sorted(report.processed) == sorted([first.run_id, second.run_id])
    assert manifests.pending_ids(lake.store) == []
    assert notes.behind_ids(lake.store) == {"A": [first.run_id]}
    assert [history.load(lake, name).bars.height for name in "ABC"] == [0, 2, 1]


def test_keys_of_what_failed_are_not_registered(lake):
    manifest = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    damage(lake, manifest, "A")
    keys: list[str] = []
    transform.transform(lake, register=keys.extend)
    written = objects(lake, "raw/date=2026/", "history/", "refined/daily/", "tickers/")
    assert sorted(keys) == sorted(key for key in written if "ticker=B" in key)


def test_a_receipt_comes_after_the_catalog(lake):
    manifest = commit(lake, 0, B=[bar(DAY)], A=[bar(DAY)])
    key = layout.receipt(manifest.run_id)

    def register(_: object) -> None:
        assert lake.store.get(key) is None

    transform.transform(lake, register=register)
    receipt = manifests.Receipt.model_validate_json(lake.store.get(key))
    assert receipt.run_id == manifest.run_id


def test_a_rebuild_forgets_a_run_whose_manifest_is_gone(lake):
    commit(lake, 0, A=[bar(DAY, 1.0)])
    gone = commit(lake, 1, A=[bar(DAY, 2.0)], B=[bar(DAY)])
    transform.transform(lake)
    lake.store.delete([layout.run(gone.run_id), layout.receipt(gone.run_id)])
    assert transform.transform(lake, rebuild=True).exit_code == 0
    assert history.load(lake, "A").bars["close"].to_list() == [1.0]
    assert list(objects(lake, "history/", "refined/daily/")) == [
        layout.history("A"), layout.daily("2026", "A")
    ]  # fmt: skip
    assert verify.verify(lake, workers=1) == []


def test_of_many_runs_none_is_forgotten(lake):
    """More than any page or list of recent ones holds."""
    made = [commit(lake, n, A=[bar(DAY, 1.0 + n)]) for n in range(60)]
    assert [each.run_id for each in manifests.pending(lake)] == [each.run_id for each in made]
    report = transform.transform(lake)
    assert report.processed == [each.run_id for each in made]
    assert manifests.pending(lake) == []


@pytest.mark.parametrize("grain", layout.GRAINS)
def test_null_and_value_differ_in_every_column(tmp_path, grain):
    """A value that becomes known, or unknown, is a change like any other."""
    lake = new_lake(str(tmp_path / "lake"), grain)
    row = bar(DAY)
    for minutes, change in enumerate(
        [{"currency": None}, {"currency": "EUR"}, {"currency": None},
         {"dividend": 1.0, "dividend_currency": "EUR"}, {}]
    ):  # fmt: skip
        commit(lake, minutes, A=[row | change])
        transform.transform(lake)
        key = layout.daily(layout.partition_of(DAY, grain), "A")
        from tickerlake.lake.parquet import from_parquet

        stored = from_parquet(lake.store.get(key), key)
        for name, value in (row | change).items():
            if name in stored.columns:
                assert stored[name].to_list() == [value], name
    assert verify.verify(lake, workers=1) == []


# ---- splits on the edge of what a delivery covers


def test_a_split_on_the_first_day_of_a_window_can_be_withdrawn_and_an_older_one_can_not(lake):
    edge = DAY + timedelta(3)
    commit(lake, 0, A=[bar(DAY, 10.0), bar(DAY + timedelta(1), 10.0, split=2.0),
                       bar(edge, 10.0, split=4.0)])  # fmt: skip
    transform.transform(lake)
    assert set(history.load(lake, "A").splits) == {DAY + timedelta(1), edge}
    entry = Entry(
        outcome="ok", start=edge, end=edge, new=1, splits={},
        blobs=blobs.write(lake, layout.RAW, "A", bars(bar(edge, 10.0))),
    )  # fmt: skip
    manifest = Manifest(
        run_id=manifests.new_run_id(),
        as_of=START + timedelta(hours=1),
        source="test",
        tickers={"A": entry},
    )
    manifests.commit(lake.store, manifest)
    transform.transform(lake)
    held = history.load(lake, "A")
    assert set(held.splits) == {DAY + timedelta(1)}
    assert held.bars["close"].to_list() == [40.0, 40.0, 10.0]
    assert verify.verify(lake, workers=1) == []


# ---- damage, and transforms that meet


def test_however_many_tickers_are_damaged_the_others_go_on(lake):
    """Damage is a ticker's own; only a store that fails for many in a row ends a transform."""
    rows = {f"T{number:02}": [bar(DAY)] for number in range(12)} | {"Z": [bar(DAY)]}
    manifest = commit(lake, 0, **rows)
    for ticker in rows.keys() - {"Z"}:
        damage(lake, manifest, ticker)
    report = transform.transform(lake)
    assert report.exit_code == 3
    assert {name for name, each in report.refreshed.items() if not each.error} == {"Z"}
    assert history.load(lake, "Z").bars.height == 1
    assert notes.behind_ids(lake.store).keys() == rows.keys() - {"Z"}


def test_a_ticker_that_catches_up_with_several_runs_has_no_note_left(lake):
    first = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    [(partition, name)] = first.tickers["A"].blobs.items()
    key = layout.blob(layout.RAW, partition, "A", name)
    whole = lake.store.get(key)
    damage(lake, first, "A")
    for minutes in (1, 2, 3):
        transform.transform(lake)
        commit(lake, minutes, A=[bar(DAY + timedelta(minutes))])
    transform.transform(lake)
    assert len(notes.behind_ids(lake.store)["A"]) == 4
    lake.store.put(key, whole)
    assert transform.transform(lake).exit_code == 0
    assert notes.behind_ids(lake.store) == {}
    assert history.load(lake, "A").bars.height == 4
    assert verify.verify(lake, workers=1) == []


def test_a_manifest_that_can_not_be_read_is_a_failure_in_part(lake):
    commit(lake, 0, A=[bar(DAY)])
    odd = "20260202T220000000000Z-0a1b2c"
    lake.store.put(layout.run(odd), b"garbage")
    report = transform.transform(lake)
    assert report.exit_code == 3
    assert len(report.processed) == 1
    assert history.load(lake, "A").bars.height == 1
    assert manifests.pending_ids(lake.store) == [odd]


def test_notes_come_before_the_receipts_that_they_are_exceptions_to(lake, monkeypatch):
    manifest = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    damage(lake, manifest, "A")
    noted: list[dict[str, list[str]]] = []
    acknowledge = manifests.acknowledge

    def acknowledging(store, each) -> None:
        noted.append(notes.behind_ids(store))
        acknowledge(store, each)

    monkeypatch.setattr(manifests, "acknowledge", acknowledging)
    transform.transform(lake)
    assert noted == [{"A": [manifest.run_id]}]


def test_what_was_overtaken_is_noted_for_the_next_transform(lake):
    """A process died before its receipts; its last request may still be on its way."""
    manifest = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    transform.transform(lake)
    assert notes.rechecks(lake.store) == {}
    lake.store.delete([layout.receipt(manifest.run_id)])
    commit(lake, 1, A=[bar(DAY + timedelta(1))])
    transform.transform(lake)
    [note] = notes.rechecks(lake.store).values()
    parts = ("2026", derived.LISTING)
    assert note.tickers == {"A": parts, "B": parts}


def test_a_ticker_whose_damage_is_known_is_not_tried_again(lake):
    damage(lake, commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)]), "A")
    transform.transform(lake)
    tried = []

    def engine(lake, work, tasks):
        do = work(lake, tasks)
        for task in tasks:
            tried.append(task.ticker)
            yield do(task)

    commit(lake, 1, A=[bar(DAY + timedelta(1))], B=[bar(DAY + timedelta(1))])
    report = transform.transform(lake, engine=engine)
    assert tried == ["B"]
    assert "A is behind" in report.refreshed["A"].error


def test_a_run_that_a_ticker_is_behind_is_not_done_for_it(lake):
    """The run has its receipt; but what the ticker's history owes of it may still be missing."""
    first = commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)])
    damage(lake, first, "A")
    transform.transform(lake)
    second = commit(lake, 1, A=[bar(DAY + timedelta(1))], B=[bar(DAY + timedelta(1))])
    settled = {}

    def engine(lake, work, tasks):
        [job], do = work.args, work(lake, tasks)
        for task in tasks:
            done = job.settled.without(task.behind)
            settled[task.ticker] = [each.run_id in done for each in (first, second)]
            yield do(task)

    commit(lake, 2, A=[bar(DAY + timedelta(2))], B=[bar(DAY + timedelta(2))])
    blobs.write(lake, layout.RAW, "A", bars(bar(DAY)))
    transform.transform(lake, engine=engine)
    assert settled == {"A": [False, False], "B": [True, False]}


@pytest.mark.parametrize("overtaken", [0, 1, None])
def test_whoever_was_overtaken_in_any_round_is_noted(lake, overtaken):
    """The first round's history is not the one that is found afterwards: there is a second."""
    commit(lake, 0, A=[bar(DAY)])
    rounds = []

    def engine(lake, work, tasks):
        number = len(rounds)
        rounds.append([task.ticker for task in tasks])
        do = work(lake, tasks)
        for task in tasks:
            done = replace(do(task), overtook=number == overtaken)
            yield done if number else replace(done, version="another")

    transform.transform(lake, engine=engine)
    assert rounds == [["A"], ["A"]]
    noted = [note.tickers for note in notes.rechecks(lake.store).values()]
    assert noted == ([] if overtaken is None else [{"A": ("2026", derived.LISTING)}])


def test_what_was_overtaken_is_noted_even_if_it_then_fails(lake):
    """The partitions that the first round wrote are at risk, whatever becomes of the second."""
    commit(lake, 0, A=[bar(DAY)])
    rounds = []

    def engine(lake, work, tasks):
        rounds.append(len(tasks))
        do = work(lake, tasks)
        for task in tasks:
            if len(rounds) == 1:
                yield replace(do(task), version="another", overtook=True)
            else:
                yield Refreshed(task.ticker, error="A: the store does not answer")

    report = transform.transform(lake, engine=engine)
    assert (rounds, report.exit_code) == ([1, 1], 1)
    [note] = notes.rechecks(lake.store).values()
    assert note.tickers == {"A": ("2026", derived.LISTING)}


@pytest.mark.parametrize(
    ("ends", "gives_up"),
    [("s" * 8, True), ("s" * 7 + ".", False), (("s" * 7 + ".") * 3, False), ("sd" * 9, False)],
)
def test_a_transform_gives_up_when_the_store_fails_for_eight_tickers_in_a_row(lake, ends, gives_up):
    """For each ticker: the store fails (s), it has damage of its own (d), or it ends well."""
    tickers = [f"T{number:02}" for number in range(len(ends))]
    commit(lake, 0, **{ticker: [bar(DAY)] for ticker in tickers})

    def engine(lake, work, tasks):
        do = work(lake, tasks)
        for task, end in zip(tasks, ends, strict=False):
            damaged = layout.history(task.ticker) if end == "d" else ""
            bad = Refreshed(task.ticker, error="no", damaged=damaged)
            yield do(task) if end == "." else bad

    if gives_up:
        with pytest.raises(StoreError, match="8 tickers in a row failed: no"):
            transform.transform(lake, engine=engine)
        assert manifests.pending_ids(lake.store)
    else:
        assert transform.transform(lake, engine=engine).refreshed.keys() == {*tickers}


def test_progress_counts_a_ticker_whose_run_came_late_once(lake):
    commit(lake, 5, A=[bar(DAY)], B=[bar(DAY)])
    transform.transform(lake)
    commit(lake, 1, A=[bar(DAY + timedelta(1))])
    commit(lake, 6, B=[bar(DAY + timedelta(1))])
    ended = []
    transform.transform(lake, progress=lambda each: ended.append(each.ticker))
    assert sorted(ended) == ["A", "B"]
    assert history.load(lake, "A").bars.height == 2


def test_partitions_of_a_history_that_moved_on_are_written_again(lake, monkeypatch):
    """Another transform replaces the history and its partition before ours puts its own."""
    commit(lake, 0, A=[bar(DAY, 1.0)])
    put = derived.put
    rivals = iter([True])

    def overtaken(*arguments) -> None:
        if next(rivals, False):
            commit(lake, 1, A=[bar(DAY, 2.0)])
            transform.transform(lake)
        put(*arguments)

    monkeypatch.setattr(derived, "put", overtaken)
    transform.transform(lake)
    assert verify.verify(lake, workers=1) == []


@pytest.mark.parametrize("only", [{"A"}, {"B", "Z"}, {"Z"}, set()])
def test_of_some_tickers_only_those_are_rebuilt(lake, only):
    """What else is wrong stays as it is, and a ticker that nobody knows is none of them."""
    commit(lake, 0, A=[bar(DAY)], B=[bar(DAY)], C=[bar(DAY)])
    transform.transform(lake)
    whole = objects(lake)
    for ticker in "ABC":
        lake.store.put(layout.daily("2026", ticker), b"spoilt")
    report = transform.transform(lake, rebuild=True, only=only)
    assert report.refreshed.keys() == only - {"Z"}
    spoilt = {key for key, data in objects(lake).items() if data != whole[key]}
    assert spoilt == {layout.daily("2026", ticker) for ticker in {*"ABC"} - only}


def test_a_rebuild_does_not_undo_a_run_that_comes_while_it_reads(lake, monkeypatch):
    """It arrives, and is transformed, after the rebuild has listed the runs."""
    commit(lake, 0, A=[bar(DAY, 1.0)])
    transform.transform(lake)
    read = manifests.read
    rivals = iter([True])

    def reading(*arguments):
        found = read(*arguments)
        if next(rivals, False):
            commit(lake, 1, A=[bar(DAY, 2.0)])
            transform.transform(lake)
        return found

    monkeypatch.setattr(manifests, "read", reading)
    assert transform.transform(lake, rebuild=True).exit_code == 0
    monkeypatch.undo()
    assert history.load(lake, "A").bars["close"].to_list() == [2.0]
    assert verify.verify(lake, workers=1) == []


def test_a_report_of_two_rounds_forgets_nothing_of_either():
    first = transform.Report(
        {
            "A": Refreshed("A", ("1", "3"), error="no"),
            "B": Refreshed("B", ("1",)),
            "C": Refreshed("C", ("1",)),
        },
        ["run 1"],
        ("what was damaged then",),
        {"Z": "then"},
    )
    later = transform.Report(
        {"A": Refreshed("A", ("2", "1")), "C": Refreshed("C", error="no"), "D": Refreshed("D")},
        ["run 2"],
        ("what is damaged",),
        {"Y": "now"},
    )
    assert first.then(later) == transform.Report(
        {
            "A": Refreshed("A", ("1", "2", "3")),
            "B": Refreshed("B", ("1",)),
            "C": Refreshed("C", ("1",), error="no"),
            "D": Refreshed("D"),
        },
        ["run 1", "run 2"],
        ("what is damaged",),
        {"Y": "now"},
    )


@pytest.mark.parametrize(
    ("fields", "is_quiet", "exit_code"),
    [
        ({}, True, 0),
        ({"processed": ["run 1"]}, False, 0),
        ({"behind": {"Z": "why"}}, False, 0),
        ({"damaged": ("why",)}, False, 3),
        ({"refreshed": {"A": Refreshed("A")}}, False, 0),
        ({"refreshed": {"A": Refreshed("A")}, "damaged": ("why",)}, False, 3),
        ({"refreshed": {"A": Refreshed("A", error="no")}, "damaged": ("why",)}, False, 1),
        ({"refreshed": {"A": Refreshed("A", error="no"), "B": Refreshed("B")}}, False, 3),
    ],
    ids=str,
)
def test_how_a_transform_ended(fields, is_quiet, exit_code):
    report = transform.Report(**fields)
    assert (report.is_quiet, report.exit_code) == (is_quiet, exit_code)


def test_an_engine_gets_the_tickers_sorted_with_an_estimate_of_their_work(lake):
    asked: list[list[tuple[str, int]]] = []

    def engine(lake, work, tasks):
        asked.append([(task.ticker, task.bars) for task in tasks])
        do = work(lake, tasks)
        for task in tasks:
            done = do(task)
            yield replace(done, version="another") if len(asked) == 1 else done

    names = ["T7", "B", "A", "C.L", "T10"]
    commit(lake, 0, **{name: [bar(DAY)] * (n % 2 + 1) for n, name in enumerate(names)})
    transform.transform(lake, engine=engine)
    first, second = asked
    assert first == [("A", 1), ("B", 2), ("C.L", 2), ("T10", 1), ("T7", 1)]
    assert [name for name, _ in second] == sorted(names)  # of histories that were replaced since
    assert all(bars > before for (_, bars), (_, before) in zip(second, first, strict=True))
