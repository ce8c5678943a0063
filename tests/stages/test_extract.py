"""Extraction with the real client against the replay: what is asked for, and how faults end."""

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest
from helpers import objects

from tickerlake.errors import StoreError
from tickerlake.lake import history, layout, manifests
from tickerlake.lake.fold import History
from tickerlake.lake.parquet import from_parquet
from tickerlake.market import calendars
from tickerlake.market.bars import QUARANTINE, RAW
from tickerlake.sources.replay import END, Fault, Replay
from tickerlake.sources.yahoo import Yahoo
from tickerlake.stages import extract, transform
from tickerlake.stages.extract import Report

START = date(2013, 1, 2)
LAST = date(2013, 3, 1)
NYSE = calendars.of("AAPL")


@pytest.fixture
def replay():
    with Replay() as replay:
        yield replay


@pytest.fixture
def yahoo(replay):
    with Yahoo(url=replay.url, requests_per_second=1000, workers=2, retries=1, backoff=0) as yahoo:
        yield yahoo


def run(lake, replay, yahoo, *tickers, start=START, end=None) -> Report:
    return extract.extract(lake, yahoo, tickers, as_of=replay.now, start=start, end=end, workers=2)


def charts(replay: Replay) -> int:
    return sum("/chart/" in path for path, _ in replay.requests)


# ---- what a fault becomes

FAULTS = {
    "rate_limited": (Fault(kind="rate_limited"), "rate_limited"),
    "server_error": (Fault(kind="server_error"), "failed"),
    "html": (Fault(kind="html"), "failed"),
    "truncated": (Fault(kind="truncated"), "failed"),
    "empty": (Fault(kind="empty"), "empty"),
    "rate_limited once": (Fault(kind="rate_limited", times=1), "ok"),
    "server_error once": (Fault(kind="server_error", times=1), "ok"),
    "unauthorized once": (Fault(kind="unauthorized", times=1), "ok"),
    "unauthorized": (Fault(kind="unauthorized"), "failed"),
    "slow": (Fault(kind="slow", seconds=0.2), "ok"),
    "no_crumb": (Fault(kind="no_crumb"), "ok"),
    "null_row": (Fault(kind="null_row", session=date(2013, 2, 5)), "ok"),
    "null_close": (Fault(kind="null_close", session=date(2013, 2, 5)), "ok"),
    "dropped": (Fault(kind="dropped", session=date(2013, 2, 5)), "ok"),
    "duplicated": (Fault(kind="duplicated"), "ok"),
    "wrong": (Fault(kind="wrong", session=date(2013, 2, 5), field="close", value=4.57), "ok"),
    "late_split": (Fault(kind="late_split", days=3), "ok"),
    "wobble": (Fault(kind="wobble"), "ok"),
}


def test_every_kind_of_fault_is_tried():
    from typing import get_args

    from tickerlake.sources.replay import Kind

    assert {fault.kind for fault, _ in FAULTS.values()} == set(get_args(Kind))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_ticker_is_on_record_and_costs_no_other_its_data(lake, replay, yahoo, name):
    fault, outcome = FAULTS[name]
    from dataclasses import replace

    replay.faults = [replace(fault, ticker="AAPL")]
    report = run(lake, replay, yahoo, "AAPL", "MSFT")
    [manifest] = report.manifests
    recorded = manifests.read(lake.store, manifest.run_id)
    assert recorded.tickers["AAPL"].outcome == outcome
    assert recorded.tickers["MSFT"].outcome == "ok"
    assert bool(recorded.tickers["AAPL"].reason) == (outcome != "ok")
    assert report.exit_code == (0 if outcome in ("ok", "empty") else 3)
    transform.transform(lake)
    expected = len(NYSE.sessions(START, END))
    assert history.read(lake, "MSFT")[0].bars.height == expected
    held = history.read(lake, "AAPL")[0].bars.height
    missing = name in ("null_row", "null_close", "dropped")
    assert held == (expected - missing if outcome == "ok" else 0)


def test_when_all_fail_the_exit_code_says_so_and_nothing_is_stored(lake, replay, yahoo):
    replay.faults = [Fault(kind="server_error")]
    report = run(lake, replay, yahoo, "AAPL", "MSFT")
    assert report.exit_code == 1
    assert objects(lake, "raw/date=") == {}
    replay.faults = []
    assert run(lake, replay, yahoo, "AAPL", "MSFT").exit_code == 0


def test_an_unknown_symbol_is_told_apart(lake, replay, yahoo):
    report = run(lake, replay, yahoo, "NOPE", "MSFT")
    assert report.entries["NOPE"].outcome == "unknown_symbol"
    assert report.exit_code == 3


def test_when_the_source_wants_a_pause_the_rest_is_not_even_asked_for(lake, replay, yahoo):
    replay.faults = [Fault(kind="rate_limited")]
    tickers = ["AAPL", "MSFT", "IBM", "GOOG", "FB", "A", "B", "C", "D", "E", "F"]
    report = run(lake, replay, yahoo, *tickers)
    assert {entry.outcome for entry in report.entries.values()} == {"rate_limited"}
    assert report.exit_code == 1
    asked = {path for path, _ in replay.requests if "/chart/" in path}
    assert len(asked) < len(tickers)


def test_a_null_close_goes_to_quarantine_with_the_reason(lake, replay, yahoo):
    session = date(2013, 2, 5)
    replay.faults = [Fault(kind="null_close", ticker="AAPL", session=session)]
    entry = run(lake, replay, yahoo, "AAPL").entries["AAPL"]
    assert entry.quarantined == 1
    assert entry.gaps == (session,)
    [(key, data)] = objects(lake, "quarantine/").items()
    rows = from_parquet(data, key)
    assert rows.schema == pl.Schema(QUARANTINE)
    assert rows.select("session", "reasons").rows() == [(session, "no_close")]


def test_an_odd_jump_is_kept_and_flagged(lake, replay, yahoo):
    session = date(2013, 2, 28)
    replay.faults = [
        Fault(kind="wrong", ticker="MSFT", session=session, field=field, value=2780.0)
        for field in ("open", "high", "low", "close")
    ]
    entry = run(lake, replay, yahoo, "MSFT").entries["MSFT"]
    assert entry.quarantined == 0
    transform.transform(lake)
    held = history.read(lake, "MSFT")[0].bars.filter(pl.col("flags") != "")
    assert held.select("session", "flags").rows() == [
        (session, "unit_error"),
        (LAST, "unit_error"),
    ]


# ---- what is asked for


def test_one_request_a_ticker_that_is_due_and_none_for_one_that_is_not(lake, replay, yahoo):
    run(lake, replay, yahoo, "AAPL", "MSFT")
    assert charts(replay) == 2
    report = run(lake, replay, yahoo, "AAPL", "MSFT")
    assert charts(replay) == 2
    assert report.manifests == []
    assert report.exit_code == 0


def test_a_session_that_has_not_closed_is_not_stored(lake, replay, yahoo):
    for hour, last in [(15, date(2013, 2, 28)), (21, date(2013, 2, 28)), (22, LAST)]:
        replay.now = datetime(2013, 3, 1, hour, tzinfo=UTC)
        run(lake, replay, yahoo, "AAPL")
        held = history.advance(lake, "AAPL", History(), manifests.pending(lake))
        assert held.bars["session"][-1] == last


def test_an_explicit_window_is_exactly_that(lake, replay, yahoo):
    start, end = date(2005, 2, 1), date(2005, 2, 25)
    entry = run(lake, replay, yahoo, "AAPL", start=start, end=end).entries["AAPL"]
    held = history.advance(lake, "AAPL", History(), manifests.pending(lake))
    expected = NYSE.schedule.filter(pl.col("session").is_between(start, end))["session"]
    assert held.bars["session"].to_list() == expected.to_list()
    # the split of three days later is known, though its session was not asked for
    assert entry.splits == {date(2005, 2, 28): 2.0}
    # and an older window joins it on the same basis
    run(lake, replay, yahoo, "AAPL", start=date(2004, 12, 1), end=date(2005, 1, 31))
    held = history.advance(lake, "AAPL", History(), manifests.pending(lake))
    assert held.bars["close"].max() < 46
    assert (held.bars["basis_factor"] == 1.0).all()


def test_a_window_of_the_future_asks_and_stores_nothing_false(lake, replay, yahoo):
    entry = run(lake, replay, yahoo, "AAPL", start=date(2013, 3, 4), end=date(2013, 3, 8)).entries[
        "AAPL"
    ]
    assert entry.outcome == "empty"
    assert objects(lake, "raw/date=") == {}


def test_a_split_on_the_morning_of_its_ex_date(lake, replay, yahoo):
    """The session is open: its bar is not stored, but the older prices are halved already."""
    replay.now = datetime(2005, 2, 25, 22, 30, tzinfo=UTC)
    run(lake, replay, yahoo, "AAPL", start=date(2005, 2, 1))
    replay.now = datetime(2005, 2, 28, 15, 0, tzinfo=UTC)
    run(lake, replay, yahoo, "AAPL", start=date(2005, 2, 22), end=date(2005, 2, 25))
    transform.transform(lake)
    stored, _ = history.read(lake, "AAPL")
    assert stored.bars["session"][-1] == date(2005, 2, 25)
    assert stored.bars["close"].pct_change().drop_nulls().abs().max() < 0.2


# ---- how it is committed


def test_a_large_run_is_committed_in_several_manifests(any_grain, replay, yahoo, monkeypatch):
    monkeypatch.setattr(extract, "COMMIT_BLOBS", 2)
    report = run(any_grain, replay, yahoo, "AAPL", "MSFT", "IBM", "GOOG", start=date(2012, 1, 3))
    assert len(report.manifests) > 1
    listed = [ticker for manifest in report.manifests for ticker in manifest.tickers]
    assert sorted(listed) == ["AAPL", "GOOG", "IBM", "MSFT"]


def test_keys_are_those_of_the_design(any_grain, replay, yahoo):
    lake = any_grain
    run(lake, replay, yahoo, "AAPL", start=date(2013, 2, 28))
    transform.transform(lake)
    day = {"day": "2013-03-01", "month": "2013-03", "year": "2013"}[lake.grain]
    keys = set(objects(lake))
    [run_id] = manifests.all_ids(lake.store)
    [blob] = [key for key in keys if key.startswith(f"raw/date={day}/ticker=AAPL/")]
    assert len(blob.rpartition("/")[2]) == 32 + len(".parquet")
    assert f"raw/_runs/{run_id}.json" in keys
    assert "history/ticker=AAPL/history.parquet" in keys
    assert f"refined/daily/date={day}/ticker=AAPL/data.parquet" in keys
    assert f"refined/_runs/{run_id}.json" in keys
    assert json.loads(lake.store.get("_lake.json")) == {"format": 3, "grain": lake.grain}
    assert from_parquet(lake.store.get(blob), blob).schema == pl.Schema(RAW)


def test_a_store_that_breaks_ends_the_run_and_the_next_one_heals(lake, replay, yahoo, monkeypatch):
    put_new, calls = type(lake.store).put_new, []

    def break_down(store, key, data):
        calls.append(key)
        if len(calls) > 2:
            raise StoreError("gone")
        return put_new(store, key, data)

    monkeypatch.setattr(type(lake.store), "put_new", break_down)
    with pytest.raises(StoreError):
        run(lake, replay, yahoo, "AAPL", "MSFT", "IBM")
    monkeypatch.undo()
    assert manifests.all_ids(lake.store) == []
    assert transform.transform(lake).processed == []
    report = run(lake, replay, yahoo, "AAPL", "MSFT", "IBM")
    assert sum(entry.new for entry in report.entries.values()) == 3 * len(NYSE.sessions(START, END))
    assert layout.RUNS + report.manifests[0].run_id + ".json" in objects(lake)
