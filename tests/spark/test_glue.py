"""The Glue job scripts as Glue runs them, with what `make dist` makes and no source tree."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from helpers import objects

from tickerlake.lake import manifests, open_lake

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
BIN = Path(sys.executable).parent
UV = BIN / "uv"
PYTHON = (3, 13)  # Glue 6.0's
PLATFORM = "x86_64-manylinux_2_34"


def requirements() -> str:
    """What is locked for the package and its report, for every platform."""
    export = [UV, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project"]
    export += ["--extra", "report"]
    return subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """What the zip file of packages holds."""
    [package] = DIST.glob("tickerlake-*.gluewheels.zip")
    unpacked = tmp_path_factory.mktemp("packages")
    with ZipFile(package) as archive:
        archive.extractall(unpacked)
    return unpacked / "wheels"


@pytest.fixture(scope="module")
def glue(tmp_path_factory, wheels) -> Path:
    """An environment with Glue's Spark, and the packages that Glue installs.

    On Glue's Python these are the wheels, installed by pip without an index. They don't fit another
    Python, where only our own wheel is, and the same versions of the others come from an index;
    then it is `make e2e-cloud` that installs them.
    """
    made = tmp_path_factory.mktemp("glue") / "environment"
    python = made / "bin/python"
    index = [UV, "pip", "install", "--quiet", "--python", python]
    if sys.version_info[:2] == PYTHON:
        pip = [python, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheels]
        packages = [[*pip, "--requirement", wheels / "requirements.txt"]]
    else:
        (file := made.parent / "requirements.txt").write_text(requirements())
        locked = ["--require-hashes", "--requirement", file]
        packages = [[*index, *locked], [*index, "--no-deps", *wheels.glob("tickerlake-*.whl")]]
    for command in (
        [sys.executable, "-m", "venv", made],
        *packages,
        [*index, "pyspark>=4.1,<4.2"],
    ):
        subprocess.run(command, check=True)
    return made


# what infra/ sets for Glue itself, and what Glue adds; --region is ours
GLUES = """
--job-language python --additional-python-modules s3://bucket/_artifacts/x.gluewheels.zip
--python-modules-installer-option --no-index --custom-logGroup-prefix /aws-glue/lake
--region us-east-1 --JOB_NAME job --JOB_RUN_ID jr_1 --TempDir s3://bucket/ --enable-metrics true
"""


def submit(glue: Path, script: str, arguments: str) -> subprocess.CompletedProcess[str]:
    """What Glue does with a script and the job's arguments."""
    command = f"bin/spark-submit --master local[2,4] {DIST / script}"
    others = ("SPARK_", "PYSPARK_", "PYTHON", "VIRTUAL", "TICKERLAKE_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return subprocess.run(
        f"{command} {GLUES} {arguments}".split(),
        cwd=glue,
        env={
            **own,
            "PATH": f"{glue / 'bin'}:{own['PATH']}",
            "PYSPARK_PYTHON": str(glue / "bin/python"),
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        # as spark-submit does with the script's own
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_packages_are_the_locked_ones_and_complete(wheels, tmp_path):
    """They fit Glue's Python and Linux, and their metadata asks for nothing else."""
    target = ["--python-version", ".".join(map(str, PYTHON)), "--python-platform", PLATFORM]
    source = ["--no-index", "--find-links", wheels, "--requirement", wheels / "requirements.txt"]
    install = [UV, "pip", "install", "--quiet", *target, *source, "--target", tmp_path]
    subprocess.run(install, check=True)
    installed = {_plain(each.name) for each in distributions(path=[str(tmp_path)])}
    locked = {line.split("==")[0] for line in requirements().splitlines() if line[:1].isalpha()}
    assert installed == locked | {"tickerlake"}
    assert installed & {"duckdb", "fsspec", "rich", "plotext"} == set()
    assert len(list(wheels.glob("*.whl"))) == len(installed)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_the_chain(glue, tmp_path):
    folder, local = tmp_path / "lake", tmp_path / "local"
    extract = f"--lake {folder} --offline true --tickers IBM,FB --grain year"
    done = submit(glue, "glue_extractor_job.py", extract)
    assert done.returncode == 0, done.stdout
    lake = open_lake(str(folder))
    [run_id] = manifests.pending_ids(lake.store)
    shutil.copytree(folder, local)
    for _ in ("once", "a repeated event"):
        done = submit(glue, "glue_transformer_job.py", f"--lake {folder} --run-id {run_id}")
        assert done.returncode == 0, done.stdout
        assert "ignored" not in done.stdout
        assert manifests.pending_ids(lake.store) == []
    subprocess.run([BIN / "tickerlake", "transform", "--lake", local], check=True)
    prefixes = ("history/", "refined/", "tickers/")
    assert objects(lake, *prefixes) == objects(open_lake(str(local)), *prefixes)


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        ("glue_transformer_job.py", "--lake {lake} --runid x", "No such option"),
        ("glue_transformer_job.py", "--lake {lake} --run-id", "requires an argument"),
        ("glue_transformer_job.py", "--run-id x", "--lake is missing"),
        ("glue_transformer_job.py", "--lake {lake} --run-id x", "there is no lake"),
        ("glue_extractor_job.py", "--lake {lake}", "which tickers?"),
        ("glue_extractor_job.py", "--lake {lake} --tickers no:such", "a length that no symbol has"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said(glue, tmp_path, script, arguments, words):
    done = submit(glue, script, arguments.format(lake=tmp_path / "lake"))
    assert done.returncode == 1
    assert words in done.stdout
