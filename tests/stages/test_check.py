"""What needs attention is found, by kind, and an exit code tells CI."""

import json
from datetime import UTC, date, datetime

import pytest
from helpers import bar, bars, new_lake, tickerlake

from tickerlake.market import calendars
from tickerlake.market.listing import Listing
from tickerlake.sources import Fetched
from tickerlake.stages import check, extract, transform

SESSIONS = calendars.of("AAPL").schedule["session"]
DAYS = SESSIONS.filter(date(2026, 1, 2) <= SESSIONS).head(30).to_list()


class Odd:
    """A source with something of everything."""

    name = "odd"

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        rows = {day: bar(day) for day in DAYS[:20] if start <= day <= end}
        if symbol == "ODD":
            rows.pop(DAYS[4])
            rows[DAYS[6]] |= {"open": 0.0}
            rows[DAYS[8]] |= {"close": None}
            rows[DAYS[10]] |= {"dividend": 50.0}
        return Fetched(bars(*rows.values()), Listing(timezone=timezone))


def found(lake, kind: str) -> list[tuple[str, str, int]]:
    problems = check.check(lake, workers=2).problems
    return [(each.ticker, each.name, each.count) for each in problems if each.kind == kind]


@pytest.fixture
def odd(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "year")
    moment = datetime.combine(DAYS[19], datetime.min.time(), UTC).replace(hour=23, minute=30)
    tickers = ["ODD", "FINE", "X.QA", "RELIANCE.NS"]
    extract.extract(lake, Odd(), tickers, as_of=moment, start=DAYS[0], workers=2)
    transform.transform(lake)
    return lake


def test_each_kind_is_found(odd):
    assert ("ODD", "", 2) in found(odd, "gaps")
    assert ("ODD", "open_unknown", 1) in found(odd, "flags")
    assert ("ODD", "large_dividend", 1) in found(odd, "flags")
    assert found(odd, "quarantine") == [("ODD", "no_close", 1)]
    assert {ticker for ticker, *_ in found(odd, "calendars")} >= {"X.QA"}
    assert not [each for each in check.check(odd, 2).problems if each.ticker == "FINE"]


@pytest.mark.parametrize(
    ("kinds", "code"), [("gaps", 1), ("gaps,stale", 1), ("revisions", 0), ("", 0)]
)
def test_an_exit_code_tells_ci(odd, kinds, code):
    done = tickerlake("check", "--lake", odd.store.url, "--fail-on", kinds)
    assert done.returncode == code, done.stderr


def test_a_kind_that_does_not_exist_is_a_usage_error(odd):
    done = tickerlake("check", "--lake", odd.store.url, "--fail-on", "gap")
    assert done.returncode == 2
    assert "gaps, flags, quarantine" in done.stderr


def test_the_json_has_what_the_table_has(odd):
    done = tickerlake("check", "--lake", odd.store.url, "--format", "json")
    problems = json.loads(done.stdout)["problems"]
    assert {each["kind"] for each in problems} >= {"gaps", "flags", "quarantine", "calendars"}
    assert "2 sessions without a bar" in tickerlake("check", "--lake", odd.store.url).stdout


@pytest.mark.parametrize(("behind", "stale"), [(0, False), (3, False), (4, True)])
def test_a_ticker_is_stale_after_three_sessions(odd, behind, stale, monkeypatch):
    from tickerlake.stages import status

    moment = datetime.combine(DAYS[19 + behind], datetime.min.time(), UTC)
    monkeypatch.setattr(status, "_moment", lambda _: moment.replace(hour=23, minute=30))
    assert (("FINE", "", behind) in found(odd, "stale")) is stale


def test_every_flag_of_a_bar_is_a_problem(tmp_path):
    class Both(Odd):
        def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
            rows = [bar(day) for day in DAYS[:3]]
            rows[1] |= {"open": 0.0, "dividend": 50.0, "volume": -1}
            return Fetched(bars(*rows), Listing(timezone=timezone))

    lake = new_lake(str(tmp_path / "lake"), "year")
    moment = datetime.combine(DAYS[2], datetime.min.time(), UTC).replace(hour=23, minute=30)
    extract.extract(lake, Both(), ["A"], as_of=moment, start=DAYS[0], workers=1)
    transform.transform(lake)
    assert found(lake, "flags") == [
        ("A", "large_dividend", 1), ("A", "open_unknown", 1), ("A", "volume_unknown", 1)
    ]  # fmt: skip


def test_runs_that_change_the_past_are_revisions(tmp_path):
    class Moving(Odd):
        factor = 1.0

        def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
            rows = [bar(day) for day in DAYS[:20] if start <= day <= end]
            if symbol == "ONE" and self.factor != 1:
                rows[-2] |= {"volume": 5}
            if symbol == "ALL":
                rows = [bar(row["session"], 100.0 * self.factor) for row in rows]
            return Fetched(bars(*rows), Listing(timezone=timezone))

    lake, source = new_lake(str(tmp_path / "lake"), "year"), Moving()
    for number, factor in ((18, 1.0), (19, 0.7)):
        source.factor = factor
        moment = datetime.combine(DAYS[number], datetime.min.time(), UTC)
        moment = moment.replace(hour=23, minute=30)
        tickers = ["ALL", "ONE", "FINE"]
        extract.extract(lake, source, tickers, as_of=moment, start=DAYS[0], workers=1)
        transform.transform(lake)
    assert found(lake, "revisions") == [("ALL", "restated", 20), ("ONE", "corrected", 1)]
