"""What a report's pages say, whole, of a lake that has a bit of everything.

`report.txt` has every text, link, drawing and tooltip of the pages in their order. After a change
that is meant, take over the file that the failure names.
"""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers import new_lake
from small_lake import TICKERS, fill, shared

from tickerlake.lake.store import open_store
from tickerlake.stages import report
from tickerlake.stages.report.site import page_key

EXPECTED = Path(__file__).with_name("report.txt")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    made = new_lake(str(tmp_path_factory.mktemp("small") / "lake"), "month")
    fill(made)
    return made


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
    """The lines of a page."""
    body = shared(text).partition("<body")[2].partition(">")[2].partition("</main>")[0]
    return [" ".join(line) for line in Said(body).lines if line]


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
        found += [f"== {key}", *(lines if is_whole else lines[1:2] + lines[4:9])]
    accepted = tmp_path / "report.txt"
    accepted.write_text("\n".join(found) + "\n", encoding="utf-8")
    expected = EXPECTED.read_text(encoding="utf-8").splitlines()
    assert found == expected, f"cp {accepted} {EXPECTED}"


def test_a_single_file_says_what_the_pages_say(lake, tmp_path):
    pages = made(lake, tmp_path / "report")
    text = report.single(lake, (), workers=1, progress=str).decode()
    keys = {page_key(ticker): ticker for ticker in [*TICKERS, "NEW"]}
    links = {"href=index.html": "href=#", "href=quality.html": "href=#quality"}
    links |= {f"href={key}": f"href=#{ticker}" for key, ticker in keys.items()}

    def linked(line: str) -> str:
        line = line.replace("../", "")
        for old, new in links.items():
            line = line.replace(old, new)
        return line

    expected = [linked(line) for lines in pages.values() for line in lines]
    assert sorted(set(said(text)) - set(expected)) == []
    assert sorted(set(expected) - set(said(text))) == []
