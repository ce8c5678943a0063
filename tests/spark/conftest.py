"""A Spark cluster on this machine: a master and two workers, in processes of their own.

Local Spark loses no executor, and speculates as little as one host does: a second attempt is for
another host. So the workers call the same machine by two names. This folder is a package, as two
modules named `conftest` would be one for `from conftest import`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from helpers import free_port
from pyspark.sql import SparkSession

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def spark(tmp_path_factory) -> Iterator[SparkSession]:
    if shutil.which("java") is None:
        if os.environ.get("CI"):
            pytest.fail("needs Java 17 or newer")
        pytest.skip("needs Java 17 or newer")
    work = tmp_path_factory.mktemp("spark")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # executors must find the driver also where the machine's own name resolves to nothing
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    with ExitStack() as stack:
        yield stack.enter_context(connected(stack.enter_context(cluster(work))))


@contextmanager
def cluster(work: Path) -> Iterator[str]:
    """A master and two workers; the master's URL."""
    port = str(free_port())
    url = f"spark://127.0.0.1:{port}"
    worker = ("worker.Worker", "--cores", "1", "--memory", "1g", "--work-dir", str(work))
    daemons = [
        ("master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", "0"),
        (*worker, "--webui-port", "0", "--host", "127.0.0.1", url),
        (*worker, "--webui-port", "0", "--host", "localhost", url),
    ]
    spark_class = Path(sys.executable).with_name("spark-class")
    running = []
    try:
        for name, *arguments in daemons:
            command = [spark_class, f"org.apache.spark.deploy.{name}", *arguments]
            with (work / f"{len(running)}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log))
        yield url
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


@contextmanager
def connected(master: str) -> Iterator[SparkSession]:
    session = (
        SparkSession.builder.master(master)
        .config("spark.executor.memory", "512m")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        # what tests give as work is pickled by its name
        .config("spark.executorEnv.PYTHONPATH", str(TESTS))
        # on AWS a machine has its role's; region and endpoint come from the driver
        .config("spark.executorEnv.AWS_ACCESS_KEY_ID", "test")
        .config("spark.executorEnv.AWS_SECRET_ACCESS_KEY", "test")
        .config("spark.speculation", "true")
        .config("spark.speculation.interval", "100ms")
        .config("spark.speculation.multiplier", "1.5")
        .config("spark.speculation.quantile", "0.5")
        .config("spark.speculation.minTaskRuntime", "1s")
        # else records a second decide, of which these tasks have one
        .config("spark.speculation.efficiency.enabled", "false")
        .getOrCreate()
    )
    try:
        yield session
    finally:
        session.stop()
