"""Where the boundary calls the debug router: `ipyext_patches.ports.DebugHooks`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ipyext.debug.debugging import Debugging


class DebugEntries:
    """The entry points, each of which says in the port which thread calls it."""

    def __init__(self, debugging: Debugging) -> None:
        self._debugging = debugging

    @property
    def on(self) -> bool:
        return self._debugging.on

    def suspended(self, thread: threading.Thread) -> AbstractContextManager[None]:
        return self._debugging.router.suspended(thread)

    def at_work(self, function: Callable[[], Any], evaluation: int | None = None) -> Any:
        return self._debugging.router.at_work(function, evaluation)

    def knows(self, session: str) -> bool:
        return self._debugging.knows(session)

    def compiling(self, code: str) -> None:
        if self.on:
            self._debugging.router.compiling(code)

    def uncaught(self, info: Any) -> None:
        if self.on:
            self._debugging.router.debugpy.uncaught(info)

    def break_here(self, frame: Any) -> None:
        self._debugging.router.debugpy.break_here(frame)

    def listen(self, host: str, port: int) -> tuple[str, int]:
        _, server, session, _ = self._debugging.parts
        address = server.address
        if address is not None and port in (0, address[1]):
            return address
        opened: tuple[str, int] = session.await_in_router(lambda: server.open(host, port))
        return opened

    def wait_for_client(self) -> None:
        self._debugging.parts.session.until(self._somebody_debugs)

    def cancel_wait(self) -> None:
        if self._debugging.used:
            self._debugging.parts.session.cancel(self._somebody_debugs)

    def client_connected(self) -> bool:
        return self._debugging.used and self._debugging.in_router(self._somebody_debugs)

    def trace_this_thread(self) -> None:
        if self.on:
            self._debugging.router.debugpy.trace_this_thread()

    def _somebody_debugs(self) -> bool:
        return self.on and bool(self._debugging.router.core.attached)
