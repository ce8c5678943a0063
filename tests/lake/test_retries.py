"""When a request to a store is repeated, and what is said when it is not."""

import errno
from collections.abc import Callable

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

from tickerlake.errors import StoreError
from tickerlake.lake import retries
from tickerlake.lake.objects import TryAgainError
from tickerlake.lake.retries import ATTEMPTS, attempt


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """How long was waited for; nothing is."""
    found: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", found.append)
    return found


def failing(error: Exception, times: int) -> Callable[[], str]:
    left = [error] * times

    def call() -> str:
        call.calls += 1
        if left:
            raise left.pop()
        return "done"

    call.calls = 0
    return call


PASSES = [GenericError("HTTP 503"), TryAgainError("409")]
REFUSED = [
    PermissionDeniedError("no"),
    UnauthenticatedError("who?"),
    OSError(errno.ENOSPC, "full", "/a/file"),
    OSError(errno.EACCES, "no", "/a/file"),
]


@pytest.mark.parametrize("error", PASSES, ids=repr)
@pytest.mark.parametrize("times", [0, 1, ATTEMPTS - 1])
def test_a_failure_that_passes_is_not_seen(pauses, error, times):
    call = failing(error, times)
    assert attempt("url", call) == "done"
    assert call.calls == times + 1
    assert len(pauses) == times


@pytest.mark.parametrize("error", PASSES, ids=repr)
def test_a_failure_that_stays_is_told_after_six_attempts(pauses, error):
    call = failing(error, 20)
    with pytest.raises(StoreError, match="the lake's store url failed"):
        attempt("url", call)
    assert call.calls == 6
    assert len(pauses) == 5


@pytest.mark.parametrize("error", REFUSED, ids=repr)
def test_what_is_refused_is_not_asked_again(pauses, error):
    call = failing(error, 20)
    with pytest.raises(StoreError):
        attempt("url", call)
    assert call.calls == 1
    assert pauses == []


def test_after_eight_seconds_nothing_is_repeated(pauses, monkeypatch):
    clock = iter([0.0, 8.1])
    monkeypatch.setattr(retries.time, "monotonic", lambda: next(clock))
    call = failing(PASSES[0], 20)
    with pytest.raises(StoreError):
        attempt("url", call)
    assert call.calls == 1
    assert pauses == []


def test_pauses_grow_to_a_second(pauses):
    for number in range(1, 12):
        retries.pause(number)
    assert all(0.5 * min(1.0, 0.02 * 2**n) <= each <= min(1.0, 0.02 * 2**n)
               for n, each in enumerate(pauses, start=1))  # fmt: skip


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "full", "/a/file"), "url failed: /a/file: the disk is full"),
        (OSError(errno.EROFS, "no", "/a/file"), "url failed: /a/file: it is read-only"),
        (OSError(errno.EXDEV, "no", "/a", None, "/b"), "url failed: /b: "),
        (GenericError("oops\n\nDebug source: x"), "url failed: oops"),
        (GenericError("dns error"), "nothing listens at AWS"),
        (GenericError("kind: Timeout"), "AWS does not answer"),
        (TryAgainError("busy"), "busy; it asked to try again 6 times"),
    ],
    ids=repr,
)
def test_a_sentence_names_the_place_and_the_reason(monkeypatch, error, words):
    monkeypatch.setattr(retries.time, "sleep", lambda _: None)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StoreError) as told:
        attempt("url", failing(error, 20))
    assert words in str(told.value)
    assert "Debug source" not in str(told.value)
