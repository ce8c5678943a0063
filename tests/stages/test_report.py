"""The report's pages, as far as they can be judged without a browser; tests/browser has one."""

import base64
import json
import re
import sys
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import boto3
import numpy as np
import odd_lake
import polars as pl
import pytest
from helpers import new_lake, objects, tickerlake

from tickerlake.errors import UsageError
from tickerlake.lake import Lake, history
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.store import open_store
from tickerlake.stages import report
from tickerlake.stages.report import breadth, cards, site, summary
from tickerlake.stages.report.series import DAILY
from tickerlake.stages.report.site import page_key
from tickerlake.stages.status import Quarantined, Ticker


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    made = new_lake(str(tmp_path_factory.mktemp("odd") / "lake"), "year")
    odd_lake.fill(made)
    return made


def write(lake: Lake, folder: Path | str, *names: str) -> site.Written:
    store = open_store(str(folder), create=True)
    return report.report(lake, store, names, workers=2, progress=lambda _: None)


@pytest.fixture(scope="module")
def folder(lake, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write(lake, out)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.data += data
        else:
            self.text += data


def page(folder: Path, key: str) -> Page:
    return Page((folder / key).read_text(encoding="utf-8"))


def test_every_ticker_has_a_page_and_every_link_leads_somewhere(folder):
    names = [*odd_lake.SESSIONS, odd_lake.WITHOUT_BARS]
    assert {page_key(name) for name in names} <= files(folder).keys()
    for path in folder.rglob("*.html"):
        for tag, attributes in page(folder, path.relative_to(folder).as_posix()).elements:
            target = attributes.get("href" if tag in {"a", "link"} else "src") or ""
            if target and not target.startswith(("#", "data:")):
                assert (path.parent / target.partition("#")[0]).is_file(), (path, target)


def test_a_second_report_writes_nothing(lake, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    done = write(lake, folder)
    assert (done.written, done.deleted) == (0, 0)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_two_reports_of_the_same_lake_have_the_same_bytes(lake, folder, tmp_path):
    write(lake, tmp_path)
    one, other = files(tmp_path), files(folder)
    assert one.pop("pages.json") != other.pop("pages.json")  # it has the files' versions
    assert one == other


def test_only_the_pages_that_changed_are_rewritten(lake, tmp_path):
    copy = new_lake(str(tmp_path / "lake"), "year")
    for key, data in objects(lake).items():
        copy.store.put(key, data)
    out = tmp_path / "report"
    write(copy, out)
    before = files(out)
    odd_lake.fill(copy, revised=True, tickers=["BIG"])
    done = write(copy, out)
    changed = {key for key, data in files(out).items() if before.get(key) != data}
    assert changed == {"index.html", "quality.html", "pages.json", "tickers/BIG.html"}
    assert done.written == 3
    assert "revised" in page(out, "tickers/BIG.html").data
    assert "corrected 1 bar" in page(out, "quality.html").text


def test_pages_of_tickers_that_are_gone_are_deleted_and_other_files_are_not(lake, tmp_path):
    write(lake, tmp_path, "ONE", "TWO")
    (tmp_path / "tickers" / "mine.html").write_text("mine")
    done = write(lake, tmp_path, "ONE")
    assert done.deleted == 1
    assert not (tmp_path / "tickers" / "TWO.html").exists()
    assert (tmp_path / "tickers" / "mine.html").exists()


def test_a_page_that_somebody_deleted_is_written_again(lake, tmp_path):
    write(lake, tmp_path, "ONE")
    (tmp_path / "tickers" / "ONE.html").unlink()
    assert write(lake, tmp_path, "ONE").written == 1


def test_a_page_that_somebody_replaced_is_written_again(lake, tmp_path):
    write(lake, tmp_path, "ONE")
    page_of_one = tmp_path / "tickers" / "ONE.html"
    page_of_one.write_bytes(bytes(len(page_of_one.read_bytes())))
    assert write(lake, tmp_path, "ONE").written == 1


def test_an_index_that_cannot_be_read_is_as_if_there_was_none(lake, tmp_path):
    write(lake, tmp_path, "ONE")
    (tmp_path / "pages.json").write_text("[]")
    assert write(lake, tmp_path, "ONE").unchanged == 0


def test_hostile_names_stay_text(folder):
    for ticker, name in odd_lake.NAMES.items():
        own = page(folder, page_key(ticker))
        assert name.strip() in own.text
        for each in (own, page(folder, "index.html")):
            tags = [tag for tag, _ in each.elements]
            assert "img" not in tags
            assert "b" not in tags
            assert all(not name.startswith("on") for _, found in each.elements for name in found)
    scripts = [found for tag, found in page(folder, page_key("ONE")).elements if tag == "script"]
    assert len([each for each in scripts if "src" not in each]) == 1  # the data
    search = (folder / "assets" / "tickers.js").read_text()
    assert not re.search("[<>&]", search)
    rows = json.loads(search.removeprefix("window.TICKERS = ").removesuffix(";\n"))
    assert {ticker: name for ticker, name, _ in rows if name != ticker} == odd_lake.NAMES


def test_no_page_asks_for_anything_outside_the_report(folder):
    for key, data in files(folder).items():
        if key.endswith((".html", ".css")):
            text = re.sub(r"data:image/svg\+xml[^\"]*", "", data.decode())
            text = re.sub(r"(?s)<script type=.application/json.*?</script>", "", text)
            assert not re.search(r"(https?:)?//\w", text), key


def decoded(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def data_of(folder: Path, ticker: str) -> dict:
    return json.loads(page(folder, page_key(ticker)).data)


@pytest.mark.parametrize("ticker", [name for name in odd_lake.SESSIONS if name != "LONG"])
def test_what_a_chart_draws_is_what_the_lake_holds(lake, folder, ticker):
    data, held = data_of(folder, ticker), history.load(lake, ticker).bars
    days = pl.Series(decoded(data["days"], "<i4")).cast(pl.Date)
    assert days.to_list() == held["session"].to_list()
    for name in ("open", "high", "low", "close", "volume"):
        expected = held[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        np.testing.assert_allclose(decoded(data[name]), expected, rtol=5e-7)


def test_old_sessions_are_drawn_by_week_and_no_extreme_is_lost(lake, folder):
    data, held = data_of(folder, "LONG"), history.load(lake, "LONG").bars
    days = decoded(data["days"], "<i4")
    assert len(days) < DAILY + (held.height - DAILY) / 4
    assert np.all(np.diff(days) > 0)
    assert np.all(np.diff(days[: -DAILY - 1]) >= 3)
    np.testing.assert_allclose(decoded(data["high"]).max(), held["high"].max(), rtol=1e-6)
    np.testing.assert_allclose(decoded(data["low"]).min(), held["low"].min(), rtol=1e-6)
    np.testing.assert_allclose(decoded(data["volume"]).sum(), held["volume"].sum(), rtol=1e-3)
    assert (folder / "tickers" / "LONG.html").stat().st_size < 400_000


def test_prices_as_traded_and_total_returns(lake, folder):
    data, known = data_of(folder, "LONG"), history.load(lake, "LONG")
    [split] = known.splits
    days = pl.Series(decoded(data["days"], "<i4")).cast(pl.Date)
    first = days.to_list().index(split)
    assert data["traded"] == [[0, 2.0], [first, 1.0]]
    dividend = known.bars.filter(pl.col("dividend") > 0).row(0, named=True)
    before = known.bars.filter(pl.col("session") < dividend["session"])["close"][-1]
    paid = days.to_list().index(dividend["session"])
    [(_, earlier), (at, later)] = data["total"]
    assert (at, later) == (paid, 1.0)
    # the change from the day before is the total return of the day
    expected = (dividend["close"] + dividend["dividend"]) / before
    assert dividend["close"] / (before * earlier) == pytest.approx(expected, rel=1e-6)


def test_total_returns_are_switched_off_where_prices_are_negative(folder):
    assert data_of(folder, "CL=F")["total"] is None
    own = page(folder, page_key("CL=F"))
    [button] = [found for tag, found in own.elements if found.get("data-basis") == "total"]
    assert "disabled" in button


def test_the_overview_says_what_needs_attention(folder):
    text = page(folder, "index.html").text
    assert "STALE: up to 30 sessions behind." in text
    assert "tickerlake run STALE" in text
    assert "2 rows not accepted (no_close): BAD, GAPPY." in text
    assert "11 sessions without a bar: GAPPY." in text


def test_a_lake_without_bars(tmp_path):
    empty = new_lake(str(tmp_path / "lake"))
    done = write(empty, tmp_path / "report")
    assert done.written
    assert "tickerlake run" in page(tmp_path / "report", "index.html").text


def test_market_breadth_is_that_of_the_day_that_most_tickers_have(lake, folder):
    closes = {}
    for ticker in odd_lake.SESSIONS:
        rows = history.load(lake, ticker).bars.filter(pl.col("session") <= odd_lake.LAST)
        if rows["session"][-1] == odd_lake.LAST and rows.height > 1:
            closes[ticker] = rows["close"][-2:].to_list()
    up = sum(after > before > 0 for before, after in closes.values())
    down = sum(after < before for before, after in closes.values())
    text = re.sub(r"\s+", " ", page(folder, "index.html").text)
    assert f"Rose{up} Fell{down} " in text


def card(ticker: str, behind: int | None, **rows: list[float | None]) -> cards.Card:
    """A card of a ticker with these values, session by session."""
    days = pl.Series("session", [date(2026, 2, 2), date(2026, 2, 3)])
    names = ("return_1d", "close", "sma_50", "sma_200", "high", "high_252", "low", "low_252")
    frame = pl.DataFrame(
        {name: rows.get(name, [1.0, 1.0]) for name in names},
        schema=dict.fromkeys(names, pl.Float64),
    ).with_columns(days)
    return cards.Card(
        held=Ticker(ticker, 2, days[0], days[-1], behind, (), Quarantined(0, {})),
        name=ticker,
        exchange="XNYS",
        currency="USD",
        close=1.0,
        change_ratio=0.0,
        line=(),
        months={},
        year=frame.select(pl.lit(ticker).alias("ticker"), *breadth.COLUMNS),
    )


def test_breadth_counts_what_is_on_either_side_of_a_border():
    """A high that equals the highest of the year is one; a close on its average is not above."""
    found = breadth.breadth(
        [
            card("ON", 0, high=[2.0, 3.0], high_252=[2.0, 3.0], low=[9.0, 1.0], low_252=[1.0, 1.0]),
            card(
                "OFF", 0, high=[2.0, 2.9], high_252=[3.0, 3.0], low=[9.0, 1.1], low_252=[1.0, 1.0]
            ),
            card("NEW", 0, high_252=[None, None], low_252=[None, None], sma_50=[None, None]),
            card("UP", 0, return_1d=[0.0, 0.1], close=[1.0, 1.1], high_252=[9, 9], low_252=[0, 0]),
            card("DOWN", 0, return_1d=[0.0, -0.1], close=[1, 0.9], high_252=[9, 9], low_252=[0, 0]),
            card("FLAT", 0, return_1d=[0.0, 0.0], high_252=[9, 9], low_252=[0, 0]),
        ]
    )
    assert found is not None
    assert (found.session, found.highs, found.lows) == (date(2026, 2, 3), 1, 1)
    assert (found.up, found.down, found.unchanged) == (4, 1, 1)
    assert found.above_50[-1] == 1 / 5
    assert found.above_200[-1] == 1 / 6
    assert [each.ticker for each in found.worst] == ["DOWN"]


@pytest.mark.parametrize("most", range(7))
def test_every_ticker_is_in_one_column_of_the_freshness(most):
    numbers = [*range(most), None]
    [found] = summary.freshness([card(f"T{n}", each) for n, each in enumerate(numbers)])
    assert found.tickers == len(numbers)
    assert found.current + found.late + found.stale + found.other == len(numbers)
    assert found.late == sum(0 < n <= 3 for n in range(most))
    assert found.stale == sum(n > 3 for n in range(most))
    assert found.other == 1


@pytest.mark.parametrize("outcome", ["ok", "empty", "unknown_symbol", "rate_limited", "failed"])
def test_a_ticker_without_news_has_not_failed(outcome):
    run_id = "20260202T223000000000Z-0a1b2c"
    as_of = datetime(2026, 2, 2, 22, tzinfo=UTC)
    entries = {"A": Entry(outcome=outcome), "B": Entry(outcome="ok", new=1, splits={})}
    one = Manifest(run_id=run_id, as_of=as_of, source="yahoo", tickers=entries)
    [found] = summary.runs([one], [run_id])
    words = outcome.replace("_", " ")
    assert found.failed == ([] if outcome in ("ok", "empty") else [f"A: {words}"])
    assert (found.asked, found.new, found.seconds, found.is_pending) == (2, 1, 1800.0, True)


def test_the_command_says_what_it_did(lake, tmp_path):
    url = lake.store.url
    done = tickerlake("report", "ONE", "--lake", url, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "wrote 8 files" in done.stdout
    assert "0 files, 8 unchanged" in (
        tickerlake("report", "ONE", "--lake", url, "--out", str(tmp_path / "out")).stdout
    )


def test_a_single_file_needs_no_other(lake, tmp_path):
    target = tmp_path / "lake.html"
    done = tickerlake(
        *("report", "ONE", "TINY", "--lake", lake.store.url, "--single-file"),
        *("--out", str(target)),
    )
    assert done.returncode == 0, done.stderr
    found = page(tmp_path, "lake.html")
    for tag, attributes in found.elements:
        assert "src" not in attributes, tag
        assert tag != "link" or attributes["rel"] == "icon"
    routes = [each["data-route"] for _, each in found.elements if "data-route" in each]
    assert routes == ["", "quality", "ONE", "TINY"]


def test_wrong_calls_are_refused(lake, tmp_path):
    with pytest.raises(UsageError, match="does not hold AAPL"):
        write(lake, tmp_path, "AAPL")
    with pytest.raises(UsageError, match="is a lake"):
        write(lake, lake.store.url)
    done = tickerlake("report", "--lake", lake.store.url, "--single-file", "--out", str(tmp_path))
    assert done.returncode == 2


def test_a_report_inside_a_lake_disturbs_nobody(lake, tmp_path):
    copy = new_lake(str(tmp_path / "lake"), "year")
    for key, data in objects(lake).items():
        copy.store.put(key, data)
    write(copy, f"{copy.store.url}/_report", "ONE")
    assert tickerlake("verify", "--lake", copy.store.url).returncode == 0
    assert tickerlake("repair", "--offline", "--prune", "--lake", copy.store.url).returncode == 0
    assert (tmp_path / "lake" / "_report" / "index.html").exists()


@pytest.mark.usefixtures("aws")
def test_a_report_on_s3_has_content_types(lake):
    client = boto3.client("s3")
    client.create_bucket(Bucket="pages")
    assert write(lake, "s3://pages/_report", "ONE").written == 8
    assert write(lake, "s3://pages/_report", "ONE").written == 0
    found = client.head_object(Bucket="pages", Key="_report/index.html")
    assert found["ContentType"] == "text/html; charset=utf-8"


def test_pages_names_no_folder_of_this_machine(lake, folder):
    for key, data in files(folder).items():
        assert str(Path(lake.store.url).parent).encode() not in data, key


def test_what_is_missing_is_said_in_a_sentence(lake, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = tickerlake("report", "--lake", lake.store.url, "--out", str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'tickerlake[report] @ git+https" in done.stderr
