"""What is stored of a history besides its bars, and which runs it lacks."""

from datetime import UTC, date, datetime, timedelta

from helpers import bar, bars

from tickerlake.lake.fold import Delivery, History, fold_all
from tickerlake.lake.history import Span, Stored, decode, encode, sort_out
from tickerlake.lake.manifests import Entry, Manifest, Order, Rejected

DAY = date(2026, 2, 2)
MOMENT = datetime(2026, 2, 2, 22, tzinfo=UTC)


def held(**fields: object) -> History:
    delivery = Delivery(
        Order(MOMENT, "1"), Entry(outcome="ok", start=DAY, splits={}), bars(bar(DAY))
    )
    from dataclasses import replace

    return replace(fold_all(History(), [delivery]), **fields)


def test_bookkeeping_survives_the_file():
    known = held(
        splits={DAY: 2.0, date(2003, 2, 18): 0.1},
        since=date(1999, 1, 4),
        gaps=(DAY + timedelta(1), DAY + timedelta(4)),
        rejected=(Rejected(DAY, "no_close,duplicate", "0a1b2c3d"),),
        timezone="Australia/Sydney",
        retired=DAY + timedelta(9),
        renamed_to="^NEW=F",
    )
    stored = Stored(known, ("20260202T22-a", "20260203T22-b"), Span("2026-01", "2026-02"))
    found = decode(encode(stored), "key")
    assert found.history.bars.equals(known.bars)
    for name in (
        "splits",
        "since",
        "gaps",
        "rejected",
        "timezone",
        "retired",
        "renamed_to",
        "last",
    ):
        assert getattr(found.history, name) == getattr(known, name), name
    assert (found.folded, found.owed) == (stored.folded, stored.owed)
    assert decode(encode(Stored(known)), "key").owed is None


def run(run_id: str, minutes: int, **entries: Entry) -> Manifest:
    as_of = MOMENT + timedelta(minutes=minutes)
    return Manifest(run_id=run_id, as_of=as_of, source="test", tickers=entries)


DELIVERS = Entry(outcome="ok", splits={})


def test_what_is_folded_in_is_neither_new_nor_late():
    stored = Stored(held(last=Order(MOMENT, "5")), folded=("5", "3"))
    runs = [run("3", -9, A=DELIVERS), run("4", -1, A=DELIVERS), run("5", 0, A=DELIVERS),
            run("6", 0, A=DELIVERS), run("2", 7, A=DELIVERS)]  # fmt: skip
    found = sort_out(stored, "A", runs)
    assert [each.run_id for each in found.folded] == ["3", "5"]
    assert [each.run_id for each in found.late] == ["4"]
    assert [each.run_id for each in found.new] == ["6", "2"]
    assert [each.run_id for each in sort_out(Stored(), "A", runs).new] == ["3", "4", "5", "6", "2"]


def test_runs_that_deliver_nothing_are_left_out():
    runs = [run("6", 1, B=DELIVERS), run("7", 2, A=Entry(outcome="failed"))]
    assert sort_out(Stored(), "A", runs) == ([], [], [])


def test_a_summary_reads_two_columns():
    known = held()
    data = encode(Stored(known))
    assert decode(data, "key", ["session", "flags"]).history.bars.columns == ["session", "flags"]
    assert decode(data, "key").history.bars.equals(known.bars)
