"""Signals wake main's event loop."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ipyext_patches.ledger import Action, Change
from ipyext_patches.spec import Patch

WAKEUP = Patch(
    id="interrupt.wakeup",
    target="signal.set_wakeup_fd",
    what="A signal wakes main's event loop, wherever and whenever it arrives.",
    why=(
        "One that comes right before the loop goes to sleep, or in another thread, is noted down "
        "only: an interrupt of what main awaits would wait until something else wakes the loop."
    ),
    upstream="Modules/signalmodule.c trip_signal; Lib/asyncio/unix_events.py add_signal_handler",
)


class _Wakeup:
    """A pair of sockets: Python writes to one for each signal, main's loop reads the other."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._loop: Any = None
        self._sockets: tuple[socket.socket, ...] = ()

    def install(self) -> None:
        """Begin. Main thread."""
        if sys.platform == "win32":
            return  # asyncio's loop does so there
        self._sockets = reading, writing = socket.socketpair()
        for one in self._sockets:
            one.setblocking(False)
        former = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        if former != -1:  # somebody else's, who wants to know of each signal
            signal.set_wakeup_fd(former)
            self._close()
            return
        self._loop = self._kernel.io_loop.asyncio_loop
        self._loop.add_reader(reading.fileno(), self._drain)

    def remove(self) -> None:
        """End. Main thread."""
        if not self._sockets:
            return
        reading, writing = self._sockets
        found = signal.set_wakeup_fd(-1)
        if found not in (-1, writing.fileno()):
            signal.set_wakeup_fd(found)
        if not self._loop.is_closed():
            self._loop.remove_reader(reading.fileno())
        self._close()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while self._sockets[0].recv(4096):
                pass

    def _close(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets = ()


def change(
    kernel: Any,
    started: bool,
    at_start: Callable[[Callable[[], None]], None],
    on_main: Callable[[Callable[[], None]], None],
) -> Change:
    """The change; `at_start` takes what is to be done once a kernel has its loop."""
    wakeup = _Wakeup(kernel)

    def do() -> None:
        if started:
            on_main(wakeup.install)
        else:
            at_start(wakeup.install)

    return Action(WAKEUP, do, lambda: on_main(wakeup.remove))
