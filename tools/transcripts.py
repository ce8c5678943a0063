"""Run the commands that the docs show, and write down what they print.

`python tools/transcripts.py` does it for every page in `docs/` that carries the mark. The commands
of a page run in order, in one empty folder: each line of a `console` block that starts with `$ `,
continued by lines that start with `> `. What follows up to the next command is replaced by the
command's output. A page is only rewritten when more has changed than run ids.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[1] / "docs"
MARK: Final = "`make docs` runs the commands of this page"

_BLOCK: Final = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_COMMAND: Final = re.compile(r"^\$ .*\n(?:> .*\n)*", re.MULTILINE)
_RUN_ID: Final = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{6}")
_STAMP: Final = re.compile(r"\b[0-9a-f]{12}\b")
_FOLDER: Final = "/home/you/prices"


def pages() -> list[Path]:
    """Return the pages whose output is generated."""
    return sorted(page for page in DOCS.glob("*.md") if MARK in page.read_text(encoding="utf-8"))


def render(text: str) -> str:
    """Return a page with the output that its commands print now."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "prices"
        folder.mkdir()
        return _BLOCK.sub(lambda block: "\n".join(_transcript(block[0], folder)), text)


def masked(text: str) -> str:
    """Return a page without what differs from run to run."""
    return _STAMP.sub("STAMP", _RUN_ID.sub("RUN_ID", text))


def _transcript(block: str, folder: Path) -> Iterator[str]:
    for command in _COMMAND.findall(block):
        yield command + _output(re.sub(r"^[$>] ", "", command, flags=re.MULTILINE), folder)


def _output(command: str, folder: Path) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TICKERLAKE_")
    } | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "TICKERLAKE_LOG_LEVEL": "WARNING",  # as on a terminal
    }
    done = subprocess.run(  # noqa: S603 - the docs' own commands
        ["/bin/bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,  # some fail on purpose
    )
    lines = [line.rstrip() for line in done.stdout.replace(str(folder), _FOLDER).splitlines()]
    text = "\n".join(lines).strip("\n")
    return f"{text}\n" if text else ""


if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = render(before)
        if masked(after) != masked(before):
            page.write_text(after, encoding="utf-8")
