"""A process that gets a signal in the middle of a run: its exit code, and what it leaves behind."""

import json
import signal
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from helpers import until

from tickerlake.lake import manifests, open_lake
from tickerlake.sources.replay import Fault, Replay
from tickerlake.stages import transform, verify

MOMENT = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_which_keeps_what_it_has(tmp_path, number):
    """One ticker has arrived, the other one takes for ever."""
    folder = str(tmp_path / "lake")
    with Replay(now=MOMENT) as replay:
        replay.faults = [Fault(kind="slow", ticker="IBM", seconds=60.0)]
        words = ["run", "FB", "IBM", "--start", "2013-02-01", "--grain", "year", "--workers", "2"]
        process = subprocess.Popen(
            [sys.executable, "-m", "tickerlake", *words, "--yahoo-url", replay.url,
             "--lake", folder],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # a shell starts what is in the background with SIGINT ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip
        try:
            lines: list[str] = []

            def arrived() -> bool:
                lines.append(process.stderr.readline())
                return "FB: ok" in lines[-1] or not lines[-1]

            until(arrived)
            asked = [path for path, _ in replay.requests if "/chart/" in path]
            until(lambda: len(asked) == 2 or len([p for p, _ in replay.requests if "IBM" in p]))
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    last = json.loads(said.splitlines()[-1])
    assert f"ended by signal {number.value}" in last["message"]
    lake = open_lake(folder)
    [manifest] = manifests.pending(lake)
    assert list(manifest.tickers) == ["FB"]
    assert manifest.tickers["FB"].new > 0
    assert transform.transform(lake).exit_code == 0
    assert verify.verify(lake, workers=1) == []
    assert date(2013, 2, 1) == manifest.tickers["FB"].start
