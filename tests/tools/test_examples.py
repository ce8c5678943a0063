"""The examples and notebooks of the docs show what they really print."""

import json

import examples
import notebooks
import pytest


def test_there_are_some():
    assert "python.md" in {page.name for page in examples.pages()}
    assert [path.name for path in notebooks.notebooks()] == ["backtest.ipynb"]


@pytest.mark.parametrize("page", examples.pages(), ids=lambda page: page.name)
def test_a_page_shows_what_its_examples_print(page):
    text = page.read_text(encoding="utf-8")
    assert examples.masked(text) == examples.masked(examples.render(text)), "run `make docs`"


@pytest.mark.parametrize("path", notebooks.notebooks(), ids=lambda path: path.name)
def test_a_notebook_shows_what_its_cells_give(path):
    text = path.read_text(encoding="utf-8")
    assert examples.masked(text) == examples.masked(notebooks.render(text)), "run `make docs`"


def test_a_difference_is_noticed():
    page = "```pycon\n>>> 1 + 1\n3\n>>> 1 / 0\n```\n"
    assert examples.render(page) == (
        "```pycon\n>>> 1 + 1\n2\n>>> 1 / 0\nTraceback (most recent call last):\n    ...\n"
        "ZeroDivisionError: division by zero\n```\n"
    )
    cell = {"cell_type": "code", "source": ["x = 2\n", "print(x)\n", "x + 1"], "outputs": []}
    found = json.loads(notebooks.render(json.dumps({"cells": [cell]})))["cells"][0]["outputs"]
    assert found[0]["text"] == ["2\n"]
    assert found[1]["data"] == {"text/plain": ["3"]}
