"""On whose behalf the calling code runs."""

from __future__ import annotations

import threading
import weakref
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipyext.shells.request import Request

# Copied into asyncio tasks by asyncio and into threads by `Contexts.inherit`. Unset means plain
# main: the stock kernel keeps track of its request itself.
_request: ContextVar[Request | None] = ContextVar("ipyext_request", default=None)


class Contexts:
    """Finds the request of the calling code, in tasks and in threads started by a cell."""

    def __init__(self) -> None:
        self._started: weakref.WeakKeyDictionary[threading.Thread, Request] = (
            weakref.WeakKeyDictionary()
        )

    def current(self) -> Request | None:
        """The request of the calling code; None on main and in its threads. Any thread."""
        request = _request.get()
        if request is None and self._started:
            return self._started.get(threading.current_thread())
        return request

    def inherit(self, thread: threading.Thread) -> None:
        """What `thread` does will belong to the caller's request. Before `thread` starts."""
        request = self.current()
        if request is not None:
            self.attribute(thread, request)

    def attribute(self, thread: threading.Thread, request: Request) -> None:
        """What `thread` does outside of any request belongs to `request` from now on."""
        self._started[thread] = request

    def forget(self, thread: threading.Thread) -> None:
        """`thread` is about to end. It must not be kept by a request that knows its shell."""
        self._started.pop(thread, None)

    def threads(self) -> list[threading.Thread]:
        """The threads that such requests have started and that live. Any thread."""
        return [thread for thread in list(self._started) if thread.is_alive()]

    def enter(self, request: Request | None) -> Token[Request | None]:
        """From here on this task works for `request`."""
        return _request.set(request)

    def leave(self, token: Token[Request | None]) -> None:
        """Undo `enter`, in the same task."""
        _request.reset(token)
