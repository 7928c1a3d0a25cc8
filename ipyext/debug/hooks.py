"""Where the boundary calls the debug router: `ipyext_patches.ports.DebugHooks`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ipyext.debug.router import DebugRouter
from ipyext.debug.server import DebugServer
from ipyext.debug.session import Session


class DebugEntries:
    """The entry points, each of which says in the port which thread calls it."""

    def __init__(self, router: DebugRouter, server: DebugServer, session: Session) -> None:
        self._router = router
        self._server = server
        self._session = session

    @property
    def on(self) -> bool:
        return self._router.on

    def suspended(self, thread: threading.Thread) -> AbstractContextManager[None]:
        return self._router.suspended(thread)

    def at_work(self, function: Callable[[], Any], evaluation: int | None = None) -> Any:
        return self._router.at_work(function, evaluation)

    def knows(self, session: str) -> bool:
        return self._router.knows(session)

    def compiling(self, code: str) -> None:
        if self._router.on:
            self._router.compiling(code)

    def uncaught(self, info: Any) -> None:
        if self._router.on:
            self._router.debugpy.uncaught(info)

    def break_here(self, frame: Any) -> None:
        self._router.debugpy.break_here(frame)

    def listen(self, host: str, port: int) -> tuple[str, int]:
        address = self._server.address
        if address is not None and port in (0, address[1]):
            return address
        opened: tuple[str, int] = self._session.await_in_router(
            lambda: self._server.open(host, port)
        )
        return opened

    def wait_for_client(self) -> None:
        self._session.until(self._somebody_debugs)

    def cancel_wait(self) -> None:
        self._session.cancel(self._somebody_debugs)

    def client_connected(self) -> bool:
        return self._router.used and self._session.in_router(self._somebody_debugs)

    def trace_this_thread(self) -> None:
        if self._router.on:
            self._router.debugpy.trace_this_thread()

    def _somebody_debugs(self) -> bool:
        return self._router.on and bool(self._router.core.attached)
