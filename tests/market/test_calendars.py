import csv
from datetime import date, datetime
from pathlib import Path

import pytest

from tickerlake.market import calendars

with Path(__file__).with_suffix(".csv").with_stem("calendars").open() as file:
    ANSWERS = list(csv.DictReader(file))


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda row: f"{row['symbol']}: {row['why']}")
def test_last_closed_session(answer):
    sessions = calendars.of(answer["symbol"]).sessions(
        date(2000, 1, 1), datetime.fromisoformat(answer["moment"])
    )
    assert sessions[-1] == date.fromisoformat(answer["last_closed"])
    assert sessions.is_sorted()


def test_sessions_from_a_start_on():
    moment = datetime.fromisoformat("2026-11-20T22:00Z")
    sessions = calendars.of("AAPL").sessions(date(2026, 11, 18), moment)
    assert sessions.to_list() == [date(2026, 11, day) for day in (18, 19, 20)]


def test_every_calendar_that_a_suffix_names_exists():
    for suffix in calendars.known_suffixes().split():
        exchange = calendars.of("A" + suffix)
        assert not exchange.schedule.is_empty()
