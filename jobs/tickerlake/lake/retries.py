"""What to do when a store fails: retry the request for a few seconds, then say what is wrong."""

import errno
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, ParamSpec, TypeVar

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from tickerlake.errors import StoreError
from tickerlake.lake import objects
from tickerlake.lake.objects import TryAgainError

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS: Final = 6
PATIENCE: Final = 8.0
"""Seconds after which a failed request is no longer retried. S3's client also retries it within
these seconds; what it does not retry (a truncated listing, a 409) is retried here."""

_PATIENT: Final = 0.2
"""Seconds for which a signal may have to wait."""

_REASONS: Final = {
    errno.ENOSPC: "the disk is full, or has no inodes left; free some and run the command again",
    errno.EDQUOT: "your disk quota is used up; free some space and run the command again",
    errno.EROFS: "it is read-only",
    errno.EACCES: "you may not write or read there; check the owner and the permissions",
    errno.EPERM: "you may not write or read there; check the owner and the permissions",
    errno.ENOTDIR: "a file is where a folder should be; move it away",
    errno.EEXIST: "a file is where a folder should be; move it away",
}


def attempt(url: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a store; retry failures that may pass, and turn the others into a `StoreError`."""
    start = time.monotonic()
    number = 0
    while True:
        number += 1
        try:
            return call(*args, **kwargs)
        except (TryAgainError, BaseError, OSError) as error:
            hopeless = isinstance(error, (OSError, PermissionDeniedError, UnauthenticatedError))
            late = time.monotonic() - start > PATIENCE or number == ATTEMPTS
            if late or hopeless or _unreachable(error):
                raise StoreError(_sentence(url, error)) from error
        pause(number)


def interruptible(call: Callable[[], T]) -> T:
    """Call in another thread: a signal handler only runs while the main thread executes Python."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return next(arriving([answer])).result()


def arriving(futures: Sequence[Future[T]]) -> Iterator[Future[T]]:
    """Yield futures in the order in which they end, and let signal handlers run meanwhile.

    Polars installs a handler for Ctrl-C that lets the kernel resume a wait. So a wait without a
    timeout, such as that of `as_completed`, would only end with the next answer.
    """
    ended: SimpleQueue[Future[T]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    for _ in futures:
        while True:
            with suppress(Empty):
                future = ended.get(timeout=_PATIENT)
                break
        yield future


def pause(attempt: int) -> None:
    """Wait before another attempt: longer each time, at most about a second."""
    time.sleep(min(1.0, 0.02 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret


def _unreachable(error: BaseException) -> bool:
    text = str(error)
    return any(words in text for words in ("kind: Connect", "dns error", "error trying to connect"))


def _sentence(url: str, error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        place = error.filename2 or error.filename or url
        reason = _REASONS.get(error.errno, os.strerror(error.errno).lower())
        return f"the lake's store {url} failed: {place}: {reason}"
    if _unreachable(error):
        return f"the lake's store {url} failed: nothing listens at {objects.endpoint() or 'AWS'}"
    if "kind: Timeout" in str(error):
        return f"the lake's store {url} failed: {objects.endpoint() or 'AWS'} does not answer"
    reason = str(error).partition("\n\nDebug source")[0].strip()
    if isinstance(error, TryAgainError):
        reason = f"{reason}; it asked to try again {ATTEMPTS} times, so run the command again"
    return f"the lake's store {url} failed: {reason}"
