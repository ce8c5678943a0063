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
