"""`show`: what a terminal is told to draw."""

import re
import sys
from datetime import UTC, date, datetime
from types import SimpleNamespace

import odd_lake
import pytest
from helpers import bar, bars, new_lake, tickerlake

from tickerlake.cli import show
from tickerlake.errors import UsageError
from tickerlake.sources import Fetched
from tickerlake.stages.extract import extract
from tickerlake.stages.show import begin
from tickerlake.stages.transform import transform


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    made = new_lake(str(tmp_path_factory.mktemp("odd") / "lake"), "year")
    odd_lake.fill(made, tickers=[*NAMES, "STALE", odd_lake.WITHOUT_BARS])
    return made.store.url


NAMES = ["ONE", "TWO", "TINY", "BIG", "FLAT", "CL=F", "GAPPY"]


def shown(*arguments: str, **environment: str) -> str:
    done = tickerlake("show", *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("period", ["1d", "6mo", "max"])
@pytest.mark.parametrize("name", NAMES)
def test_everything_fits_into_80_columns_without_colour(lake, name, period):
    text = shown(name, "--lake", lake, "--period", period)
    assert "\x1b" not in text
    drawn = [line for line in text.splitlines()[1:] if not line.startswith(("flags", "gaps"))]
    assert max(map(len, drawn)) <= 80


def test_what_it_says(lake):
    text = shown("GAPPY", "--lake", lake)
    for words in (
        "GAPPY  ", "USD", "2013-03-01, up to date", "52 weeks", "open_unknown on 2012-12-18",
        "and 8 more", "289 sessions, 2011-12-19 to 2013-03-01; 1 row in quarantine", "rsi_14",
    ):  # fmt: skip
        assert words in text
    closes = odd_lake.closes("GAPPY", 300)
    assert f"\n{float(f'{closes[-1]:.6g}')}" in text
    assert f"({(closes[-1] / closes[-2] - 1) * 100:+.2f} %)" in text


def test_the_past_can_be_drawn(lake):
    now = shown("TWO", "--lake", lake)
    [stamp] = re.findall(r"^stamp +(\S+)$", now, re.MULTILINE)
    assert shown("TWO", "--lake", lake, "--as-of", stamp) == now
    done = tickerlake("show", "TWO", "--lake", lake, "--as-of", "2001-01-01")
    assert done.returncode == 2


def test_a_line_rises_where_prices_do(lake):
    """The highest close is on the chart's first line, the lowest on its last."""
    lines = shown("CL=F", "--lake", lake, "--period", "max").splitlines()
    chart = lines[4 : 4 + 14]
    assert len(chart) == 14
    assert chart[0].strip().startswith("101")
    assert chart[-1].strip().startswith("-37")
    assert len(re.findall("[\u2801-\u28ff]", chart[0])) > 50  # all but five closes are near 100
    assert 1 <= len(re.findall("[\u2801-\u28ff]", chart[-1])) <= 2


def test_several_are_a_table(lake):
    lines = shown("TWO", "one", "STALE", "--lake", lake).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["TWO", "ONE", "STALE"]
    assert "30 sessions behind" in lines[4]
    assert "Quote \" and ' & <b>bold</b>" in lines[2]
    every = shown("--lake", lake).splitlines()
    assert len(every) == 2 + len(NAMES) + 1  # what has no bars is left out


def test_a_name_cannot_move_the_cursor(lake):
    assert "\u202e" not in shown("--lake", lake)


def test_letters_that_the_output_cannot_show_are_replaced_by_others(lake, monkeypatch):
    monkeypatch.setattr(show, "_is_ascii", lambda: True)
    assert shown("BIG", "--lake", lake).isascii()


def test_what_has_no_bars_is_said(lake):
    assert "No bars: 1 row in quarantine." in shown(odd_lake.WITHOUT_BARS, "--lake", lake)


def test_without_plotext_it_says_what_to_install(lake, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    done = tickerlake("show", "BIG", "--lake", lake)
    assert done.returncode == 2
    assert "pip install 'tickerlake[terminal] @ git+https" in done.stderr


def test_an_empty_lake(tmp_path):
    made = new_lake(str(tmp_path))
    assert "tickerlake run" in shown("--lake", made.store.url)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("BIGG",), "does not hold BIGG; did you mean BIG?"),
        (("BIG", "--period", "6"), "'6' is not a period such as"),
        (("B/G",), "not a valid ticker symbol"),
    ],
)
def test_wrong_calls(lake, arguments, words):
    done = tickerlake("show", *arguments, "--lake", lake)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("period", "first"),
    [
        ("5d", date(2013, 2, 24)),
        ("2wk", date(2013, 2, 15)),
        ("1mo", date(2013, 2, 1)),
        ("6mo", date(2012, 9, 1)),
        ("1y", date(2012, 3, 1)),
        ("ytd", date(2013, 1, 1)),
        ("max", date.min),
        ("9999y", date.min),
        ("9999wk", date(1821, 7, 1)),
    ],
)
def test_periods(period, first):
    last = date(2013, 3, 1)
    found = begin(period, last)
    if period == "9999wk":
        assert (last - found).days == 9999 * 7
    else:
        assert found == first


@pytest.mark.parametrize("period", ["", "6", "0mo", "6 mo", "-1y", "1q", "1y6mo", "12345d"])
def test_what_is_no_period(period):
    with pytest.raises(UsageError):
        begin(period, date(2013, 3, 1))


def test_the_unit_of_a_volume_is_not_cut(tmp_path):
    """Volumes may need more room than prices."""
    lake = new_lake(str(tmp_path / "lake"), "year")
    source = SimpleNamespace(
        name="test",
        fetch=lambda *_: Fetched(
            bars(
                bar(date(2013, 2, 27), 1.0, volume=1),
                bar(date(2013, 2, 28), 5.0, volume=12_345_000),
            )
        ),
    )
    moment = datetime(2013, 2, 28, 23, 30, tzinfo=UTC)
    extract(lake, source, ["A"], as_of=moment, start=date(2013, 2, 27), workers=1)
    transform(lake)
    text = tickerlake("show", "A", "--lake", lake.store.url).stdout
    assert "\n12.3M " in text
    assert "\n      2013-02-27" in text  # the chart begins behind the longest label
