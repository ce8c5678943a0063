"""The Glue job scripts as Glue runs them, with what `make dist` makes and no source tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import objects

from tickerlake.lake import manifests, open_lake

pytestmark = pytest.mark.spark

DIST = Path(__file__).parents[2] / "dist"
UV = Path(sys.executable).with_name("uv")
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def glue(tmp_path_factory) -> Path:
    """An environment with Glue's Spark and what the job's requirements name; no tickerlake."""
    made = tmp_path_factory.mktemp("glue") / "environment"
    install = ["pip", "install", "--quiet", "--python", made]
    requirements = ["--require-hashes", "-r", DIST / "glue-requirements.txt"]
    # the tests' own interpreter: uv must not fetch one
    for command in (
        ["venv", "--quiet", "--python", sys.executable, made],
        [*install, *requirements],
        [*install, "pyspark>=4.1,<4.2"],
    ):
        subprocess.run([UV, *command], check=True)
    return made


def submit(glue: Path, script: str, arguments: str) -> subprocess.CompletedProcess[str]:
    """What Glue does with a script, `--extra-py-files` and the job's arguments."""
    # Spark hands a wheel to the driver alone, and a zip, which a wheel is, to its workers, too
    [wheel] = DIST.glob("*.whl")
    package = shutil.copy(wheel, glue / "tickerlake.zip")
    reserved = "--JOB_NAME job --JOB_RUN_ID jr_1 --TempDir s3://x/ --enable-metrics true"
    command = f"bin/spark-submit --master local[2,4] --py-files {package} {DIST / script}"
    others = ("SPARK_", "PYSPARK_", "PYTHON", "VIRTUAL", "TICKERLAKE_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return subprocess.run(
        f"{command} {reserved} {arguments}".split(),
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
        assert manifests.pending_ids(lake.store) == []
    subprocess.run([BIN / "tickerlake", "transform", "--lake", local], check=True)
    prefixes = ("history/", "refined/")
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
