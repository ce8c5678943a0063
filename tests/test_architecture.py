"""The shape of the code: imports point one way, and nothing is longer than a reader can hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from radon.complexity import cc_visit

JOBS = Path(__file__).parents[1] / "jobs"
PACKAGE = JOBS / "tickerlake"

LEVELS = (
    {"cli"},
    {"api"},
    {"app", "pictures", "reads"},
    {"universe", "wiring"},
    {"stages"},
    {"aws", "engines", "sources"},
    {"lake"},
    {"market"},
    {"diagnosis", "logs", "progress", "settings"},
    {"errors"},
)
"""What is above may import what is below, and nothing else of the package but itself."""

LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}

LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
MOST_COMPLEX = 10
"""McCabe's cyclomatic complexity."""
TABLES = {"market/features.py", "market/exchanges.py", "lake/tables.py", "lake/views.py"}
"""Declarative tables may be as long as what they declare."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def name(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def part(path: str) -> str:
    """The part of the package that a file, or a dotted name in the package, belongs to."""
    return path.replace("/", ".").split(".")[0]


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Imports of the package, wherever they stand: line, and dotted name in the package."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [each.name for each in names]
            case ast.ImportFrom(module="tickerlake", names=names):
                found = [f"tickerlake.{each.name}" for each in names]
            case ast.ImportFrom(module=str(module), level=0):
                found = [module]
            case ast.ImportFrom():
                raise AssertionError(f"line {node.lineno}: a relative import")
            case _:
                continue
        for each in found:
            if each.startswith("tickerlake."):
                yield node.lineno, each.removeprefix("tickerlake.")


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_imports_point_one_way(module):
    here = part(name(module))
    if here in ("__init__", "__main__"):
        return
    wrong = []
    for line, target in imported(ast.parse(module.read_text(encoding="utf-8"))):
        there = part(target)
        if there not in LEVEL:  # __version__
            continue
        if there != here and LEVEL[there] <= LEVEL[here]:
            wrong.append(f"{module}:{line} imports {target}: {here} may not use {there}")
    assert not wrong


def test_every_part_has_its_level():
    parts = {part(name(module)) for module in MODULES} - {"__init__", "__main__"}
    assert parts == LEVEL.keys()


def test_the_package_itself_imports_nothing():
    """The Lambda function and the start of the command import it."""
    assert list(imported(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_no_module_is_renamed_because_a_function_has_its_name(module):
    renamed = [
        f"line {node.lineno}: {each.name} as {each.asname}"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tickerlake")
        for each in node.names
        if each.asname and each.name[0].islower()
    ]
    assert not renamed


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_nothing_is_too_long(module):
    text = module.read_text(encoding="utf-8")
    if name(module) not in TABLES:
        assert text.count("\n") <= LONGEST_MODULE
    long = [
        f"{node.name} has {length} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_nothing_is_too_complex(module):
    blocks = cc_visit(module.read_text(encoding="utf-8"))
    assert not [block for block in blocks if block.complexity > MOST_COMPLEX]


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_names_of_parameters_say_what_they_hold(module):
    vague = [
        f"line {each.lineno}: {each.arg}"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.arguments)
        for each in (*node.posonlyargs, *node.args, *node.kwonlyargs)
        if each.arg in {"of", "on", "here", "own"}
    ]
    assert not vague


CHANGING = {
    "aws/doctor/trial.py": ["Trial"],
    "cli/glue.py": ["_Argument"],
    "engines/spark_datasource.py": ["Tickers", "PastReader"],
    "engines/spark_files.py": ["Files", "Derived", "Reader"],
    "engines/spark_filters.py": ["Bounds"],
    "lake/checkpointing.py": ["_Said"],
    "sources/yahoo/events.py": ["_Day"],
    "stages/compact.py": ["Report", "_Found"],
    "stages/extract.py": ["Report"],
    "stages/plan/life.py": ["Work", "Partition", "Life"],
    "stages/repair.py": ["Report"],
    "stages/report/site.py": ["Written", "Site"],
    "stages/transform.py": ["Report"],
}
"""Dataclasses that are filled in step by step, or that Spark pickles."""


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_what_is_not_filled_in_step_by_step_does_not_change(module):
    changing = [
        node.name
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for each in map(ast.unparse, node.decorator_list)
        if each.startswith("dataclass") and "frozen=True" not in each
    ]
    assert changing == CHANGING.get(name(module), [])
