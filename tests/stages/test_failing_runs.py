"""Runs that fail: they say why in a sentence, and leave behind nothing that was not there."""

import socket
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from helpers import free_port, new_lake, objects, tickerlake

from tickerlake.errors import SourceUnreachableError, StoreError, UnknownSymbolError
from tickerlake.sources import Fetched
from tickerlake.sources.replay import Replay
from tickerlake.sources.yahoo import Yahoo
from tickerlake.stages import extract

MOMENT = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)


class Unreachable:
    name = "unreachable"

    def __init__(self) -> None:
        self.asked = 0

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        self.asked += 1
        raise SourceUnreachableError("Yahoo can't be reached: no address for example.invalid")


class Nobody:
    name = "nobody"

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        raise UnknownSymbolError(f"Yahoo does not know {symbol}")


def test_without_a_network_a_run_stops_after_three_tickers_and_commits_nothing(lake):
    source = Unreachable()
    before = objects(lake)
    with pytest.raises(SourceUnreachableError, match="can't be reached"):
        extract.extract(lake, source, [f"T{n}" for n in range(50)], as_of=MOMENT, workers=1)
    assert source.asked == 3
    assert objects(lake) == before


def test_the_command_says_so_within_ten_seconds(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    began = time.monotonic()
    done = tickerlake(
        *("run", "A", "B", "C", "D", "--yahoo-url", url, "--as-of", "2013-03-01T22:30Z"),
        *("--lake", str(tmp_path / "lake")),
    )
    assert time.monotonic() - began < 10
    assert done.returncode == 1
    assert "can't be reached" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list((tmp_path / "lake").rglob("*.json"))


@pytest.mark.parametrize("command", ["run", "extract"])
def test_a_misspelt_ticker_makes_no_lake_and_is_answered_with_the_right_one(tmp_path, command):
    lake = tmp_path / "lake"
    done = tickerlake(command, "APPL", "--offline", "--lake", str(lake))
    assert done.returncode == 1
    assert "every ticker failed: Yahoo does not know APPL" in done.stderr
    assert "Did you mean AAPL?" in done.stderr
    assert not [path for path in lake.rglob("*") if path.is_file()]


def test_a_run_in_which_every_ticker_failed_is_no_commit(lake):
    report = extract.extract(lake, Nobody(), ["A", "B"], as_of=MOMENT, workers=2)
    assert report.exit_code == 1
    assert report.manifests == []


@pytest.mark.parametrize("sample", [True, False])
def test_recorded_and_live_bars_are_never_mixed(tmp_path, sample):
    lake = new_lake(str(tmp_path / "lake"), sample=sample)
    before = objects(lake)
    offline = () if sample else ("--offline",)
    done = tickerlake("run", "AAPL", *offline, "--lake", lake.store.url)
    assert done.returncode == 1
    assert "--lake" in done.stderr
    assert objects(lake) == before


def test_a_sample_is_marked(tmp_path):
    lake = tmp_path / "lake"
    assert tickerlake("run", "FB", "--offline", "--lake", str(lake)).returncode == 0
    assert '"sample": true' in (lake / "_lake.json").read_text()


def test_an_earlier_start_is_asked_for_once(tmp_path):
    lake = str(Path(tmp_path, "lake"))
    with Replay(now=MOMENT) as replay:

        def run(*arguments: str) -> int:
            place = ("--yahoo-url", replay.url, "--lake", lake, "--grain", "year")
            done = tickerlake("run", "IBM", *arguments, *place)
            assert done.returncode == 0, done.stderr
            return sum("/chart/" in path for path, _ in replay.requests)

        assert run("--start", "2013-01-02") == 1
        assert run("--start", "1990-01-02") == 2
        assert run("--start", "1990-01-02") == 2
        assert run("--start", "2005-01-03") == 2


def test_a_put_that_fails_costs_its_ticker_and_no_other(lake, monkeypatch):
    put_new = type(lake.store).put_new

    def refuse(store, key, data):
        if "ticker=IBM" in key:
            raise StoreError("no")
        return put_new(store, key, data)

    with (
        Replay(now=MOMENT) as replay,
        Yahoo(url=replay.url, requests_per_second=1000, workers=1) as yahoo,
    ):

        def run() -> extract.Report:
            tickers = ["AAPL", "IBM", "MSFT"]
            start = date(2013, 2, 1)
            return extract.extract(lake, yahoo, tickers, as_of=MOMENT, start=start, workers=1)

        monkeypatch.setattr(type(lake.store), "put_new", refuse)
        report = run()
        assert {name: each.outcome for name, each in report.entries.items()} == {
            "AAPL": "ok",
            "IBM": "failed",
            "MSFT": "ok",
        }
        assert report.exit_code == 3
        monkeypatch.undo()
        assert run().entries["IBM"].new > 0


def test_a_port_is_free():
    """What the test without a network relies on."""
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", free_port()), timeout=1):
        pass
