"""Sees to it that the process ends, whatever threads the children's cells have started."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

log = logging.getLogger("ipyext.exit")

PATIENCE = 1.0  # seconds for all of them together


class ExitGuard:
    """Python waits for every thread that is not a daemon before it ends the process.

    Threads that main started are waited for, as ever. Those that a child's cell started get
    `PATIENCE` once main has ended; then the process ends without them.

    Args:
        threads: gives the threads that children's cells started.
    """

    def __init__(self, threads: Callable[[], list[threading.Thread]]) -> None:
        self._threads = threads
        self._main_ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether the process is about to end. Any thread."""
        return self._thread is not None

    def start(self) -> None:
        """The process is about to end. Any thread, any number of times."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ipyext-exit", daemon=True)
            self._thread.start()

    def main_ended(self) -> None:
        """Main runs no more code and Python now waits for the other threads."""
        self._main_ended.set()

    def _run(self) -> None:
        self._main_ended.wait()
        end = time.monotonic() + PATIENCE
        for thread in self._threads():
            if not thread.daemon:
                thread.join(max(0.0, end - time.monotonic()))
        if any(thread.is_alive() and not thread.daemon for thread in self._threads()):
            log.warning("Ending the process without threads that subshells have started")
            os._exit(0)
