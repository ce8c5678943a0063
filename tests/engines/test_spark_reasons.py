"""Why a Spark job failed, in a sentence, out of the pages that Spark says."""

import pytest

from tickerlake.engines.spark import reason

ABORTED = (
    "Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure:"
    " Lost task 0.3 in stage 1.0 (TID 4) (127.0.0.1 executor 1): "
)
JAVA = "\n\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:1)\n"
FRAMES = 'Traceback (most recent call last):\n  File "worker.py", line 1, in main\n    process()\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"{ABORTED}X: {FRAMES}tickerlake.errors.StoreError: s3://b can't be reached\n{JAVA}",
            "s3://b can't be reached",
        ),
        (
            f"{ABORTED}X: {FRAMES}KeyError: 1\n\nDuring it:\n\n{FRAMES}ValueError: a\nb\n{JAVA}",
            "ValueError: a",
        ),
        (f"An exception was thrown.\n{FRAMES}MemoryError\n\nJVM stack:\n{JAVA}", "MemoryError"),
        (
            f"{ABORTED}org.apache.spark.SparkException: Python worker exited unexpectedly.{JAVA}",
            "Python worker exited unexpectedly.",
        ),
        (
            f"{ABORTED}ExecutorLostFailure (executor 1 exited) Reason: Command exited{JAVA}",
            "ExecutorLostFailure (executor 1 exited) Reason: Command exited",
        ),
        ("An error occurred while calling o1\n: x", "An error occurred while calling o1"),
    ],
)
def test_of_what_spark_says_the_reason_is_kept(text, sentence):
    assert reason(text) == sentence
