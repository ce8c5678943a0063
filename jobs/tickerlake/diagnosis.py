"""What `doctor` says: one line for each check."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple

Verdict = Literal["ok", "warning", "failed"]


class Finding(NamedTuple):
    """What a check saw, and what to do about it (nothing when all is well)."""

    verdict: Verdict
    saw: str
    advice: str = ""


class Diagnosis(NamedTuple):
    """A check's name and what it found."""

    name: str
    verdict: Verdict
    saw: str
    advice: str


class Check(NamedTuple):
    """A name, and a function that looks."""

    name: str
    look: Callable[[], Finding]


UNKNOWN: Final = "Nothing is wrong for certain; allow the call, or look yourself"


def ok(saw: str) -> Finding:
    """Return that all is well."""
    return Finding("ok", saw)


def warning(saw: str, advice: str) -> Finding:
    """Return that something needs attention, though it may work."""
    return Finding("warning", saw, advice)


def failed(saw: str, advice: str) -> Finding:
    """Return that something won't work."""
    return Finding("failed", saw, advice)


def diagnose(check: Check) -> Diagnosis:
    """Make a check. One that can't look is a warning: it knows of nothing that is wrong."""
    try:
        found = check.look()
    except Exception as error:  # noqa: BLE001 - one check must not end the others
        found = warning(f"could not look: {' '.join(str(error).split())}", UNKNOWN)
    return Diagnosis(check.name, *found)


def examine(checks: Iterable[Check]) -> Iterator[Diagnosis]:
    """Make checks, one after the other."""
    return map(diagnose, checks)
