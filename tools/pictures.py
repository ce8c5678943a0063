"""Make the pictures of the README and the docs from the sample lake: `make pictures`.

They are screenshots of the report, and a recording of three commands in a terminal: what they
print, line by line, as an SVG that needs no font from elsewhere.
"""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

OUT: Final = Path(__file__).parents[1] / "docs" / "pictures"
COLUMNS: Final = 92
LARGEST: Final = 200_000
"""Bytes of a picture."""

QUERY: Final = (
    "select session, close, rsi_14, sma_200 from daily"
    " where ticker='AAPL' order by session desc limit 3"
)
COMMANDS: Final = (
    ("run", "--offline", "--start", "2001-01-01", "--grain", "year"),
    ("query", QUERY),
    ("show", "AAPL", "--period", "2y"),
)
NEXT_STEPS: Final = "Next, try:"
"""From here on, `run` repeats what the recording goes on to do."""

TYPING, LINE, PAUSE = 0.5, 0.04, 1.6
"""Seconds before a command, between two lines, and after a command."""

THEME: Final = TerminalTheme(
    (23, 27, 32),
    (222, 226, 231),
    [(70, 78, 88), (239, 125, 36), (109, 181, 238), (230, 194, 41),
     (109, 181, 238), (196, 139, 232), (130, 200, 200), (222, 226, 231)],
)  # fmt: skip
"""Background, foreground, and the eight colours; green is drawn as blue, red as orange."""

SVG: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; white-space: pre; }}
.{unique_id}-matrix text {{ animation: appear 1ms linear both; }}
@keyframes appear {{ from {{ opacity: 0; }} to {{ opacity: 1; }} }}
@media (prefers-reduced-motion: reduce) {{ .{unique_id}-matrix text {{ animation: none; }} }}
{styles}
</style>
<defs>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""  # noqa: E501


def printed(command: tuple[str, ...], folder: Path) -> str:
    """Return what a command prints on a terminal, without what it erases again."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-m", "tickerlake", *command],
        cwd=folder,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env=environment,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            shown += part
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    return shown.decode().replace("\r\n", "\n").partition(NEXT_STEPS)[0].rstrip("\n")


def quoted(word: str) -> str:
    """Return a word as one types it in a shell."""
    return word if re.fullmatch(r"[\w./=-]+", word) else f'"{word}"'


def recording(folder: Path) -> str:
    """Return the recording of all commands as an SVG."""
    lines: list[str] = []
    moments: list[float] = []
    now = 0.0
    for command in COMMANDS:
        typed = "tickerlake " + " ".join(map(quoted, command))
        wrapped = re.sub(r"(.{60,88}) ", "\\1\n    ", f"$ {typed}").split("\n")
        output = ["", *printed(command, folder).split("\n"), ""]
        now += TYPING
        for number, line in enumerate([*wrapped, *output[1:]]):
            lines.append(f"\x1b[1m{line}\x1b[0m" if number < len(wrapped) else line)
            moments.append(now)
            now += LINE
        now += PAUSE
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(lines)), no_wrap=True, crop=False)
    svg = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id="t")

    def timed(match: re.Match[str]) -> str:
        line = min(int(match[1]), len(moments) - 1)
        return f'{match[0]} style="animation-delay:{moments[line]:.2f}s"'

    return re.sub(r'clip-path="url\(#t-line-(\d+)\)"', timed, svg)


def screenshots(folder: Path) -> None:
    """Take pictures of the report in a folder."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    pages = {
        "report.png": ("tickers/AAPL.html", "light", 900),
        "overview.png": ("index.html", "light", 1000),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        for name, (page, scheme, height) in pages.items():
            context = browser.new_context(
                viewport={"width": 1200, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            opened = context.new_page()
            opened.goto((folder / page).as_uri())
            if page.startswith("tickers"):
                opened.wait_for_selector(".plot .main-svg")
            opened.screenshot(path=str(OUT / name))
            context.close()
        browser.close()


def main() -> None:
    """Write all pictures."""
    OUT.mkdir(exist_ok=True)
    with TemporaryDirectory() as work:
        folder = Path(work)
        (OUT / "terminal.svg").write_text(recording(folder), encoding="utf-8")
        printed(("report",), folder)
        screenshots(folder / "report")
    for picture in sorted(OUT.iterdir()):
        size = picture.stat().st_size
        print(f"{picture.name}: {size / 1000:.0f} kB")
        if size > LARGEST:
            raise SystemExit(f"{picture.name} is larger than {LARGEST / 1000:.0f} kB")


if __name__ == "__main__":
    main()
