"""The parts of a report, one by one, on both sides of their borders."""

import itertools
import json
import math
import re
import shlex
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Entry, Manifest, Rejected
from tickerlake.lake.store import open_store
from tickerlake.market.bars import HISTORY
from tickerlake.stages import words
from tickerlake.stages.check import Problem
from tickerlake.stages.facts import Facts, facts
from tickerlake.stages.report import breadth, cards, pages, series, site, summary
from tickerlake.stages.status import Quarantined, Status, Ticker

MONDAY = date(2012, 1, 2)
NONE = Quarantined(0, {})


def known(closes: list[float], **last: object) -> Facts:
    """The facts of a ticker with these closes, from a Monday on."""
    days = [MONDAY + timedelta(days=7 * (n // 5) + n % 5) for n in range(len(closes))]
    rows = [
        bar(day, close, low=min(close, close * 0.99), high=max(close, close * 1.01), volume=n + 1)
        for n, (day, close) in enumerate(zip(days, closes, strict=True))
    ]
    if rows:
        rows[-1] |= last
    frame = bars(*rows).with_columns(
        pl.lit("").alias("flags"), pl.lit(datetime(2012, 1, 1, tzinfo=UTC)).alias("as_of")
    )
    held = Ticker("AAPL", len(days), *(days[:1] or [None]), *(days[-1:] or [None]), 0, (), NONE)
    return facts(
        held,
        History(bars=frame.with_columns(basis_factor=1.0).select(*HISTORY).cast(dict(HISTORY))),
    )


# ---- words


@pytest.mark.parametrize(
    ("value", "price", "signed", "percent", "large"),
    [
        (None, "-", "-", "-", "-"),
        (math.nan, "-", "-", "-", "-"),
        (math.inf, "-", "-", "-", "-"),
        (-math.inf, "-", "-", "-", "-"),
        (0.0, "0.00", "0.00", "0.00 %", "0"),
        (0.004, "0.004", "+0.004", "+0.40 %", "0"),
        (-0.6, "-0.60", "-0.60", "-60.00 %", "-1"),
        (-1.0, "-1.00", "-1.00", "-100.00 %", "-1"),
        (999.0, "999.00", "+999.00", "+99,900.00 %", "999"),
        (1_000.0, "1,000.00", "+1,000.00", "+100,000.00 %", "1k"),
        (9_999.5, "9,999.50", "+9,999.50", "+999,950.00 %", "10k"),
        (10_000.0, "10,000", "+10,000", "+1,000,000.00 %", "10k"),
        (-10_000.5, "-10,000.5", "-10,000.5", "-1,000,050.00 %", "-10k"),
        (1e6, "1,000,000", "+1,000,000", "+100,000,000.00 %", "1M"),
        (1e9, "1,000,000,000", "+1,000,000,000", "+100,000,000,000.00 %", "1B"),
        (1.234e12, "1,234,000,000,000", "+1,234,000,000,000", "+123,400,000,000,000.00 %", "1.23T"),
    ],
)
def test_numbers_in_words(value, price, signed, percent, large):
    assert words.price(value) == price
    assert words.signed(value) == signed
    assert words.percent(value) == percent
    assert words.percent(value, signed=False) == percent.removeprefix("+")
    assert words.large(value) == large


def test_what_rounds_to_nothing_has_no_sign():
    assert words.percent(0.00004) == words.percent(-0.00004) == "0.00 %"
    assert words.percent(0.00006) == "+0.01 %"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(4.0, "4:1"), (1 / 7, "1:7"), (0.99, "99:100"), (1 / 100, "1:100"), (1 / 101, "0.00990099:1")],
)
def test_splits_in_words(ratio, said):
    assert words.split(ratio) == said


# ---- drawings


@given(st.lists(st.integers(), max_size=200), st.integers(2, 80))
def test_a_thinned_line_keeps_its_ends_and_its_order(values, points):
    numbers = list(range(len(values)))
    found = cards.thinned(numbers, points)
    assert len(found) == min(len(values), points)
    assert found[:1] == numbers[:1]
    assert found[-1:] == numbers[-1:]
    assert found == sorted(set(found))
    steps = {after - before for before, after in itertools.pairwise(found)}
    assert not steps or max(steps) - min(steps) <= 1


def test_a_line_has_sixty_points():
    assert len(cards.thinned(list(range(61)))) == len(cards.thinned(list(range(60)))) == 60


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ([5.0], "M0 2 10 2"),
        ([5.0, 5.0], "M0 2 10 2"),
        ([1.0, 2.0], "M0 4 10 0"),
        ([2.0, 1.0, 2.0, 1.5], "M0 0 3.3 4 6.7 0 10 2"),
    ],
)
def test_a_path_reaches_from_edge_to_edge(values, path):
    assert cards.path(values, 10, 4) == path


@given(st.sets(st.integers(100, 130)))
def test_a_strip_covers_its_months_and_no_others(months):
    drawn = re.findall(r"M(\d+) 0h(\d+)", cards.strip(sorted(months), 100))
    covered = [n + 100 for at, long in drawn for n in range(int(at), int(at) + int(long))]
    assert covered == sorted(months)
    borders = [int(at) for at, _ in drawn] + [int(at) + int(long) for at, long in drawn]
    assert len(set(borders)) == len(borders)  # no stretch begins where another ends


@given(st.dates(date(1000, 1, 1)))
def test_months_are_numbered(day):
    assert cards.month_name(cards.month(day)) == f"{day:%Y-%m}".zfill(7)


def test_shares_are_drawn_where_they_are_known():
    values = [None, 0.0, 0.5, None, None, 1.0, 0.125]
    assert breadth.share_path(values) == "M1 100L2 50M5 0L6 87.5"


@given(st.integers(1900 * 12, 2030 * 12), st.integers(0, 130 * 12))
def test_years_at_the_axis_are_few_and_at_their_januaries(first, span):
    found = pages._years(range(first, first + span + 1))
    assert found == [(year, year * 12 - first) for year, _ in found]
    assert all(0 <= at <= span for _, at in found)
    assert len(found) <= 9
    step = next(step for step in (1, 2, 5, 10, 20, 50) if span / 12 / step <= 8)
    assert [year for year, _ in found] == [
        year for year in range(1800, 2200, step) if first <= year * 12 <= first + span
    ]


def test_without_months_there_are_no_years():
    assert pages._years([]) == []


# ---- a ticker's page


@pytest.mark.parametrize(
    ("closes", "position"),
    [([], None), ([5.0], 0.5), ([10.0, 20.0], (20 - 9.9) / (20.2 - 9.9)), ([0.0], None)],
)
def test_where_the_close_is_in_the_year(closes, position):
    assert pages._position(known(closes)) == pytest.approx(position)


def test_the_year_has_252_sessions():
    rows = known([1000.0, *[10.0] * 250, 20.0])
    assert rows.year == pytest.approx((9.9, 1010.0))
    rows = known([1000.0, *[10.0] * 251, 20.0])
    assert rows.year == pytest.approx((9.9, 20.2))


@pytest.mark.parametrize(
    ("closes", "close", "change", "ratio"),
    [
        ([], None, None, None),
        ([4.0], 4.0, None, None),
        ([4.0, 5.0], 5.0, 1.0, 0.25),
        ([0.0, 5.0], 5.0, 5.0, None),
        ([5.0, 0.0], 0.0, -5.0, None),
    ],
)
def test_the_last_close_and_its_change(closes, close, change, ratio):
    found = known(closes)
    assert (found.close, found.change, found.change_ratio) == (close, change, ratio)


@pytest.mark.parametrize(
    ("closes", "is_drawn"), [([4.0, 5.0], True), ([0.0, 5.0], False), ([5.0, 0.0, 5.0], False)]
)
def test_where_a_close_is_nothing_there_is_no_total_return(closes, is_drawn):
    found = series.series(known(closes), [])
    assert (found["total"] is not None) == is_drawn
    assert found["traded"] == [[0, 1.0]]


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_only_sessions_before_the_newest_are_joined(count, monkeypatch):
    """From Monday on: 7 sessions are a week, and the Monday and Tuesday of the next one."""
    monkeypatch.setattr(series, "DAILY", 3)
    found = known([float(n + 1) for n in range(3 + count)])
    rows = series._thinned(found.rows.with_columns(*series._factors(found)))
    weeks = [range(count)[at : at + 5] for at in range(0, count, 5)]
    expected = [*weeks, *([n] for n in range(count, 3 + count))]
    assert rows["volume"].to_list() == [sum(n + 1 for n in week) for week in expected]
    assert rows["close"].to_list() == [week[-1] + 1 for week in expected]
    assert rows["open"].to_list() == [week[0] + 1 for week in expected]
    assert rows["session"].to_list() == [found.rows["session"][week[-1]] for week in expected]


def test_marks_are_in_order_and_name_the_currency_if_it_is_known():
    one = known([1.0, 2.0, 3.0], dividend=0.5, split=3.0)
    day = (MONDAY - date(1970, 1, 1)).days
    found = series._marks(one, [MONDAY + timedelta(days=1), MONDAY])
    assert found == [
        (day, "revision", "revised by the source"),
        (day + 1, "revision", "revised by the source"),
        (day + 2, "dividend", "dividend 0.50 USD"),
        (day + 2, "split", "split 3:1"),
    ]
    assert series._marks(replace(one, currency=""), [])[0].text == "dividend 0.50"


def test_a_flag_that_nobody_knows_is_named():
    assert series.describe(["a", "b"], {"a": "A."}) == "a: A. b"


@pytest.mark.parametrize(
    ("url", "name", "option"),
    [
        ("/data/lakes/mine", "mine", ""),
        ("/data/lakes/mine/", "mine", ""),
        ("s3://bucket/some/lake", "s3://bucket/some/lake", "--lake s3://bucket/some/lake"),
    ],
)
def test_what_a_report_calls_a_lake(url, name, option):
    assert pages.lake_name(url) == name
    assert pages.lake_option(url) == option


def test_ten_reasons_are_named_each_once_and_the_newest():
    days = [MONDAY + timedelta(days=n) for n in range(12)]
    rejected = tuple(Rejected(day, "a,b", str(n)) for day in days for n in (1, 2))
    one = known([1.0])
    found = pages._reasons(replace(one, known=replace(one.known, rejected=rejected)))
    assert found == [(day, "a, b") for day in days[2:]]


# ---- the overview


def card(ticker: str, closes: list[float]) -> cards.Card:
    found = known(closes)
    found = replace(found, held=replace(found.held, ticker=ticker), name=ticker.lower())
    return cards.card(found, breadth.COLUMNS)


def test_five_are_the_best_and_five_the_worst():
    ups = {f"U{n}": 10.0 + n for n in range(1, 8)}
    downs = {f"D{n}": 10.0 - n for n in range(1, 8)}
    all_cards = [card(name, [10.0, close]) for name, close in (ups | downs).items()]
    found = breadth.breadth([*all_cards, card("SAME", [10.0, 10.0]), card("NONE", [])])
    assert [each.ticker for each in found.best] == ["U7", "U6", "U5", "U4", "U3"]
    assert [each.ticker for each in found.worst] == ["D7", "D6", "D5", "D4", "D3"]
    assert found.best[0] == ("U7", "u7", 17.0, pytest.approx(0.7), [10.0, 17.0])
    assert (found.up, found.down, found.unchanged) == (7, 7, 1)
    few = breadth.breadth([card("SAME", [10.0, 10.0]), card("UP", [10.0, 11.0])])
    assert ([each.ticker for each in few.best], few.worst) == (["UP"], [])


def test_of_equal_moves_the_first_names_are_shown():
    found = breadth.breadth([card(n, [10.0, 11.0]) for n in "GFEDCBA"])
    assert [each.ticker for each in found.best] == ["A", "B", "C", "D", "E"]
    found = breadth.breadth([card(n, [10.0, 9.0]) for n in "GFEDCBA"])
    assert [each.ticker for each in found.worst] == ["A", "B", "C", "D", "E"]


def test_a_session_counts_when_half_of_the_tickers_have_it():
    short, long = [10.0], [10.0, 11.0]
    days = [MONDAY, MONDAY + timedelta(days=1)]
    half = breadth.breadth([card("A", long), card("B", short), card("NONE", [])])
    assert (half.session, half.sessions) == (days[1], days)
    third = breadth.breadth([card("A", long), card("B", short), card("C", short)])
    assert (third.session, third.sessions) == (days[0], days[:1])


@pytest.mark.parametrize("found", [[], ["NONE"]])
def test_without_bars_there_is_no_breadth(found):
    assert breadth.breadth([card(name, []) for name in found]) is None


def test_a_card_has_a_year():
    assert card("A", [10.0] * 251).year.height == 251
    assert card("A", [10.0] * 253).year.height == 252


def problem(kind: str, ticker: str, name: str = "", count: int = 1) -> Problem:
    return Problem(kind, ticker, name, count, MONDAY, "it says why")


HEALTHY = Status("/data/lake", "year", (), (), (), "0" * 12)


def test_what_needs_attention_is_grouped_and_comes_with_a_command():
    six = [f"T{n}" for n in range(6)]
    problems = [
        *(problem("stale", name, count=n + 4) for n, name in enumerate(six)),
        *(problem("stale", "T0", count=4) for _ in range(2)),
        problem("flags", "B", "spike", 2),
        problem("flags", "A", "after_gap", 1),
        problem("flags", "A", "spike", 3),
        *(problem("quarantine", name, "no_close,twice") for name in six[:5]),
        problem("revisions", "A", "corrected", 2),
        problem("gaps", "A&B", count=1_234),
        problem("calendars", "C"),
    ]
    status = replace(HEALTHY, damaged=("x is bad", "y is bad"), pending=("r1", "r2", "r3"))
    found = summary.attention(status, problems, "--lake s3://b")
    query = 'tickerlake query --lake s3://b "select ticker, session, close, flags from daily where'
    named = "T0, T1, T2, T3, T4"
    assert [(each.kind, each.text, each.command) for each in found] == [
        ("damaged", "2 objects can't be read: x is bad.", "tickerlake repair --lake s3://b"),
        (
            "pending",
            "3 runs not processed yet: tables lack what they delivered.",
            "tickerlake transform --lake s3://b",
        ),
        ("stale", f"{named} and 1 more: up to 9 sessions behind.", "tickerlake run --lake s3://b"),
        ("gaps", "1,234 sessions without a bar: A&B.", "tickerlake run --lake s3://b"),
        (
            "quarantine",
            f"5 rows not accepted (no_close, twice): {named}.",
            "tickerlake check --lake s3://b",
        ),
        ("calendars", "C: it says why.", "pip install --upgrade exchange_calendars"),
        ("flags", "1 bar flagged after_gap: A.", f"{query} flags like '%after_gap%'\""),
        ("flags", "5 bars flagged spike: A, B.", f"{query} flags like '%spike%'\""),
        ("revisions", "2 bars corrected by the last runs: A.", "tickerlake check --lake s3://b"),
    ]
    assert [each.title for each in found[:3]] == ["Damaged", "Pending", "Behind"]


def test_up_to_five_tickers_are_named_in_the_command():
    for names in (["A&B"], ["A", "B", "C", "D", "E"]):
        [found] = summary.attention(HEALTHY, [problem("stale", name) for name in names], "")
        assert found.command == "tickerlake run " + " ".join(map(shlex.quote, names))
        assert found.text == f"{', '.join(names)}: up to 1 session behind."
    assert summary.attention(HEALTHY, [], "") == []


def test_the_problems_of_a_kind_stay_together_in_their_order():
    kinds = ["flags", "gaps", "flags", "stale"]
    found = list(summary.by_kind([problem(kind, str(n)) for n, kind in enumerate(kinds)]))
    assert [(kind, title, [each.ticker for each in group]) for kind, title, group in found] == [
        ("gaps", "Gaps", ["1"]),
        ("flags", "Flags", ["0", "2"]),
        ("stale", "Behind", ["3"]),
    ]


def test_a_run_in_numbers():
    """Each number differs, and each is a sum; a replay's clock says nothing about its length."""
    entries = {
        "A": Entry(outcome="ok", new=1, corrected=10, quarantined=100),
        "B": Entry(outcome="ok", new=2, corrected=20, quarantined=200),
        "C": Entry(outcome="rate_limited"),
    }
    run_id = "20260202T223000000000Z-0a1b2c"
    for hours, seconds in ((0.5, 1800.0), (24, 86_400.0), (25, None)):
        as_of = datetime(2026, 2, 2, 22, 30, tzinfo=UTC) - timedelta(hours=hours)
        one = Manifest(run_id=run_id, as_of=as_of, source="yahoo", tickers=entries)
        [found] = summary.runs([one], ["another"])
        expected = (run_id, as_of, 3, 3, 30, 300, ["C: rate limited"], seconds, False)
        assert tuple(vars(found).values()) == expected


def test_freshness_is_by_exchange_and_knows_the_last_session():
    late, empty = card("LATE", [1.0, 2.0]), card("EMPTY", [])
    late = replace(late, held=replace(late.held, behind=3), exchange="B")
    empty = replace(empty, held=replace(empty.held, behind=None), exchange="")
    found = summary.freshness([late, replace(late, held=replace(late.held, behind=4)), empty])
    assert [tuple(vars(each).values()) for each in found] == [
        ("unknown", 1, None, 0, 0, 0, 1),
        ("B", 2, MONDAY + timedelta(days=1), 0, 1, 1, 0),
    ]


# ---- how it is written


@pytest.mark.parametrize(
    "data", [None, b"", b"{}", b"[]", b"x", b'{"pages": 1}', b'{"pages": {"a": 1}}']
)
def test_what_is_no_index_is_none(data):
    assert site._index(data) == {}


def test_only_what_changed_is_written_and_what_is_gone_deleted(tmp_path):
    store = open_store(str(tmp_path / "out"), create=True)

    def write(**pages_: bytes) -> tuple[int, int, int]:
        made = site.Site(store).open()
        for name, data in pages_.items():
            made.write(f"{name}.html", data)
        done = made.close()
        return done.written, done.unchanged, done.deleted

    assert write(a=b"1", b=b"2", c=b"3") == (3, 0, 0)
    index = store.get(site.INDEX)
    assert write(a=b"1", b=b"2", c=b"3") == (0, 3, 0)
    assert store.get(site.INDEX) == index
    assert list(json.loads(index)["pages"]) == ["a.html", "b.html", "c.html"]
    assert json.loads(index)["format"] == 1
    assert write(a=b"1", b=b"4") == (1, 1, 1)
    assert sorted(store.keys("")) == ["a.html", "b.html", site.INDEX]
    (tmp_path / "out" / "b.html").unlink()
    assert write(a=b"1") == (0, 1, 0)  # what somebody deleted is not deleted again


def test_keys_of_pages_are_names_that_any_system_takes():
    assert site.page_key("COM1") == "tickers/_43OM1.html"
    assert site.page_key("COM9.L") == "tickers/_43OM9.L.html"
    assert site.page_key("LPT0") == "tickers/LPT0.html"
    assert site.page_key("A-B=F") == "tickers/A-B_3DF.html"
