"""The table `tickers` has a row for every history, as its history says, whatever has happened."""

import polars as pl
import pytest
from helpers import Intercepted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_market import SESSIONS, STEPS, Market, evening, fetch, run

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, history, layout, listings
from tickerlake.lake.store import Store
from tickerlake.stages import extract, repair, transform, verify

NAMES = ["A", "B", "C"]


def told(lake: Lake) -> pl.DataFrame:
    """What the histories say."""
    keys = sorted(lake.store.keys(layout.HISTORY))
    names = [layout.values(key)["ticker"] for key in keys]
    rows = [listings.of_history(name, history.load(lake, name)) for name in sorted(names)]
    return pl.concat([pl.DataFrame(schema=listings.SCHEMA), *rows])


def given_by(lake: Lake, ticker: str) -> tuple[str, str]:
    stored = history.load_stored(lake, ticker)
    assert stored.version
    return stored.version, listings.encode(ticker, stored.history)


def stored(lake: Lake) -> dict[str, tuple[str, int]]:
    """The last session and the number of sessions in each row."""
    rows = listings.load(lake.store).select("ticker", "last_session", "sessions").rows()
    return {ticker: (str(last), sessions) for ticker, last, sessions in rows}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["run", "fetch", "transform", "rebuild", "forget", "damage", "lose"]),
            st.sampled_from(STEPS),
            st.sets(st.sampled_from(NAMES), min_size=1),
        ),
        max_size=7,
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_a_transform_with_news_the_table_says_what_the_histories_say(life):
    from helpers import new_lake

    lake, day = new_lake("memory://", "year"), SESSIONS[0]
    for what, step, names in life:
        day = max(day, step)
        if what in ("run", "fetch"):
            extract.extract(lake, Market(day), sorted(names), as_of=evening(day), workers=1)
        if what == "forget":
            lake.store.delete([layout.LISTINGS])
        if what == "damage":
            lake.store.put(layout.LISTINGS, b"PAR1")
        if what == "lose":
            lake.store.delete([layout.history(min(names))])
        if what not in ("run", "transform", "rebuild"):
            continue
        report = transform.transform(lake, rebuild=what == "rebuild")
        if report.refreshed or what == "rebuild":
            assert listings.load(lake.store).equals(told(lake))


def test_the_row_of_a_history_that_was_replaced_is_not_taken(lake):
    run(lake, STEPS[0])
    old = given_by(lake, "A")
    run(lake, STEPS[1])
    before = stored(lake)
    listings.update(lake, {"A": old})
    assert stored(lake) == before


def test_who_loses_the_race_for_the_table_adds_to_what_the_winner_wrote(lake):
    run(lake, STEPS[0])
    first = {name: given_by(lake, name) for name in ("A", "B")}
    lake.store.delete([layout.LISTINGS])
    raced = []

    class Racing(Intercepted):
        """Somebody else writes the rows of `B` just before the first put."""

        def replace(self, key: str, data: bytes, version: str | None) -> str:
            if not raced:
                raced.append(key)
                listings.update(lake, {"B": first["B"]})
            return self._really("replace", key, data, version)

    listings.update(Lake(Racing(lake.store), lake.grain), {"A": first["A"]})
    assert raced == [layout.LISTINGS]
    assert listings.load(lake.store).equals(told(lake))


def test_a_transform_without_news_neither_reads_nor_writes_the_table(lake):
    run(lake, STEPS[0])
    asked = []

    class Watched(Store):
        """Notes who asks for the table."""

        def get_versioned(self, key):
            asked.append(key)
            return super().get_versioned(key)

    transform.transform(Lake(Watched(lake.store.url, lake.store._objects), lake.grain))
    assert layout.LISTINGS not in asked


@pytest.mark.parametrize("data", [b"", b"PAR1", None], ids=["empty", "garbage", "missing"])
def test_a_damaged_table_is_named_once_and_mended(lake, data):
    run(lake, STEPS[0])
    before = lake.store.get(layout.LISTINGS)
    lake.store.delete([layout.LISTINGS])
    if data is not None:
        lake.store.put(layout.LISTINGS, data)
        with pytest.raises(CorruptObjectError, match=layout.LISTINGS.replace(".", r"\.")):
            listings.load(lake.store)
    [found] = verify.verify(lake, workers=1)
    assert (found.key, found.ticker) == (layout.LISTINGS, "")
    mended = repair.repair(lake, Market(STEPS[0]), as_of=evening(STEPS[0]), workers=1)
    assert mended.left == []
    assert mended.done == [f"{layout.LISTINGS}: written again"]
    assert lake.store.get(layout.LISTINGS) == before


def test_a_row_that_is_wrong_and_one_of_no_ticker_are_named_and_mended(lake):
    run(lake, STEPS[0])
    rows = listings.load(lake.store)
    wrong = rows.with_columns(
        ticker=pl.when(pl.col("ticker") == "B").then(pl.lit("NOBODY")).otherwise("ticker"),
        sessions=pl.col("sessions") + 1,
    )
    from tickerlake.lake.parquet import to_parquet

    table = wrong.to_arrow(compat_level=pl.CompatLevel.oldest())
    lake.store.put(layout.LISTINGS, to_parquet(table))
    assert {each.ticker for each in verify.verify(lake, workers=1)} == {"A", "B", "NOBODY"}
    mended = repair.repair(lake, Market(STEPS[0]), as_of=evening(STEPS[0]), workers=1)
    assert mended.left == []
    assert listings.load(lake.store).equals(rows)


def test_a_history_that_cannot_be_read_costs_its_own_row_alone(lake, caplog):
    run(lake, STEPS[0])
    lake.store.put(layout.history("A"), b"PAR1")
    lake.store.delete([layout.LISTINGS])
    fetch(lake, STEPS[1], ["B"])
    transform.transform(lake)
    assert stored(lake).keys() == {"B"}
    assert "lacks A" in caplog.text
