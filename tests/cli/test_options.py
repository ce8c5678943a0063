"""Every parameter of every command: its type, its limits, its variable, and what it refuses.

`options.txt` has a line for each. A wrong limit or a lost variable shows as a difference; after a
change that is meant, take over the lines that the failure prints.
"""

import inspect
from pathlib import Path

import click
import pytest
from helpers import tickerlake

from tickerlake import logs
from tickerlake.cli.commands import tickerlake as command

EXPECTED = Path(__file__).with_name("options.txt")


def commands(inner=command, path=()):
    yield path, inner
    for name, each in getattr(inner, "commands", {}).items():
        yield from commands(each, (*path, name))


COMMANDS = dict(commands())


def kind(declared: click.ParamType) -> str:
    """A type, with all that it was made with."""
    limits = {**declared.to_info_dict(), "gives": getattr(declared, "type", None)}
    limits |= {
        name: value for name, value in vars(declared).items() if name in ("encoding", "errors")
    }
    said = [
        f"{name}={value}"
        for name, value in limits.items()
        if name not in ("name", "param_type") and value is not None and value is not False
    ]
    return f"{type(declared).__name__}({', '.join(said)})"


def described(parameter: click.Parameter) -> str:
    names = "/".join([*parameter.opts, *parameter.secondary_opts])
    said = {
        "name": parameter.name,
        "nargs": parameter.nargs,
        "default": parameter.default,
        "variable": parameter.envvar,
        "metavar": parameter.metavar,
    }
    usual = {"nargs": 1, "name": names.removeprefix("--").replace("-", "_")}
    words = [
        f"{name}={value}"
        for name, value in said.items()
        if value is not None and value != usual.get(name) and "UNSET" not in str(value)
    ]
    for name in ("required", "multiple", "is_flag", "expose_value", "show_envvar", "show_default"):
        words += [name] * bool(getattr(parameter, name, None))
    return " ".join([names, kind(parameter.type), *words])


def declared() -> list[str]:
    return [
        " ".join([*path, described(parameter)])
        for path, each in COMMANDS.items()
        for parameter in each.params
    ]


def test_parameters_are_what_they_should_be():
    expected = EXPECTED.read_text(encoding="utf-8").splitlines()
    assert declared() == expected, "\n".join(declared())


@pytest.mark.parametrize("path", COMMANDS, ids=[" ".join(each) for each in COMMANDS])
def test_help_says_what_there_is(path):
    """Options, their variables and their defaults; and that the command itself has been read."""
    each = COMMANDS[path]
    said = tickerlake(*path, "--help")
    assert said.returncode == 0
    words = said.stdout.split()
    for parameter in each.params:
        if isinstance(parameter, click.Option):
            assert {*parameter.opts} <= {word.strip(",;") for word in words}
            assert {*parameter.help.split()} <= {*words}
            if parameter.envvar:
                assert parameter.envvar in said.stdout
    assert inspect.getdoc(each.callback).splitlines()[0] in said.stdout


MISSING = {
    ("query",): ["select 1"],
    ("views",): ["x.duckdb"],
    ("log",): ["AAPL"],
    ("diff",): ["AAPL", "--from", "2013-01-01"],
    ("show",): ["AAPL"],
    ("rename",): ["A", "B", "--on", "2013-02-01"],
    ("retire",): ["AAPL"],
    ("repair",): ["--offline"],
    ("report",): ["--out", "out"],
    ("report", ""): ["--out", "out.html", "--single-file"],
    ("catalog", "sync"): ["--catalog", "db"],
}
READ = {**MISSING, **{(name,): [] for name in ("status", "check", "verify", "compact")}}
READ[("transform",)] = []


@pytest.mark.parametrize("path", READ, ids=[" ".join(each) for each in READ])
def test_a_lake_that_is_not_there_is_not_made(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "is_terminal", lambda: True)
    done = tickerlake(*filter(None, path), *READ[path], "--lake", "nowhere")
    assert done.returncode != 0
    assert "nowhere" in done.stderr, done
    assert "Traceback" not in done.stderr
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["--log-level", "LOUD", "status"], "--log-level"),
        (["status", "--lake", ""], "--lake"),
        (["status", "--lake", "a\0b"], "--lake"),
        (["status", "--region", " "], "--region"),
        (["status", "--format", "csv"], "--format"),
        (["log", ""], "TICKER"),
        (["diff", "", "--from", "x"], "TICKER"),
        (["diff", "A"], "--from"),
        (["rename", "A", "B"], "--on"),
        (["rename", "A", "--on", "2013-02-01"], "NEW"),
        (["rename"], "OLD"),
        (["rename", "A", "B", "--on", "2013-02-30"], "--on"),
        (["extract", "--shard", "9/8"], "--shard"),
        (["extract", "--start", "1.2.2013"], "--start"),
        (["extract", "--tickers", " "], "--tickers"),
        (["extract", "--as-of", "1899-12-31"], "--as-of"),
        (["extract", "--as-of", "2200-01-01"], "--as-of"),
        (["extract", "--requests-per-second", "nan"], "--requests-per-second"),
        (["extract", "--requests-per-second", "inf"], "--requests-per-second"),
        (["extract", "--requests-per-second", "0"], "--requests-per-second"),
        (["extract", "--grain", "week"], "--grain"),
        (["transform", "--engine", "ray"], "--engine"),
        (["check", "--fail-on", "gaps,holes"], "--fail-on"),
        (["plan", "--tickers", "0", "--years", "1"], "--tickers"),
        (["plan", "--tickers", "1000001", "--years", "1"], "--tickers"),
        (["plan", "--tickers", "1", "--years", "101"], "--years"),
        (["plan", "--tickers", "1", "--years", "1", "--price", "glue=-1"], "--price"),
        (["watch"], "--queue"),
        (["catalog", "sync"], "--catalog"),
        (["replay", "--port", "65536"], "--port"),
        (["replay", "--latency", "3601"], "--latency"),
        (["views", "."], "FILE.duckdb"),
        (["doctor", "--format", "csv"], "--format"),
    ],
)
def test_what_cannot_be_is_refused_by_name(words, refused):
    done = tickerlake(*words)
    assert done.returncode == 2, done
    assert refused in done.stderr
    assert done.stdout == ""
