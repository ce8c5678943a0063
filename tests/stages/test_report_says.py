"""What a report's pages say, whole, of a lake that has a bit of everything.

`report.txt` has every text, link, drawing and tooltip of the pages in their order. After a change
that is meant, take over the file that the failure names.
"""

import json
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from helpers import bar, bars, new_lake

from tickerlake.lake.store import open_store
from tickerlake.sources import Fetched, Listing
from tickerlake.stages import report
from tickerlake.stages.extract import extract
from tickerlake.stages.lifecycle import rename, retire
from tickerlake.stages.report.site import page_key
from tickerlake.stages.transform import transform

EXPECTED = Path(__file__).with_name("report.txt")
LAST = date(2013, 3, 1)
LISTINGS = {
    "PAYS": Listing("Pays & Splits", "NasdaqGS", "EQUITY", "USD", "America/New_York"),
    "SAP.DE": Listing("SAP", None, "EQUITY", "EUR", "Europe/Berlin"),
    "^ODD": Listing(),
}


class Small:
    """A source of a few tickers; on the second day, of other volumes."""

    name = "small"

    def __init__(self, later: bool = False) -> None:
        self.later = later

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        found = bars(*self.rows(symbol)).filter(pl.col("session").is_between(start, end))
        return Fetched(found, LISTINGS.get(symbol, Listing(currency="USD")))

    def rows(self, symbol: str) -> list[dict[str, object]]:
        days = pl.date_range(date(2012, 11, 1), LAST, eager=True)
        days = days.filter(days.dt.weekday() <= 5)
        holidays = {date(2012, 11, 22), date(2012, 12, 25), date(2013, 1, 1), date(2013, 1, 21)}
        holidays |= {date(2013, 2, 18)}
        rows = [
            bar(day, 100.0 + number % 9 - number % 4 * 0.5, volume=1_000 * (number + 1))
            for number, day in enumerate(day for day in days.to_list() if day not in holidays)
        ]
        match symbol:
            case "PAYS":
                rows[-70] |= {"capital_gain": 0.75}
                rows[-60] |= {"dividend": 0.5}
                rows[-15] |= {"dividend": 0.25}
                rows[-10] |= {"split": 2.0}
                del rows[-30:-28]
                rows[-5] |= {"close": None}
                rows[-3] |= {"open": 0.0}
                if self.later:
                    rows[-2] |= {"volume": 77}
            case "LATE":
                rows = rows[:-9]
            case "ONE":
                rows = rows[-1:]
            case "BAD":
                rows = [rows[-1] | {"close": None}]
            case "FLAT":
                rows = [bar(each["session"], 7.0) for each in rows[-3:]]
            case "^ODD" | "SAP.DE":
                rows = [*rows[-4:-1], rows[-1] | {"close": 111.0, "high": 111.0}]
        return rows


TICKERS = ["PAYS", "LATE", "ONE", "BAD", "FLAT", "^ODD", "SAP.DE", "GONE", "OLD"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    made = new_lake(str(tmp_path_factory.mktemp("small") / "lake"), "month")
    begin = date(2012, 11, 1)
    moment = datetime(2013, 2, 28, 23, 30, tzinfo=UTC)
    extract(made, Small(), TICKERS, as_of=moment, start=begin, workers=1)
    transform(made)
    retire(made, "GONE", None)
    rename(made, "OLD", "NEW", date(2013, 2, 1))
    transform(made)
    names = [each for each in TICKERS if each not in ("GONE", "OLD")] + ["NEW"]
    extract(made, Small(later=True), names, as_of=moment.replace(month=3, day=1), workers=1)
    return made


VARIES = {
    r"\d{8}T\d{12}Z-[0-9a-f]{6}": "RUN",
    r"\b[0-9a-f]{12}\b": "STAMP",
}


class Said(HTMLParser):
    """A line for each block: its texts, and what it links to, draws, or says when pointed at."""

    BLOCKS = ("h1", "h2", "p", "li", "tr", "dl", "div", "section", "figure", "nav", "table", "ul")
    TOLD = ("href", "aria-label", "title", "d", "x", "width", "viewbox", "style", "data-v")
    TOLD += ("data-basis", "disabled", "rel", "transform")
    COLOURS = ("up", "down", "flat", "late", "stale", "current", "other", "long")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.lines: list[list[str]] = [[]]
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._tag = tag
        if tag in self.BLOCKS:
            self.lines.append([])
        found = [f"{name}={value}" for name, value in attributes if name in self.TOLD]
        classes = (dict(attributes).get("class") or "").split()
        found += [f".{name}" for name in classes if name in self.COLOURS]
        self.lines[-1] += [f"<{tag} {' '.join(found)}>"] * bool(found)

    def handle_data(self, data):
        if self._tag == "script" and data.startswith('{"'):
            found = json.loads(data)
            self.lines += [[f"{name}: {found[name]}"] for name in ("traded", "total", "marks")]
        elif self._tag not in ("script", "style") and data.strip():
            self.lines[-1].append(" ".join(data.split()))


def said(text: str) -> list[str]:
    """The lines of a page's main part, without what no two lakes share."""
    for pattern, word in VARIES.items():
        text = re.sub(pattern, word, text)
    main = text.partition('<main id="main" tabindex="-1">')[2].partition("</main>")[0]
    return [" ".join(line) for line in Said(main).lines if line]


def made(lake, folder: Path) -> dict[str, list[str]]:
    report.report(lake, open_store(str(folder), create=True), (), workers=1, progress=str)
    return {
        path.relative_to(folder).as_posix(): said(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
    }


def test_pages_say_what_they_should(lake, tmp_path):
    found = []
    for key, lines in made(lake, tmp_path / "report").items():
        is_whole = key in ("index.html", "quality.html", "tickers/PAYS.html", "tickers/BAD.html")
        found += [f"== {key}", *(lines if is_whole else lines[:5])]
    accepted = tmp_path / "report.txt"
    accepted.write_text("\n".join(found) + "\n", encoding="utf-8")
    expected = EXPECTED.read_text(encoding="utf-8").splitlines()
    assert found == expected, f"cp {accepted} {EXPECTED}"


def test_a_single_file_says_what_the_pages_say(lake, tmp_path):
    pages = made(lake, tmp_path / "report")
    text = report.single(lake, (), workers=1, progress=str).decode()
    keys = {page_key(ticker): ticker for ticker in [*TICKERS, "NEW"]}
    links = {f"href={key}": f"href=#{ticker}" for key, ticker in keys.items()}

    def linked(line: str) -> str:
        line = line.replace("../", "")
        for old, new in links.items():
            line = line.replace(old, new)
        return line

    expected = [linked(line) for lines in pages.values() for line in lines]
    assert sorted(set(said(text)) - set(expected)) == []
    assert sorted(set(expected) - set(said(text))) == []
