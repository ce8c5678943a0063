"""A budget of requests that all threads share."""

import threading
import time
from collections.abc import Callable


class Pacer:
    """Lets one request start every 1/rate seconds, the first one immediately.

    Time in which nothing is requested is not saved up.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with a full budget.

        Args:
            rate: requests per second, over all threads.
            clock: returns seconds, counted from any moment.
            sleep: waits for a number of seconds.
        """
        self._interval = 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._resume = self._next

    def wait(self) -> None:
        """Wait for this thread's turn."""
        slot = self._take()
        while True:
            self._sleep(max(slot - self._clock(), 0.0))
            if slot >= self._resume:
                return
            # a pause began while this thread waited: queue up again behind it
            slot = self._take()

    def pause(self, seconds: float) -> None:
        """Let no thread start a request for this long."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)

    def _take(self) -> float:
        with self._lock:
            slot = max(self._next, self._resume, self._clock())
            self._next = slot + self._interval
            return slot
