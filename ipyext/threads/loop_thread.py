"""A daemon thread that runs a tornado event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from tornado.ioloop import IOLoop

from ipyext_patches import LoopCalls


def new_io_loop() -> Any:
    """An IOLoop that no thread runs yet, on a selector: ZeroMQ needs `add_reader`."""
    if sys.platform == "win32":
        return IOLoop(make_current=False, asyncio_loop=asyncio.SelectorEventLoop())
    return IOLoop(make_current=False)


class LoopThread(LoopCalls):
    """Owns one event loop and everything that is registered with it.

    `start` returns when the loop runs, `finish` when the thread has ended. Debuggers leave it alone
    (`pydev_do_not_trace`): stopping it would stop the kernel's own answers.
    """

    def __init__(self, name: str) -> None:
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        super().__init__(new_io_loop(), thread)
        self._ready = threading.Event()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Start, and wait until the loop runs."""
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        self.io_loop.add_callback(self._ready.set)
        try:
            self.io_loop.start()
        finally:
            self.io_loop.close()
