"""Run the tests against deliberate mistakes: `python tools/mutants.py [TEXT]... [--since REF]`.

`tests/mutants/*.toml` lists the mistakes. Each is made in a copy of the repository, in which the
tests that should notice it are run. One that no test notices survives: either a test is missing, or
the mistake makes no difference, which its entry then says (`equivalent`).

    [[mistake]]
    what = "`--end` is ignored"
    harm = "Asked for February, the lake gets everything up to today."
    file = "jobs/tickerlake/cli/options.py"
    old = "end=end,"
    new = "end=None,"
    tests = ["tests/cli/test_cli.py::test_an_explicit_window"]

`old` must occur exactly once in the file. `tests` are what pytest takes, or a file of Terraform's
tests. Choose few and fast ones: all mistakes together should take minutes.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LISTS: Final = ROOT / "tests" / "mutants"

LONGEST: Final = 180
"""Seconds after which tests that hang count as having noticed."""

_TERRAFORM: Final = ".tftest.hcl"
_FAILED: Final = 1
_BROKEN: Final = 2  # pytest could not import what it tests
_PYTEST: Final = (
    "-x", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider",
    "--hypothesis-profile=mutants",
)  # fmt: skip
_OUTPUT: Final = "mutants.log"
_POLL: Final = 0.05
_SLOW: Final = (
    "boto3", "curl_cffi.requests", "duckdb", "hypothesis", "moto.server", "numpy", "pandas",
    "polars", "pyarrow.dataset", "pydantic", "pytest", "rich.progress", "tenacity", "yfinance",
)  # fmt: skip
_CALENDARS: Final = {"XNYS": "1927-01-03", "XLON": "1970-01-01"}


@dataclass(frozen=True)
class Mistake:
    """A deliberate mistake.

    Attributes:
        what: the mistake, in a few words.
        harm: what a user would suffer.
        file: where it is made.
        old: the text that is replaced; it occurs once in the file.
        new: what it is replaced with.
        tests: those that must notice.
        equivalent: why nothing can notice; '' when something must.
    """

    what: str
    file: str
    old: str
    new: str
    harm: str = ""
    tests: tuple[str, ...] = ()
    equivalent: str = ""

    @property
    def module(self) -> str:
        """The module that it is made in, as the table names it."""
        return self.file.removeprefix("jobs/tickerlake/")

    def stale(self) -> str:
        """Return what is wrong with the entry; '' when nothing is."""
        path = ROOT / self.file
        if not path.is_file():
            return f"there is no {self.file}"
        times = path.read_text(encoding="utf-8").count(self.old)
        if times != 1:
            return f"{self.file} has its text {times} times, not once: {self.old!r}"
        if self.equivalent:
            return ""
        return next(filter(None, map(_missing, self.tests)), "" if self.tests else "it has no test")


def _missing(test: str) -> str:
    file, *names = test.partition("[")[0].split("::")
    path = ROOT / file
    if not path.exists():
        return f"there is no {file}"
    if names and f"def {names[-1]}(" not in path.read_text(encoding="utf-8"):
        return f"{file} has no {names[-1]}"
    return ""


def read() -> list[Mistake]:
    """Read the lists."""
    return [
        Mistake(**{**entry, "tests": tuple(entry.get("tests", ()))})
        for path in sorted(LISTS.glob("*.toml"))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mistake"]
    ]


class Copy:
    """A copy of the repository to make mistakes in; tests run there, one process at a time."""

    def __init__(self, folder: Path, *, infra: bool) -> None:
        """Copy what git knows, and new files that it does not ignore."""
        self.folder = folder
        self.process = 0
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        if infra:
            initialise = [folder / "infra/init", folder / "infra", "-backend=false"]
            subprocess.run(initialise, check=True)

    def begin(self, tests: Sequence[str], mistake: Mistake | None = None) -> None:
        """Make a mistake, if any, and start tests."""
        self.started = time.monotonic()
        if mistake:
            self.right = (self.folder / mistake.file).read_text(encoding="utf-8")
            self._write(mistake.file, self.right.replace(mistake.old, mistake.new))
        sys.stdout.flush()
        self.process = os.fork()
        if not self.process:
            os._exit(_run(self.folder, tests))

    def end(self, mistake: Mistake | None = None) -> int | None:
        """Return the exit code of the tests once they have ended, and undo the mistake."""
        process, status = os.waitpid(self.process, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if process else None
        if code is None and mistake and self.seconds > LONGEST:
            os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            code = _FAILED
        if code is not None and mistake:
            self._write(mistake.file, self.right)
        return code

    @property
    def seconds(self) -> float:
        """How long the tests have been running."""
        return time.monotonic() - self.started

    @property
    def said(self) -> str:
        """What the tests printed."""
        return (self.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")

    def _write(self, file: str, text: str) -> None:
        path = self.folder / file
        # by its time and size alone, Python would take it for what it has compiled
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")


def _preload() -> None:
    """Import what takes long, so that the processes that are forked for tests need not."""
    for name in _SLOW:
        importlib.import_module(name)
    calendars = importlib.import_module("exchange_calendars")
    for name, first in _CALENDARS.items():
        calendars.get_calendar(name, start=first)


def _run(folder: Path, tests: Sequence[str]) -> int:
    """Run tests in this process, which was forked for it; return an exit code."""
    os.setsid()
    os.chdir(folder)
    output = os.open(_OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ["PYTHONPATH"] = str(folder / "jobs")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sys.path.insert(0, str(folder / "jobs"))
    python = [test for test in tests if not test.endswith(_TERRAFORM)]
    code = 0
    if python:
        pytest = importlib.import_module("pytest")
        code = int(pytest.main([*_PYTEST, *python]))
    for test in tests:
        if test.endswith(_TERRAFORM) and not code:
            command = ["terraform", "-chdir=infra", "test", f"-filter={test[len('infra/') :]}"]
            code = subprocess.run(command, check=False).returncode
    sys.stdout.flush()
    return code


def survivors(mistakes: Sequence[Mistake], workers: int) -> Iterator[tuple[Mistake, bool, float]]:
    """Make each mistake; yield it, whether it survives, and the seconds that it took.

    Raises:
        SystemExit: tests fail, or can't be run, without any mistake.
    """
    infra = any(test.endswith(_TERRAFORM) for each in mistakes for test in each.tests)
    _preload()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        free = [Copy(Path(folder, str(number)), infra=infra) for number in range(workers)]
        _pass(free, _all_tests(mistakes))
        left, busy = list(reversed(mistakes)), dict[Copy, Mistake]()
        while left or busy:
            while left and free:
                copy, mistake = free.pop(), left.pop()
                busy[copy] = mistake
                copy.begin(mistake.tests, mistake)
            for copy, mistake in list(busy.items()):
                if (code := copy.end(mistake)) is not None:
                    if code not in (0, _FAILED, _BROKEN):
                        raise SystemExit(f"{mistake.what}: its tests can't run\n{copy.said}")
                    del busy[copy]
                    free.append(copy)
                    yield mistake, code == 0, copy.seconds
            time.sleep(_POLL)


def _pass(copies: Sequence[Copy], tests: Sequence[str]) -> None:
    """Run tests without any mistake, each in one of some copies."""
    for number, copy in enumerate(copies):
        copy.begin(tests[number :: len(copies)])
    for copy in copies:
        while (code := copy.end()) is None:
            time.sleep(_POLL)
        if code:
            raise SystemExit(f"the tests fail without any mistake:\n{copy.said}")


def _all_tests(mistakes: Iterable[Mistake]) -> list[str]:
    """Return the tests of mistakes, each once."""
    found = dict.fromkeys(test for each in mistakes for test in each.tests)
    return [test for test in found if "::" not in test or test.partition("::")[0] not in found]


def changed(since: str) -> set[str]:
    """Return the files that differ from a commit."""
    command = ["git", "diff", "--name-only", since, "--"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"git knows no {since}")
    return set(done.stdout.split())


def table(made: Sequence[tuple[Mistake, bool]], equivalent: Sequence[Mistake]) -> str:
    """Return a table of how many mistakes were noticed, by module."""
    total = Counter(mistake.module for mistake, _ in made)
    missed = Counter(mistake.module for mistake, survives in made if survives)
    same = Counter(mistake.module for mistake in equivalent)
    lines = ["| module | mistakes | noticed | survived | equivalent |", "|---|---|---|---|---|"]
    for name in sorted(total | same):
        count, lost = total[name], missed[name]
        share = f" ({100 * (count - lost) // count} %)" if count else ""
        lines.append(f"| {name} | {count} | {count - lost}{share} | {lost} | {same[name]} |")
    count, lost = len(made), sum(missed.values())
    share = f" ({100 * (count - lost) // count} %)" if count else ""
    lines.append(f"| all | {count} | {count - lost}{share} | {lost} | {len(equivalent)} |")
    return "\n".join(lines)


def main() -> int:
    """Make the mistakes; return 1 when one survives."""
    parser = argparse.ArgumentParser(description="Run the tests against deliberate mistakes.")
    parser.add_argument("texts", nargs="*", help="only mistakes whose file or words have a text")
    parser.add_argument("--since", metavar="REF", help="only files that changed since a commit")
    parser.add_argument("--workers", type=int, default=2, help="mistakes at the same time")
    options = parser.parse_args()
    known = read()
    stale = [f"{each.what}: {reason}" for each in known if (reason := each.stale())]
    if stale:
        print("\n".join(["these entries are stale:", *stale]), file=sys.stderr)
        return 2
    files = changed(options.since) if options.since else None
    chosen = [
        each
        for each in known
        if (files is None or each.file in files)
        and (not options.texts or any(t in f"{each.file} {each.what}" for t in options.texts))
    ]
    equivalent = [each for each in chosen if each.equivalent]
    made = []
    for mistake, survives, seconds in survivors(
        [each for each in chosen if not each.equivalent], options.workers
    ):
        made.append((mistake, survives))
        said = "SURVIVES" if survives else "noticed"
        print(f"{said:9}{seconds:5.1f} s  {mistake.module}: {mistake.what}", flush=True)
    missed = [mistake for mistake, survives in made if survives]
    print("\n" + table(made, equivalent))
    for each in missed:
        print(f"\n{each.file}: {each.what}\n  {each.old!r}\n  -> {each.new!r}\n  {each.harm}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
