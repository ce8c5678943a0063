"""Run the Python examples that a page of the docs shows, and write down what they print.

`python tools/examples.py` does it for every page in `docs/` with `pycon` blocks. The examples of a
page run in order, in one empty folder. A page is only rewritten when more has changed than run ids
and stamps.
"""

import contextlib
import doctest
import io
import os
import re
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

DOCS: Final = Path(__file__).parents[1] / "docs"

_BLOCK: Final = re.compile(r"(?<=^```pycon\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_RUN: Final = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{6}|\b[0-9a-f]{12}\b")


def pages() -> list[Path]:
    """Return the pages that have examples."""
    return sorted(page for page in DOCS.glob("*.md") if _BLOCK.search(page.read_text("utf-8")))


def render(text: str) -> str:
    """Return a page with the output that its examples print now."""
    names: dict[str, Any] = {}
    with empty_folder():
        return _BLOCK.sub(lambda block: "".join(_transcript(block[0], names)), text)


@contextlib.contextmanager
def empty_folder() -> Iterator[None]:
    """Work in an empty folder, without the settings of whoever runs this."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TICKERLAKE_")}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, environment, clear=True),
    ):
        yield


def rewrite(files: Iterable[Path], render_text: Callable[[str], str]) -> None:
    """Rewrite the files whose text has changed, apart from the ids of runs and stamps."""
    for file in files:
        old = file.read_text(encoding="utf-8")
        new = render_text(old)
        if masked(new) != masked(old):
            file.write_text(new, encoding="utf-8")


def masked(text: str) -> str:
    """Return a page without what differs from run to run: the ids of runs, and stamps."""
    return _RUN.sub(lambda found: "0" * len(found[0]), text)


def _transcript(block: str, names: dict[str, Any]) -> Iterator[str]:
    for piece in doctest.DocTestParser().parse(block):
        if isinstance(piece, str):
            yield piece
            continue
        first, *more = piece.source.splitlines()
        yield "\n".join([f">>> {first}", *(f"... {line}".rstrip() for line in more)]) + "\n"
        yield _output(piece.source, names)


def _output(source: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, "<page>", "single"), names)  # noqa: S102 - the docs' own code
        except Exception as error:  # noqa: BLE001 - a page may show an error
            [*_, last] = traceback.format_exception_only(error)
            printed.write(f"Traceback (most recent call last):\n    ...\n{last}")
    return printed.getvalue()


def main() -> None:
    """Rewrite the pages."""
    rewrite(pages(), render)


if __name__ == "__main__":
    main()
