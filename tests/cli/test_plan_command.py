"""`tickerlake plan`: what it prints, and what it refuses."""

import json
import re

import pytest
from helpers import tickerlake

PLAN = ["plan", "--tickers", "50", "--years", "2"]


def test_it_prints_a_line_for_each_step():
    done = tickerlake(*PLAN, "--grain", "year")
    assert done.returncode == 0, done.stderr
    first, _, head, _, *lines = done.stdout.splitlines()
    assert first == "A lake by year: 50 tickers, 2 years of bars, then a run on every session."
    assert head.split() == ["objects", "size", "GET", "PUT", "LIST", "DELETE", "time", "dollars"]
    steps = [re.split(r" {2,}", line)[0] for line in lines[:6]]
    assert steps == [
        "backfill",
        "a day",
        "a year of days",
        "a rebuild",
        "a compaction",
        "a rebuild after it",
    ]
    assert lines[-1].startswith("A month on AWS: ")
    assert "Note" not in done.stdout


def test_it_warns_of_a_grain_that_does_not_suit():
    done = tickerlake("plan", "--tickers", "5000", "--years", "10")
    assert "Note: a lake by day of 5,000 tickers and 10 years has 12,600,000 files" in done.stdout
    assert "--grain year suits it better" in done.stdout


def test_json_has_what_the_table_has():
    found = json.loads(tickerlake(*PLAN, "--grain", "month", "--format", "json").stdout)
    assert (found["tickers"], found["years"], found["grain"], found["advice"]) == (
        50,
        2,
        "month",
        "",
    )
    backfill = found["steps"][0]
    assert backfill["name"] == "backfill"
    # a blob and a partition for each of 24 months, a history and a row; two runs' bookkeeping
    assert backfill["objects"] == 50 * (24 + 24 + 1 + 1) + 4
    assert backfill["seconds"] > 10
    assert found["total"] == pytest.approx(sum(found["month"].values()) - found["month"]["metrics"])


def test_prices_may_be_given_one_by_one_or_together():
    together = tickerlake(*PLAN, "--format", "json", "--price", "glue=0.44, get = 0.001").stdout
    one_by_one = ("--price", "glue=0.44", "--price", "get=.001")
    assert tickerlake(*PLAN, "--format", "json", *one_by_one).stdout == together
    assert tickerlake(*PLAN, "--format", "json").stdout != together


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--price", "gold=1"], "there is no price 'gold': choose from glue, put, get"),
        (["--price", "glue"], "'glue' is not a price such as glue=0.308"),
        (["--price", "glue=-1"], "'glue=-1' is not a price"),
        (["--price", "glue=nan"], "'glue=nan' is not a price"),
        (["--tickers", "0"], "0 is not in the range"),
        (["--years", "many"], "'many' is not a valid integer"),
        (["--grain", "week"], "'week' is not one of"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    done = tickerlake(*PLAN, *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_it_says_what_is_missing():
    done = tickerlake("plan", "--years", "2")
    assert done.returncode == 2
    assert "Missing option '--tickers'" in done.stderr
