"""What is written down twice is the same twice."""

import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path
from zipfile import ZipFile

import exchange_calendars
import pandas as pd
import pytest

from tickerlake import errors
from tickerlake.aws import starter
from tickerlake.lake import layout

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


def export(*arguments: str) -> list[str]:
    """Requirements as exported from the lock file, without the comment that has the command."""
    done = subprocess.run(
        [UV, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return uncommented(done.stdout)


def uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    "file",
    [
        "requirements.txt",
        "images/extractor/requirements.txt",
        "images/transformer/requirements.txt",
    ],
)
def test_requirements_are_those_of_the_lock_file(file):
    text = (ROOT / file).read_text()
    options = re.findall(r"--(?:prune|extra) \S+", text.splitlines()[1])
    assert uncommented(text) == export(*" ".join(options).split()), "run `make lock`"


WITHOUT_EXTRAS = """
import sys
sys.modules |= dict.fromkeys(["duckdb", "fsspec", "jinja2", "plotext", "plotly", "pyspark", "rich"])
sys.argv[0] = "tickerlake"
from tickerlake.cli import main
main()
"""


def test_without_extras_everything_works_but_what_needs_them(tmp_path):
    """As on Glue, where only the package's own dependencies are installed."""

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        arguments = [
            sys.executable,
            "-c",
            WITHOUT_EXTRAS,
            *command,
            "--lake",
            str(tmp_path / "lake"),
        ]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    done = run("run", "--offline", "FB", "--grain", "year")
    assert done.returncode == 0, done.stderr
    done = run("status")
    assert (done.returncode, "FB" in done.stdout) == (0, True), done.stderr
    done = run("query", "select 1")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: a query needs DuckDB: pip install 'tickerlake[query] @ git+https://github.com/tickerlake/tickerlake'\n",
    )


def test_every_extra_of_people_is_in_the_makefile():
    """`make run` promises that `query` works next."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    [found] = re.findall(r"^FOR_PEOPLE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(found.split()) - {"--extra"} == extras.keys() - {"spark", "mcp"}


def test_every_error_stands_in_the_tree_that_the_module_opens_with():
    tree = errors.__doc__
    for name in dir(errors):
        error = getattr(errors, name)
        if isinstance(error, type) and issubclass(error, errors.TickerlakeError):
            assert re.search(rf"\b{name}\b", tree), name
            if f"{name} " in tree and (code := re.search(rf"{name} +exit code (\d)", tree)):
                assert error.exit_code == int(code[1])


def test_make_help_lists_every_target():
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    [phony] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


@pytest.mark.parametrize("script", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.name)
def test_entry_scripts_hold_no_logic(script):
    text = script.read_text()
    assert "\ndef " not in text
    assert len(text.splitlines()) < 25


HOLIDAYS = ("2026-01-01", "2028-12-31")
"""The days that the description of the variable promises."""


def test_default_holidays_of_the_silence_alarm_are_the_exchanges():
    text = (ROOT / "infra" / "variables.tf").read_text()
    _, _, declared = text.partition('variable "holidays"')
    declared = declared.partition('\nvariable "')[0]
    first, last = HOLIDAYS
    assert f"from {first[:4]} to {last[:4]}" in declared
    exchange = exchange_calendars.get_calendar("XNYS", start=first, end=last)
    closed = pd.bdate_range(first, last).difference(exchange.sessions)
    assert re.findall(r'"(\d{4}-\d\d-\d\d)"', declared) == [f"{day:%Y-%m-%d}" for day in closed]


def test_somebody_is_told_before_the_holidays_run_out():
    """It is no failure, as a release of today must pass its tests in ten years, too."""
    if pd.Timestamp.now() > pd.Timestamp(HOLIDAYS[1]) - pd.Timedelta(days=365):
        warnings.warn(f"infra/variables.tf knows no holidays after {HOLIDAYS[1]}", stacklevel=1)


def test_the_starters_zip_and_its_image_hold_the_same_files(tmp_path):
    archive = tmp_path / "starter.zip"
    script = ROOT / "images" / "starter" / "package.py"
    subprocess.run([sys.executable, script, archive], check=True)
    copied = []
    _, _, stage = (ROOT / "Dockerfile").read_text().partition("AS starter\n")
    for line in re.findall(r"^COPY (.*)$", stage, re.MULTILINE):
        *sources, target = line.split()
        folder = target.removeprefix("${LAMBDA_TASK_ROOT}/")
        copied += [folder + source.rpartition("/")[2] for source in sources]
        assert all(source == f"jobs/{folder}{Path(source).name}" for source in sources)
    assert sorted(ZipFile(archive).namelist()) == sorted(copied)


def test_the_prefix_of_manifests_is_the_same_wherever_it_is_written():
    for file in ("images/setup.py", "infra/modules/s3/main.tf"):
        found = re.findall(r"[\w/]*_runs/", (ROOT / file).read_text())
        assert found, file
        assert {text.removeprefix("/") for text in found} == {layout.RUNS}, file
    assert starter.RUNS == layout.RUNS
    assert starter.STARTS == layout.STARTS
    assert f'prefix = "{layout.STARTS}"' in (ROOT / "infra/modules/s3/main.tf").read_text()


def test_github_runs_the_same_make_targets_as_the_script():
    targets = [
        set(re.findall(r"\bmake (?:-C \S+ +)?([a-z][a-z0-9-]*)", uncommented_script(file)))
        for file in (".github/workflows/ci.yml", ".ci/run")
    ]
    # the script also tests the next major version of Terraform's provider, if it is there
    assert targets[0] == targets[1] - {"infra-test"}


def uncommented_script(file: str) -> str:
    lines = (ROOT / file).read_text().splitlines()
    return "\n".join(line for line in lines if not re.match(r"\s*(#|step|skip|- name|name:)", line))


def test_spark_is_the_one_of_glue():
    """AWS Glue 6.0 runs Spark 4.1.1; the tests of Spark and the image run on the same."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    [version] = [each["version"] for each in lock["package"] if each["name"] == "pyspark"]
    assert version == "4.1.1"
    assert 'glue_version            = "6.0"' in (ROOT / "infra/modules/glue/main.tf").read_text()
