"""Pages: HTML from templates. Every text is escaped: names and reasons come from outside."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from tickerlake.errors import BadSettingError, pip_install
from tickerlake.market import flags
from tickerlake.stages import counted, words
from tickerlake.stages.report import breadth, cards, summary
from tickerlake.stages.report.cards import Card
from tickerlake.stages.report.series import describe, series
from tickerlake.stages.report.site import page_key

if TYPE_CHECKING:
    import jinja2

    from tickerlake.lake.manifests import Manifest
    from tickerlake.stages.check import Problem
    from tickerlake.stages.facts import Facts
    from tickerlake.stages.status import Status

SEARCH: Final = "assets/tickers.js"
"""The tickers and their pages, for the search field."""

_PLOTLY: Final = "assets/plotly.min.js"
_OWN: Final = ("report.css", "report.js", "chart.js")

LAST_SESSIONS: Final = 20
MOST_PROBLEMS: Final = 300
"""Of each kind, on the page on quality."""


class Neighbours(NamedTuple):
    """The tickers before and after one, or None."""

    previous: str | None
    following: str | None


@dataclass(frozen=True)
class Overview:
    """What the overview is about; runs are newest first."""

    status: "Status"
    problems: "Sequence[Problem]"
    runs: "Sequence[Manifest]"
    cards: Sequence[Card]


class Pages:
    """Makes pages; all links between them are relative, or, in one file, fragments."""

    def __init__(self, *, is_single: bool = False) -> None:
        """Load the templates.

        Raises:
            BadSettingError: jinja2 or plotly is not installed.
        """
        self._is_single = is_single
        self._templates = _environment()
        self._templates.globals["is_single"] = is_single

    def assets(self) -> Iterator[tuple[str, bytes]]:
        """Yield what pages share: keys and contents."""
        for name in _OWN:
            yield f"assets/{name}", _own(name).encode()
        yield _PLOTLY, _plotly().encode()

    def search(self, shown: Iterable[Card]) -> bytes:
        """Return the script that tells the search field about the tickers."""
        return f"window.TICKERS = {self._index(shown)};\n".encode()

    def document(self, kind: str, title: str, body: str) -> bytes:
        """Return a page around its body."""
        root = "../" if kind == "ticker" else ""
        text = self._render("document.html", kind=kind, title=title, body=body, root=root)
        return text.encode()

    def single(
        self, overview: str, quality_body: str, tickers: Mapping[str, str], shown: Iterable[Card]
    ) -> bytes:
        """Return all pages as one file."""
        return self._render(
            "single.html",
            overview=overview,
            quality=quality_body,
            tickers=tickers,
            index=self._index(shown),
            css=_own("report.css"),
            scripts=[_inline(_plotly()), *(_inline(_own(name)) for name in _OWN[1:])],
        ).encode()

    def overview(self, about: Overview) -> str:
        """Return the body of the overview."""
        status, shown = about.status, about.cards
        months = sorted({number for each in shown for number in each.months["bars"]})
        return self._render(
            "overview.html",
            lake=lake_name(status.lake),
            grain=status.grain,
            stamp=status.stamp,
            cards=shown,
            named=any(each.name != each.ticker for each in shown),
            bars=sum(each.held.sessions for each in shown),
            first=min(filter(None, (each.held.first for each in shown)), default=None),
            last=max(filter(None, (each.held.last for each in shown)), default=None),
            newest=about.runs[0] if about.runs else None,
            attention=summary.attention(status, about.problems, lake_option(status.lake)),
            freshness=summary.freshness(shown),
            breadth=breadth.breadth(shown),
            runs=summary.runs(about.runs, status.pending),
            first_month=min(months, default=0),
            month_count=max(months, default=-1) - min(months, default=0) + 1,
            years=_years(months),
        )

    def ticker(self, facts: "Facts", revised: set[date], neighbours: Neighbours) -> str:
        """Return the body of a ticker's page."""
        last = facts.rows.tail(LAST_SESSIONS).reverse()
        return self._render(
            "ticker.html",
            facts=facts,
            neighbours=neighbours,
            sessions=list(last.iter_rows(named=True)),
            data=series(facts, revised) if facts.rows.height else None,
            can_total=facts.rows.height > 0 and facts.rows["close"].min() > 0,  # type: ignore[operator]
            revised=sorted(revised),
            reasons=_reasons(facts),
            year_position=_position(facts),
        )

    def quality(self, problems: "Sequence[Problem]") -> str:
        """Return the body of the page on quality."""
        return self._render(
            "quality.html",
            kinds=list(summary.by_kind(problems)),
            most=MOST_PROBLEMS,
            meanings=flags.FLAGS,
        )

    def _index(self, shown: Iterable[Card]) -> str:
        rows = [[each.ticker, each.name, self._link(each.ticker, "")] for each in shown]
        return _json(rows, indent=0)

    def _link(self, ticker: str, root: str) -> str:
        return f"#{ticker}" if self._is_single else root + page_key(ticker)

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(
            link=self._link,
            home="#" if self._is_single else values.get("root", ""),
            **values,
        )


def _environment() -> "jinja2.Environment":
    try:
        import jinja2
        import plotly  # noqa: F401 - needed a little later
    except ImportError as error:
        raise BadSettingError(
            f"a report needs jinja2 and plotly: {pip_install('report')}"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "price": words.price,
        "percent": words.percent,
        "signed": words.signed,
        "large": words.large,
        "split": words.split,
        "counted": counted,
        "describe": describe,
        "path": cards.path,
        "shares": breadth.share_path,
        "strip": cards.strip,
        "month": cards.month_name,
    }
    return environment


def _own(name: str) -> str:
    return (files(__package__ or "") / "assets" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """Return a script as it can stand inside an element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _json(value: object, indent: int | None = None) -> str:
    """Return JSON that can stand inside a script."""
    text = json.dumps(value, ensure_ascii=True, indent=indent, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def lake_name(url: str) -> str:
    """Return what a report calls a lake: a bucket's URL, but of a folder only the name."""
    return url if "://" in url else url.rstrip("/").rpartition("/")[2]


def lake_option(url: str) -> str:
    """Return the option that names a lake in commands, if it is in a bucket."""
    return f"--lake {url}" if url.startswith("s3://") else ""


def _years(months: Sequence[int]) -> list[tuple[int, int]]:
    """Return years and the offsets of their Januaries, few enough to be read."""
    if not months:
        return []
    first, last = months[0], months[-1]
    step = next(size for size in (1, 2, 5, 10, 20, 50) if (last - first) / 12 / size <= 8)  # noqa: PLR2004
    return [
        (year, year * 12 - first)
        for year in range(-(-first // 12), last // 12 + 1)
        if year % step == 0
    ]


def _position(facts: "Facts") -> float | None:
    """Return where the last close is in the range of 52 weeks, 0 to 1."""
    if facts.year is None or facts.close is None:
        return None
    low, high = facts.year
    return (facts.close - low) / (high - low) if high > low else None


def _reasons(facts: "Facts") -> list[tuple[date, str]]:
    rejected = pl.DataFrame(
        facts.known.rejected, schema=["session", "reasons", "digest"], orient="row"
    )
    rows = rejected.select("session", "reasons").unique().sort("session", "reasons")
    return [(session, reasons.replace(",", ", ")) for session, reasons in rows.tail(10).iter_rows()]
