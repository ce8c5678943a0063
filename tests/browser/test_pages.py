"""The report in a real browser: `make test-browser`."""

import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pytest
from helpers import tickerlake
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

SIZES = {390: 844, 1280: 800, 1920: 1080}
SCHEMES = ("light", "dark")
KINDS = ("index.html", "quality.html", "tickers/GAPPY.html", "tickers/BAD.html")
EXTREMES = tuple(f"tickers/{name}.html" for name in ("ONE", "LONG", "TINY", "BIG", "CL_3DF"))
AXE = Path(os.environ.get("TICKERLAKE_AXE", "none"))
"""axe.min.js, of the npm package axe-core."""

SERIOUS = ("serious", "critical")


@dataclass
class Seen:
    """What a page did that it should not do."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def open(self, path: Path, fragment: str = "") -> None:
        self.page.goto(path.as_uri() + fragment)
        if self.page.locator(".plot:visible").count():
            expect(self.page.locator(".plot:visible .main-svg").first).to_be_attached()


@contextmanager
def opened(browser: Browser, folder: Path, width: int, scheme: str = "light") -> Iterator[Seen]:
    """A page of a browser that must not complain, and must not leave a folder."""
    is_phone = width < 500
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        color_scheme=scheme,
        has_touch=is_phone,
        is_mobile=is_phone,
    )
    page = context.new_page()
    seen = Seen(page)
    page.on("console", lambda each: seen.faults.append(f"console: {each.text}"))
    page.on("pageerror", lambda each: seen.faults.append(f"error: {each}"))
    page.on("dialog", lambda each: seen.faults.append(f"dialog: {each.message}"))

    def requested(url: str) -> None:
        inside = folder.as_uri()
        if not url.startswith((inside, unquote(inside), "data:", "blob:")):
            seen.faults.append(f"request: {url}")

    page.on("request", lambda each: requested(each.url))
    yield seen
    assert seen.faults == []
    context.close()


def shows_no_scroll_bar(page: Page) -> None:
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url


def looks_right(browser: Browser, folder: Path, names: Sequence[str], width: int, scheme: str):
    with opened(browser, folder, width, scheme) as seen:
        for name in names:
            seen.open(folder / name)
            shows_no_scroll_bar(seen.page)
            assert seen.page.title() != "broken"
            background = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) is (scheme == "dark")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", SIZES)
def test_every_kind_of_page_at_every_size(browser, sample, odd, empty, width, scheme):
    looks_right(browser, odd, KINDS, width, scheme)
    looks_right(browser, sample, ("index.html", "tickers/AAPL.html"), width, scheme)
    looks_right(browser, empty, ("index.html",), width, scheme)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_extreme_prices_and_lengths(browser, odd, width, scheme):
    looks_right(browser, odd, EXTREMES, width, scheme)


def test_the_buttons_of_a_chart(browser, sample):
    with opened(browser, sample, 1280) as seen:
        seen.open(sample / "tickers" / "AAPL.html")
        page = seen.page
        captions = {
            "1M": "Daily", "6M": "Daily", "5Y": "Weekly", "All": "Monthly", "YTD": "Daily",
        }  # fmt: skip
        for name, caption in captions.items():
            page.get_by_role("button", name=name, exact=True).click()
            pressed = page.locator("[data-range][aria-pressed=true]")
            expect(pressed).to_have_text(name)
            expect(page.locator(".caption")).to_contain_text(caption)
        page.get_by_role("button", name="All", exact=True).click()
        first = sample_first(page)
        assert first.startswith("2001-01")
        # AAPL split 2:1 in 2005, so what was traded before was twice as much
        adjusted = close_at_the_cursor(page)
        page.get_by_role("button", name="As traded").click()
        sample_first(page)
        assert close_at_the_cursor(page) == pytest.approx(2 * adjusted, rel=1e-4)
        page.get_by_role("button", name="Total return").click()
        sample_first(page)
        assert close_at_the_cursor(page) < adjusted
        expect(page.get_by_role("button", name="SMA 50")).to_be_disabled()
        page.get_by_role("button", name="Split-adjusted").click()
        lines = page.evaluate("document.querySelector('.plot').data.length")
        page.get_by_role("button", name="SMA 200").click()
        assert page.evaluate("document.querySelector('.plot').data.length") == lines - 1


def sample_first(page: Page) -> str:
    """Move the cursor to a chart's first bar; what it says."""
    page.locator(".plot").focus()
    page.keyboard.press("Home")
    return page.locator(".readout").inner_text()


def close_at_the_cursor(page: Page) -> float:
    text = page.locator(".readout").inner_text()
    return float(re.search(r"C\s+([\d.,]+)", text)[1].replace(",", ""))


def test_arrows_move_through_sessions(browser, sample):
    with opened(browser, sample, 1280) as seen:
        seen.open(sample / "tickers" / "AAPL.html")
        readout = seen.page.locator(".readout")
        expect(readout).to_contain_text("2013-03-01")
        seen.page.locator(".plot").focus()
        seen.page.keyboard.press("ArrowLeft")
        seen.page.keyboard.press("ArrowLeft")
        expect(readout).to_contain_text("2013-02-28")
        seen.page.keyboard.press("End")
        expect(readout).to_contain_text("2013-03-01")


def test_zooming_shows_days(browser, sample):
    with opened(browser, sample, 1280) as seen:
        seen.open(sample / "tickers" / "AAPL.html")
        page = seen.page
        page.get_by_role("button", name="All", exact=True).click()
        expect(page.locator(".caption")).to_contain_text("Monthly")
        box = page.locator(".plot").bounding_box()
        y = box["y"] + box["height"] / 4
        page.mouse.move(box["x"] + 500, y)
        page.mouse.down()
        page.mouse.move(box["x"] + 560, y, steps=4)
        page.mouse.up()
        expect(page.locator(".caption")).to_contain_text("Daily")
        expect(page.locator("[data-range][aria-pressed=true]")).to_have_count(0)


def test_search_links_and_keys(browser, odd):
    with opened(browser, odd, 1280) as seen:
        seen.open(odd / "index.html")
        page = seen.page
        page.keyboard.press("/")
        page.keyboard.type("tin")
        expect(page.locator("#found li").first).to_contain_text("TINY")
        page.keyboard.press("Enter")
        page.wait_for_url("**/tickers/TINY.html")
        page.keyboard.press("]")
        page.wait_for_url("**/tickers/TWO.html")
        page.keyboard.press("[")
        page.wait_for_url("**/tickers/TINY.html")
        page.locator("#search").fill("very")  # by a word of its name
        page.locator("#found li", has_text="BIG").click()
        page.wait_for_url("**/tickers/BIG.html")
        page.locator("#search").fill("nothing like it")
        expect(page.locator("#found")).to_contain_text("No ticker")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Quality").click()
        page.get_by_role("link", name="GAPPY").first.click()
        page.wait_for_url("**/tickers/GAPPY.html")
        page.get_by_role("link", name="Overview").click()
        page.locator(".heat").get_by_role("link", name="^NOZONE").click()
        page.wait_for_url("**/tickers/_5ENOZONE.html")
        expect(page.locator("h1")).to_contain_text("^NOZONE")


def test_the_table_can_be_sorted(browser, odd):
    with opened(browser, odd, 1280) as seen:
        seen.open(odd / "index.html")
        seen.page.locator(".tickers").get_by_role("button", name="Close").click()
        cells = seen.page.locator(".tickers tbody tr td[data-v]:nth-of-type(2)")
        values = [
            float(text or "-inf") for text in cells.evaluate_all("c => c.map(e => e.dataset.v)")
        ]
        assert len(values) > 10
        assert values == sorted(values)


def test_the_theme_can_be_switched(browser, sample):
    with opened(browser, sample, 1280) as seen:
        seen.open(sample / "tickers" / "AAPL.html")
        colour = "getComputedStyle(document.body).backgroundColor"
        before = seen.page.evaluate(colour)
        seen.page.get_by_role("button", name="Switch between light and dark").click()
        assert seen.page.evaluate(colour) != before


def test_numbers_are_those_of_a_query(browser, sample, sample_lake):
    sql = (
        "select close, volume, rsi_14, sma_200, drawdown, return_1d from daily"
        " where ticker = 'MSFT' order by session desc limit 1"
    )
    done = tickerlake("query", sql, "--lake", sample_lake, "--format", "csv")
    answer = pl.read_csv(io.StringIO(done.stdout)).row(0, named=True)
    with opened(browser, sample, 1280) as seen:
        seen.open(sample / "tickers" / "MSFT.html")
        page = seen.page
        shown = page.locator("[data-close]").inner_text()
        assert float(shown.replace(",", "")) == pytest.approx(answer["close"], rel=1e-6)
        readout = page.locator(".readout").inner_text()
        for name, value in (
            ("RSI", answer["rsi_14"]),
            ("SMA 200", answer["sma_200"]),
            ("Drawdown", answer["drawdown"] * 100),
        ):
            text = re.search(rf"{name}\s+(-?[\d.,]+)", readout)[1]
            assert float(text.replace(",", "")) == pytest.approx(value, rel=2e-3), name
        cells = page.locator(".sessions tbody tr").first.locator("td").all_inner_texts()
        assert float(cells[3]) == pytest.approx(answer["close"], rel=1e-6)
        assert float(cells[4].removesuffix(" %")) == pytest.approx(
            answer["return_1d"] * 100, abs=0.006
        )
        seen.open(sample / "index.html")
        row = page.locator(".tickers tbody tr", has_text="MSFT")
        assert f"{answer['return_1d'] * 100:+.2f} %" in row.inner_text()


def test_all_pages_in_one_file(browser, single):
    with opened(browser, single, 1280) as seen:
        seen.open(single)
        page = seen.page
        expect(page.locator("h1:visible")).to_contain_text("Overview")
        page.locator(".tickers").get_by_role("link", name="LONG").click()
        expect(page.locator("h1:visible")).to_contain_text("LONG")
        expect(page.locator(".plot:visible .main-svg").first).to_be_attached()
        expect(page.locator(".readout:visible")).to_contain_text("2013-03-01")
        page.go_back()
        expect(page.locator("h1:visible")).to_contain_text("Overview")
        page.get_by_role("link", name="Quality").click()
        expect(page.locator("h1:visible")).to_contain_text("Quality")
        seen.open(single, "#CL=F")
        page.reload()
        expect(page.locator("h1:visible")).to_contain_text("CL=F")


def test_it_can_be_printed(browser, odd):
    with opened(browser, odd, 1280, "dark") as seen:
        seen.open(odd / "index.html")
        seen.page.emulate_media(media="print", color_scheme="light")
        expect(seen.page.locator(".search")).to_be_hidden()
        assert len(seen.page.pdf()) > 10_000


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: it needs npm")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_serious_for_people_who_see_or_move_differently(
    browser, odd, sample, empty, width, scheme
):
    paths = [*(odd / name for name in KINDS), sample / "tickers/AAPL.html", empty / "index.html"]
    for path in paths:
        folder = next(each for each in (sample, odd, empty) if path.is_relative_to(each))
        with opened(browser, folder, width, scheme) as seen:
            seen.open(path)
            seen.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
            found = seen.page.evaluate("axe.run(document, {preload: false})")
            serious = [
                f"{each['id']}: {each['nodes'][0]['html'][:120]}"
                for each in found["violations"]
                if each["impact"] in SERIOUS
            ]
            assert serious == [], path.name
