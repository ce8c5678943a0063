"""The docs hold together: links lead somewhere, lists are complete, and snippets run."""

import doctest
import importlib
import re
import shlex
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from helpers import tickerlake

from tickerlake import errors

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
JOBS = ROOT / "jobs"
# tests/api runs those of tickerlake.api on a lake
EXAMPLES = [
    path
    for path in sorted((JOBS / "tickerlake").rglob("*.py"))
    if ">>>" in path.read_text() and path.parent.name != "api"
]
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / ".github").rglob("*.md")])

SYMBOLS = ["AAPL", "^GSPC", "BRK-B", "EURUSD=X", "M&M.NS", "TRUE", "NAN", "INF", "0700.HK"]


def anchors(page: Path) -> set[str]:
    """Headings as GitHub links to them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(JOBS)))
def test_the_examples_in_docstrings_are_right(path):
    name = ".".join(path.relative_to(JOBS).with_suffix("").parts).removesuffix(".__init__")
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_index():
    reached = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "index.md")}
    assert set(DOCS.glob("*.md")) - {DOCS / "index.md"} <= reached


def test_every_error_is_in_the_troubleshooting_table():
    table = (DOCS / "troubleshooting.md").read_text()
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    roots = {base for each in classes for base in each.__bases__}
    shown = [each.__name__ for each in classes if each not in roots or each is errors.UsageError]
    assert [name for name in shown if f"`{name}`" not in table] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_readme_shows_what_is_really_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(
        r"^\$ tickerlake ((?:run --offline|query) ?.*)\n((?:[^$`\n].*\n)*)", readme, re.MULTILINE
    )
    assert len(shown) == 6
    for arguments, expected in shown:
        done = tickerlake(*shlex.split(arguments))
        assert done.returncode == 0, done.stderr
        printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        assert expected in ("", printed)


@pytest.mark.parametrize("engine", ["DuckDB", "Polars", "PyArrow", "pandas"])
@pytest.mark.parametrize("grain", ["day", "month", "year"])
def test_the_docs_snippets_read_every_symbol_at_every_grain(engine, grain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dates = {"day": "2013-03-01", "month": "2013-03", "year": "2013"}
    names = [quote(symbol, safe="&") for symbol in SYMBOLS]
    tickerlake("run", "--offline", "--tickers", "AAPL", "--start", "2013-03-01", "--grain", grain)
    [partition] = Path("lake/refined/daily").glob(f"date={dates[grain]}/ticker=AAPL")
    for name in names[1:]:
        shutil.copytree(partition, partition.with_name(f"ticker={name}"))

    _, _, section = (DOCS / "readers.md").read_text().partition(f"\n## {engine}\n")
    scope: dict = {}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], scope)  # noqa: S102
    daily = scope["daily"]
    if engine == "DuckDB":
        rows = daily.project("ticker, date, session").fetchall()
    elif engine == "Polars":
        rows = daily.select("ticker", "date", "session").collect().rows()
    elif engine == "PyArrow":
        table = daily.to_table(columns=["ticker", "date", "session"])
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    else:
        rows = list(daily[["ticker", "date", "session"]].itertuples(index=False, name=None))
    assert sorted((ticker, date) for ticker, date, _ in rows) == [
        (symbol, dates[grain]) for symbol in sorted(SYMBOLS)
    ]
    assert {str(session) for *_, session in rows} == {"2013-03-01"}
