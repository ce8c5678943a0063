"""Run the notebooks in `docs/`, and write down what their cells print: `python tools/notebooks.py`.

A cell shows what it prints, and the value of its last expression. That is all that our notebooks
need, so no kernel has to be installed. A notebook is only rewritten when more has changed than run
ids and stamps.
"""

import ast
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from examples import empty_folder, rewrite

DOCS: Final = Path(__file__).parents[1] / "docs"

Cell = dict[str, Any]


def notebooks() -> list[Path]:
    """Return the notebooks."""
    return sorted(DOCS.glob("*.ipynb"))


def render(text: str) -> str:
    """Return a notebook with the output that its cells give now."""
    notebook = json.loads(text)
    names: dict[str, Any] = {}
    with empty_folder():
        cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        for number, cell in enumerate(cells, start=1):
            cell["execution_count"] = number
            cell["outputs"] = list(_outputs("".join(cell["source"]), number, names))
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _outputs(source: str, number: int, names: dict[str, Any]) -> Iterator[Cell]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)  # noqa: S102 - the docs' own code
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)  # noqa: S307
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        yield {"name": "stdout", "output_type": "stream", "text": text}
    if value is not None:
        yield {
            "data": _shown(value),
            "execution_count": number,
            "metadata": {},
            "output_type": "execute_result",
        }


def _shown(value: Any) -> dict[str, list[str]]:
    shown = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        shown["text/html"] = value._repr_html_().splitlines(keepends=True)
    return shown


def main() -> None:
    """Rewrite the notebooks."""
    rewrite(notebooks(), render)


if __name__ == "__main__":
    main()
