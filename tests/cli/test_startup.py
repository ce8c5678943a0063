"""What a command loads: what makes a start slow is imports; so these, and not the time, are pinned.

Each command runs in a process of its own.
"""

import os
import subprocess
import sys

import pytest
from helpers import shell

CODE = """
import sys
from tickerlake.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    print(ended.code or 0, *sys.modules, file=sys.stderr)
"""

LOADED = {"polars", "pandas", "numpy", "pyarrow", "exchange_calendars", "yfinance", "curl_cffi"}
LOADED |= {"duckdb", "pyspark", "boto3", "talib", "tenacity", "rich", "plotext", "plotly"}
"""What a task loads that needs it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A lake that is up to date, and a folder in which calendars are kept."""
    folder = tmp_path_factory.mktemp("startup")
    command = [sys.executable, "-m", "tickerlake", "run", "--offline", "--grain", "year"]
    shell(*command, cwd=folder, env=environment(folder))
    return folder


def environment(folder) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKERLAKE")}
    return kept | {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}


def loaded(place, *arguments: str, folder=None, before: str = "") -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", before + CODE, *arguments],
        cwd=folder or place,
        env=environment(place),
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "arguments",
    [["run", "--offline"], ["extract", "--offline"], ["transform"]],
    ids=" ".join,
)
def test_a_command_with_nothing_to_do_loads_nothing_heavy(place, arguments):
    assert not LOADED & loaded(place, *arguments)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"]], ids=" ".join)
def test_what_only_prints_loads_even_less(place, arguments):
    modules = loaded(place, *arguments)
    assert not (LOADED | {"pydantic", "obstore"}) & modules


def test_an_extraction_does_without_what_its_image_lacks(place, tmp_path):
    """The requirements of the extractor's image have no PyArrow and no TA-Lib."""
    for moment in ("2013-02-20T23:00Z", "2013-02-27T23:00Z"):
        arguments = ["extract", "--offline", "--grain", "year", "--as-of", moment]
        without = "import sys; sys.modules |= dict.fromkeys(['pyarrow', 'talib'])\n"
        loaded(place, *arguments, folder=tmp_path, before=without)
        shell(sys.executable, "-m", "tickerlake", "transform", cwd=tmp_path, env=environment(place))
