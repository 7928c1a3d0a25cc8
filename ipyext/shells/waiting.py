"""Blocking calls that an interrupt can end."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


class Pause:
    """A wait of user code that an interrupt ends.

    An asynchronous exception does not break a blocking call, so whoever interrupts a shell ends
    its pauses as well.

    Attributes:
        what: what the shell does meanwhile, for people.
        of_cell: whether a cell of the shell waits, and not a thread that one has started.
    """

    what = "sleeping"
    of_cell = True

    def __init__(self) -> None:
        self._event = threading.Event()
        self._interrupted = False

    def end(self) -> None:
        """End the wait. Any thread."""
        self._event.set()

    def again(self) -> None:
        """Forget that it was ended: it can be waited for once more."""
        self._event.clear()

    def interrupt(self) -> None:
        """End the wait with KeyboardInterrupt. Any thread."""
        self._interrupted = True
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for `end`, at most `seconds`; False if it did not come.

        Raises:
            KeyboardInterrupt: `interrupt` was called, or SIGINT came on main.
        """
        ended = self._event.wait(seconds)
        if self._interrupted:
            raise KeyboardInterrupt("Interrupted by user")
        return ended


class Waits:
    """Which thread waits for which, for as long as that takes. Any thread may call any method."""

    def __init__(self) -> None:
        self._on: dict[threading.Thread, tuple[threading.Thread | None, Callable[[], bool]]] = {}

    @contextmanager
    def on(
        self, thread: threading.Thread | None, holds: Callable[[], bool] = lambda: True
    ) -> Iterator[None]:
        """The calling thread waits for `thread` within, or for none; but only while `holds()`."""
        here = threading.current_thread()
        former = self._on.get(here)
        self._on[here] = thread, holds
        try:
            yield
        finally:
            if former is None:
                del self._on[here]
            else:
                self._on[here] = former

    def leads_here(self, thread: threading.Thread) -> bool:
        """Whether `thread` waits for the calling one, perhaps by way of others, or is that one."""
        here = threading.current_thread()
        seen: set[threading.Thread] = set()
        waiting: threading.Thread | None = thread
        while waiting is not None and waiting not in seen:
            if waiting is here:
                return True
            seen.add(waiting)
            its, holds = self._on.get(waiting, (None, bool))
            waiting = its if holds() else None
        return False


def wait_for(
    future: concurrent.futures.Future[Any],
    pause: Pause,
    held: Callable[[Pause], AbstractContextManager[None]],
    timeout: float | None = None,
) -> bool:
    """Wait until `future` is done, at most `timeout` seconds; False if it is not.

    Args:
        future: what is waited for.
        pause: what an interrupt ends.
        held: `Shell.pause` of the shell whose code waits.
        timeout: seconds; None for as long as it takes.

    Raises:
        KeyboardInterrupt: that shell was interrupted.
    """
    future.add_done_callback(lambda _: pause.end())
    with held(pause):
        return pause.wait(timeout)
