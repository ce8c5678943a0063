"""The views of a lake, declared once: name, meaning, columns, and SQL in DuckDB's dialect.

The SQL keeps to what Trino and Spark can do, too: `make docs` translates it (`views.json`), and
tests compare what the engines answer. So no float literal is without an exponent (`1e0`: elsewhere
`1.0` is a decimal), and what has no order says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

from tickerlake.lake.tables import TABLES, column
from tickerlake.market.arrays import YEAR
from tickerlake.market.features import DAILY

Dialect = Literal["duckdb", "trino", "spark"]


class ViewColumn(NamedTuple):
    """A column of a view: its SQL type (as Hive and Spark name it), unit and meaning."""

    kind: str
    unit: str
    doc: str


Columns = Mapping[str, ViewColumn]


@dataclass(frozen=True)
class View:
    """A view: a named query over tables.

    Attributes:
        name: its name in SQL.
        doc: what its rows are.
        columns: in their order.
        sql: in DuckDB's dialect.
        athena_sql: the same for Athena, where it lacks what the other engines read; None is `sql`.
    """

    name: str
    doc: str
    columns: Columns
    sql: str
    athena_sql: str | None = None


def _known(*names: str) -> Columns:
    """Return columns that mean what they mean in the tables."""
    types = {name: kind for table in TABLES.values() for name, kind in table.sql_types().items()}
    types["run_id"] = "string"
    return {name: ViewColumn(types[name], *column(name)) for name in names}


def _ratio(doc: str) -> ViewColumn:
    return ViewColumn("double", "ratio", doc)


def _price(doc: str) -> ViewColumn:
    return ViewColumn("double", "price", doc)


def _count(doc: str, unit: str = "") -> ViewColumn:
    return ViewColumn("bigint", unit, doc)


def _day(doc: str) -> ViewColumn:
    return ViewColumn("date", "", doc)


_TICKER: Final = _known("ticker")
_BAR: Final = _known("ticker", "session")

_LATEST: Final = View(
    "latest",
    "The newest bar of every ticker, with its features.",
    {**_TICKER, **_known(*DAILY)},
    f"""
    select d.ticker, {", ".join(f"d.{name}" for name in DAILY)}
    from daily as d
    join (select ticker, max(session) as session from daily group by ticker) as n
      on d.ticker = n.ticker and d.session = n.session
    """,
)


def _period(name: str, unit: str, short: str) -> View:
    """Return the view of weekly or monthly bars."""
    return View(
        name,
        f"Bars of a {unit}, from the sessions that it has. The last one of a ticker may not be"
        " over. All prices are on today's split basis, so a split inside changes nothing.",
        _period_columns(unit, short),
        _period_sql(unit, short),
    )


def _period_columns(unit: str, short: str) -> Columns:
    return {
        **_TICKER,
        unit: _day(f"The {unit}'s first day{', a Monday' if unit == 'week' else ''}."),
        "first_session": _day(f"The first session in the {unit} that has a bar."),
        "last_session": _day(f"The last session in the {unit} that has a bar."),
        "sessions": _count(f"How many bars the {unit} has.", "sessions"),
        "open": _price("Open of the first session; null if it is not known."),
        "high": _price("Highest high."),
        "low": _price("Lowest low."),
        "close": _price("Close of the last session; not adjusted for dividends."),
        "volume": _count("Sum of the volumes.", "shares"),
        "dividend": _price("Sum of the dividends that went ex."),
        "capital_gain": _price("Sum of the capital gains that went ex."),
        f"return_1{short}": _ratio(
            f"Change of the close since the ticker's {unit} before, without dividends."
        ),
        f"total_return_1{short}": _ratio(
            f"Return since the ticker's {unit} before, with dividends and capital gains."
        ),
        "currency": ViewColumn("string", "", "Currency of the last session's prices."),
    }


def _period_sql(unit: str, short: str) -> str:
    return f"""
    with numbered as (
      select ticker, session, open, high, low, close, volume, dividend, capital_gain, currency,
        total_return_index, {unit},
        row_number() over (partition by ticker, {unit} order by session) as from_first,
        row_number() over (partition by ticker, {unit} order by session desc) as from_last
      from (select *, cast(date_trunc('{unit}', session) as date) as {unit} from daily) as cut
    ), bars as (
      select ticker, {unit},
        min(session) as first_session,
        max(session) as last_session,
        count(*) as sessions,
        max(case when from_first = 1 then open end) as open,
        max(high) as high,
        min(low) as low,
        max(case when from_last = 1 then close end) as close,
        cast(sum(volume) as bigint) as volume,
        sum(dividend) as dividend,
        sum(capital_gain) as capital_gain,
        max(case when from_last = 1 then total_return_index end) as worth,
        max(case when from_last = 1 then currency end) as currency
      from numbered
      group by ticker, {unit}
    ), lagged as (
      select *,
        lag(close) over (partition by ticker order by {unit}) as close_before,
        lag(worth) over (partition by ticker order by {unit}) as worth_before
      from bars
    )
    select ticker, {unit}, first_session, last_session, sessions, open, high, low, close,
      volume, dividend, capital_gain,
      case when close > 0 and close_before > 0 then close / close_before - 1 end
        as return_1{short},
      worth / worth_before - 1 as total_return_1{short},
      currency
    from lagged
    """


_CASH: Final = """case when dividend_currency is null or dividend_currency like '+%'
              then dividend + capital_gain else 0e0 end"""
"""Cash in another currency can't be compared with the price."""

_LATER: Final = """over (partition by ticker order by session
              rows between 1 following and unbounded following)"""

_ADJUSTED: Final = View(
    "adjusted",
    "Prices in the three ways in which vendors quote them: as traded, adjusted for splits, and"
    " adjusted for splits and distributions. Unlike those of `daily`, the `adj_` prices of the past"
    " change with every later distribution.",
    {
        **_BAR,
        "close_as_traded": _price("The close that was traded in the session."),
        "volume_as_traded": ViewColumn("double", "shares", "The shares that were traded then."),
        "close": _price("The close on today's split basis, as in `daily`."),
        "adj_open": _price("The open on today's split basis, times adj_factor."),
        "adj_high": _price("The high on today's split basis, times adj_factor."),
        "adj_low": _price("The low on today's split basis, times adj_factor."),
        "adj_close": _price(
            "The close on today's split basis, times adj_factor: what vendors call adjusted close."
        ),
        "split_factor": _ratio("Product of all later splits: close_as_traded over close."),
        "adj_factor": _ratio(
            "Product of 1 - (dividend + capital_gain) / close[-1] over all later ex-dates. What was"
            " paid in another currency, or is not below the close before, is left out."
        ),
    },
    f"""
    with cash as (
      select ticker, session, open, high, low, close, volume, split,
        {_CASH} as cash,
        lag(close) over (partition by ticker order by session) as before
      from daily
    ), logs as (
      select ticker, session, open, high, low, close, volume,
        ln(split) as split_log,
        case when cash > 0 and cash < before then ln(1 - cash / before) else 0e0 end as cash_log
      from cash
    ), factors as (
      select ticker, session, open, high, low, close, volume,
        exp(coalesce(sum(split_log) {_LATER}, 0e0)) as split_factor,
        exp(coalesce(sum(cash_log) {_LATER}, 0e0)) as adj_factor
      from logs
    )
    select ticker, session,
      close * split_factor as close_as_traded,
      volume / split_factor as volume_as_traded,
      close,
      open * adj_factor as adj_open,
      high * adj_factor as adj_high,
      low * adj_factor as adj_low,
      close * adj_factor as adj_close,
      split_factor,
      adj_factor
    from factors
    """,
)


def _number_where(condition: str) -> str:
    return f"cast(sum(case when {condition} then 1 else 0 end) as bigint)"


def _share_where(value: str, bound: str) -> str:
    return f"avg(case when {value} > {bound} then 1e0 when {value} <= {bound} then 0e0 end)"


_BREADTH: Final = View(
    "breadth",
    "How many tickers rose, fell, and reached extremes, for each session and currency. Indices and"
    " currency pairs are not counted.",
    {
        **_known("session", "currency"),
        "tickers": _count("How many tickers have a bar.", "tickers"),
        "advancers": _count("Tickers that closed above the close before.", "tickers"),
        "decliners": _count("Tickers that closed below the close before.", "tickers"),
        "unchanged": _count("Tickers that closed at the close before.", "tickers"),
        "new_highs": _count("Tickers whose high is the highest of 52 weeks.", "tickers"),
        "new_lows": _count("Tickers whose low is the lowest of 52 weeks.", "tickers"),
        "above_sma_50": _ratio(
            "Share of tickers that closed above sma_50, among those that have one."
        ),
        "above_sma_200": _ratio(
            "Share of tickers that closed above sma_200, among those that have one."
        ),
    },
    f"""
    select d.session, d.currency,
      count(*) as tickers,
      {_number_where("d.return_1d > 0")} as advancers,
      {_number_where("d.return_1d < 0")} as decliners,
      {_number_where("d.return_1d = 0")} as unchanged,
      {_number_where("d.high >= d.high_252")} as new_highs,
      {_number_where("d.low <= d.low_252")} as new_lows,
      {_share_where("d.close", "d.sma_50")} as above_sma_50,
      {_share_where("d.close", "d.sma_200")} as above_sma_200
    from daily as d
    left join tickers as t on t.ticker = d.ticker
    where coalesce(t.instrument_type, '') not in ('INDEX', 'CURRENCY')
    group by d.session, d.currency
    """,
)

MONTH: Final = 21
"""The sessions of a month, as momentum counts them."""


def _rank(of_what: str) -> str:
    return (
        f"case when {of_what} is not null then percent_rank() over (partition by session,"
        f" {of_what} is null order by {of_what}) end"
    )


def _ranked(of_what: str) -> ViewColumn:
    return _ratio(
        f"Percentile of {of_what} among all tickers with a value in the session: 0 is the lowest,"
        " 1 the highest; equals share the lower one."
    )


_RANKS: Final = View(
    "ranks",
    "Where a ticker stands among all tickers of the session.",
    {
        **_BAR,
        **_known("return_1d"),
        "momentum": _ratio(
            f"Total return from {YEAR} sessions ago to {MONTH} sessions ago (12 months minus the"
            " last one)."
        ),
        **_known("volatility_20", "volume", "volume_ratio_20"),
        "return_rank": _ranked("return_1d"),
        "momentum_rank": _ranked("momentum"),
        "volatility_rank": _ranked("volatility_20"),
        "volume_rank": _ranked("volume"),
        "volume_ratio_rank": _ranked("volume_ratio_20"),
    },
    f"""
    with measured as (
      select ticker, session, return_1d,
        lag(total_return_index, {MONTH}) over (partition by ticker order by session)
          / lag(total_return_index, {YEAR}) over (partition by ticker order by session)
          - 1 as momentum,
        volatility_20, volume, volume_ratio_20
      from daily
    )
    select ticker, session, return_1d, momentum, volatility_20, volume, volume_ratio_20,
      {_rank("return_1d")} as return_rank,
      {_rank("momentum")} as momentum_rank,
      {_rank("volatility_20")} as volatility_rank,
      {_rank("volume")} as volume_rank,
      {_rank("volume_ratio_20")} as volume_ratio_rank
    from measured
    """,
)

_PAIR: Final = f"""over (partition by ticker, benchmark order by session
        rows between {YEAR - 1} preceding and current row)"""

# not corr(): Spark's divides by zero, and fails, where a price does not move
_BETA: Final = View(
    "beta",
    "How a ticker moves with another one of the lake, its benchmark, over the last"
    f" {YEAR} sessions that both have. Every pair is there: ask for one benchmark"
    " (`where benchmark = '^GSPC'`).",
    {
        **_TICKER,
        "benchmark": ViewColumn("string", "", "The other ticker."),
        **_known("session"),
        "beta_252": _ratio(
            "Slope of return_1d on the benchmark's return_1d; null before there are"
            f" {YEAR} sessions, or when the benchmark does not move."
        ),
        "correlation_252": _ratio(
            "Pearson correlation of the two returns; null before there are"
            f" {YEAR} sessions, or when one does not move."
        ),
    },
    f"""
    with pairs as (
      select a.ticker, b.ticker as benchmark, a.session, a.return_1d as own, b.return_1d as other
      from daily as a
      join daily as b on a.session = b.session and a.ticker <> b.ticker
      where a.return_1d is not null and b.return_1d is not null
    ), measured as (
      select ticker, benchmark, session,
        count(*) {_PAIR} as sessions,
        max(own) {_PAIR} > min(own) {_PAIR} as moves,
        max(other) {_PAIR} > min(other) {_PAIR} as other_moves,
        regr_slope(own, other) {_PAIR} as slope,
        stddev_pop(own) {_PAIR} as deviation,
        stddev_pop(other) {_PAIR} as other_deviation
      from pairs
    )
    select ticker, benchmark, session,
      case when sessions = {YEAR} and other_moves then slope end as beta_252,
      case when sessions = {YEAR} and moves and other_moves and deviation > 0
        then slope * other_deviation / deviation end as correlation_252
    from measured
    """,
)

_GAPS: Final = View(
    "gaps",
    "The sessions of its exchange between a ticker's first and last bar that have no bar.",
    {**_BAR, **_known("exchange")},
    """
    select ticker, g.session as session, exchange
    from tickers cross join unnest(gaps) as g(session)
    """,
)

_PRICES: Final = ("open", "high", "low", "close")
_NUMBERS: Final = (*_PRICES, "volume", "dividend", "capital_gain", "split")
_TEXTS: Final = ("currency", "dividend_currency")
_REVISABLE: Final = (*_NUMBERS, *_TEXTS)

_EVENTS: Final = """
    select ticker, e.session as session, e.as_of as as_of, e.run_id as run_id, e.event as event,
      cast(null as varchar) as value, e.old as old, e.new as new, e.detail as detail,
      nullif(e.as_of, e.as_of) as as_of_before
    from tickers cross join unnest(events) as u(e)
"""


def _revised(name: str) -> str:
    """Return the rows of one column's revisions, from the versions of bars and those before."""
    if name in _TEXTS:
        old, new = "cast(null as double)", "cast(null as double)"
        detail = f"coalesce({name}_before, 'none') || ' to ' || coalesce({name}, 'none')"
        differs = f"{name} <> {name}_before"
    else:
        scale = {"volume": " * split_factor", "split": ""}.get(name, " / split_factor")
        old, new, detail = (
            f"{name}_before{scale}",
            f"cast({name} as double)",
            "cast(null as varchar)",
        )
        # what was brought to another split basis has lost its last digit, of six
        slack = f"1e-5 * abs({name}) + {'1' if name == 'volume' else '0'}"
        same_basis = "abs(split_factor - 1) < 1e-9"
        differs = f"abs({name} - {old}) > case when {same_basis} then 0e0 else {slack} end"
    return f"""
    select ticker, session, as_of, run_id, 'revised' as event, '{name}' as value,
      cast({old} as double) as old, {new} as new, {detail} as detail, as_of_before
    from compared
    where ({name} is null) <> ({name}_before is null) or {differs}
    """


def _before(name: str) -> str:
    order = "over (partition by ticker, session order by as_of, run_id)"
    return f"lag({name}) {order} as {name}_before"


_BETWEEN: Final = """(e.as_of > v.as_of_before
            or e.as_of = v.as_of_before and e.run_id > v.run_id_before)
          and (e.as_of < v.as_of or e.as_of = v.as_of and e.run_id <= v.run_id)"""
"""An event lies between two versions of a bar, or came with the newer one."""

_REVISIONS: Final = View(
    "revisions",
    "What runs have changed: revised values, splits, restatements, renames and retirements. It says"
    " what `tickerlake log` says."
    " Bars that were only rescaled for a split, and those of a restated past, have no rows of their"
    " own. Athena has no rows `revised`, since `raw` does not say there which run delivered a bar.",
    {
        **_TICKER,
        "session": _day("Of the bar; a split's ex-date, or the last day of a retired ticker."),
        **_known("as_of", "run_id"),
        "event": ViewColumn(
            "string",
            "",
            "`revised`, `split`, `restated`, `renamed_from`, `renamed_to`, `retired` or `resumed`.",
        ),
        "value": ViewColumn("string", "", "The column of the bar that was revised."),
        "old": ViewColumn(
            "double", "", "The value before, on the split basis of the new one; a split's ratio."
        ),
        "new": ViewColumn("double", "", "The new value; a split's ratio, 1 if it was withdrawn."),
        "detail": ViewColumn(
            "string", "", "Why the past was restated, the other ticker, or the revised text."
        ),
        "as_of_before": ViewColumn("timestamp", "", "When the version before was fetched (UTC)."),
    },
    f"""
    with versions as (
      select ticker, session, run_id, as_of, {", ".join(_REVISABLE)},
        lag(run_id) over (partition by ticker, session order by as_of, run_id) as run_id_before,
        lag(as_of) over (partition by ticker, session order by as_of, run_id) as as_of_before,
        {", ".join(map(_before, _REVISABLE))}
      from raw
    ), events as ({_EVENTS}), between_them as (
      select v.ticker, v.session, v.run_id,
        exp(sum(case when e.event = 'split' and e.session > v.session
          then ln(e.new / e.old) else 0e0 end)) as split_factor,
        max(case when e.event = 'restated' then 1 else 0 end) as restated
      from versions as v
      join events as e on e.ticker = v.ticker and {_BETWEEN}
      where e.event in ('split', 'restated')
      group by v.ticker, v.session, v.run_id
    ), compared as (
      select v.*, coalesce(b.split_factor, 1e0) as split_factor
      from versions as v
      left join between_them as b
        on b.ticker = v.ticker and b.session = v.session and b.run_id = v.run_id
      where v.run_id_before is not null and coalesce(b.restated, 0) = 0
    )
    {" union all ".join([*map(_revised, _REVISABLE), "select * from events"])}
    """,
    athena_sql=_EVENTS,
)

VIEWS: Final[Mapping[str, View]] = {
    view.name: view
    for view in (
        _LATEST,
        _period("weekly", "week", "w"),
        _period("monthly", "month", "m"),
        _ADJUSTED,
        _BREADTH,
        _RANKS,
        _BETA,
        _REVISIONS,
        _GAPS,
    )
}
"""The views, in the order of use."""


def sql(name: str, dialect: Dialect) -> str:
    """Return a view's query in a dialect; it names tables without a schema."""
    if dialect == "duckdb":
        return VIEWS[name].sql
    return _translated()[dialect][name]


@cache
def _translated() -> dict[str, dict[str, str]]:
    text = files("tickerlake.lake").joinpath("views.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found
