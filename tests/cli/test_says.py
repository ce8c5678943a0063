"""What commands print, whole, about a small lake that has a bit of everything.

`says.txt` has every command and its output. After a change that is meant, take over the file that
the failure names.
"""

import json
import re
import shlex
from functools import partial
from pathlib import Path

import pytest
import small_lake
from helpers import new_lake, tickerlake

from tickerlake import logs
from tickerlake.stages import plan

EXPECTED = Path(__file__).with_name("says.txt")

COMMANDS = """
show PAYS
show LATE --period 2wk
show ONE
show FLAT
show BAD
show GONE
show ^ODD --period max
show
show PAYS LATE --period ytd
show PAYS --period 2x
show NOPE
status
status --as-of FIRST
status --as-of 2013-02-01
status --format json
check
check --fail-on stale,gaps
check --fail-on calendars
check --fail-on gaps,holes
check --format json
check --as-of FIRST
log PAYS
log PAYS --as-of FIRST
log OLD
log NEW
log GONE
log BAD
log PAYS --format json
log NOPE
diff PAYS --from FIRST
diff PAYS --from FIRST --to FIRST
diff NEW --from FIRST
diff GONE --from FIRST --format json
query "select ticker, session, close, flags from latest order by ticker"
query "select 1 as a where false"
query "select ticker, close from daily where ticker = 'ONE'" --vertical
query "selct 1"
query
verify
transform --run-id 20130101T000000000000Z-000000
transform
transform
status
verify
rename LATE LATER --on 2012-01-01
rename LATE LATE --on 2013-02-01
rename NOPE LATER --on 2013-02-01
rename LATE LATER --on 2013-02-01
rename LATE LATER --on 2013-02-01
log LATER
log LATE
retire
retire NOPE
retire ONE FLAT
retire ONE
retire SAP.DE --on 2013-02-28
transform
show LATE
compact
compact
repair --offline
report --out pages
report --out pages
report ONE --out pages
report ONE
report ONE --single-file
report --single-file --out page.html
report --single-file --out pages
views lake.duckdb
plan --tickers 20 --years 1
plan --tickers 3000 --years 5 --grain year --format json
plan --tickers 300 --years 5 --grain month
plan --tickers 5000 --years 10 --grain day --requests-per-second 0.5 --price glue=0.5,get=0.001
plan --tickers 20 --years 1 --price gold=1
doctor --trial
"""


def printed(command: str, text: str) -> list[str]:
    """The lines of an answer; those of JSON are its parts."""
    if not command.endswith("json"):
        return text.splitlines()
    found = json.loads(text)
    parts = found if isinstance(found, list) else found.items()
    return [
        json.dumps(each)
        for part in parts
        for each in (part[1] if isinstance(part, tuple) and isinstance(part[1], list) else [part])
    ]


@pytest.fixture
def answers(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "is_terminal", lambda: True)
    monkeypatch.setattr(plan, "plan", partial(plan.plan, this_year=2024))
    lake = new_lake("lake", "month")
    small_lake.fill(lake)
    first = min(lake.store.keys("raw/_runs/")).rpartition("/")[2].removesuffix(".json")
    found = []
    for command in COMMANDS.strip().splitlines():
        done = tickerlake(*shlex.split(command.replace("FIRST", first)))
        out, err = (
            small_lake.shared(text).replace(str(tmp_path), "HERE")
            for text in (done.stdout, done.stderr)
        )
        found += [f"$ tickerlake {command}", *printed(command, out), *err.splitlines()]
        found.append(f"[{done.returncode}]")
    return [re.sub(r"(?<=html, )\d+\.\d MB", "N MB", line) for line in found]


def test_commands_say_what_they_should(answers, tmp_path):
    accepted = tmp_path / "says.txt"
    accepted.write_text("\n".join(answers) + "\n", encoding="utf-8")
    expected = EXPECTED.read_text(encoding="utf-8").splitlines()
    assert answers == expected, f"cp {accepted} {EXPECTED}"
