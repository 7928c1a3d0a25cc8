"""Deletes idle children that no living client owns.

No polling: a child that is due is asked whether its cells have left something that goes on.

JupyterLab makes a subshell for each subshell console, and one for widgets, and does not delete
them when its page is loaded again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from ipyext.shells.child import ChildShell

HELD_UP = 1.0  # seconds; an idle child answers in far less


class Culler:
    """Knows which session made a child, when each was last heard of, and whose connection is lost.

    `heard`, `made` and `disconnected` may be called from the shell channel and the control thread.
    One timer at most is set, in the shell channel thread, for the first moment at which a child
    could be due.

    Args:
        children: all of them.
        delete: deletes one.
        in_loop, loop: the shell channel thread's.
        watch: has `disconnected` called from now on; used when a first child is made.

    Attributes:
        seconds: how long child and client must have been silent; 0 switches it off.
        orphan_seconds: how long a child without a name must have been idle since the connection
            of its client was lost; 0 switches it off.
    """

    def __init__(
        self,
        children: Callable[[], list[ChildShell]],
        delete: Callable[[ChildShell], None],
        in_loop: Callable[[Callable[[], Any]], None],
        loop: Callable[[], Any],
        watch: Callable[[Callable[[int], None]], None],
    ) -> None:
        self._children = children
        self._delete = delete
        self._in_loop = in_loop
        self._loop = loop
        self._watch = watch
        self._watching = False
        self._seconds = 0.0
        self._orphan_seconds = 0.0
        self._heard: dict[str, float] = {}
        self._owners: dict[str, str] = {}
        self._connections: dict[str, int] = {}
        self._lost: dict[str, float] = {}
        self._active: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._timer: Any = None

    @property
    def seconds(self) -> float:
        return self._seconds

    @seconds.setter
    def seconds(self, value: float) -> None:
        self._seconds = value
        if value:
            self._in_loop(self._look)

    @property
    def orphan_seconds(self) -> float:
        return self._orphan_seconds

    @orphan_seconds.setter
    def orphan_seconds(self, value: float) -> None:
        self._orphan_seconds = value
        if value:
            self._in_loop(self._look)

    def heard(self, session: Any) -> None:
        """A client of that session sent something."""
        if isinstance(session, str):
            self._lost.pop(session, None)
            if self._seconds:
                self._heard[session] = time.monotonic()

    def made(self, child: ChildShell, session: Any, fd: int = -1) -> None:
        """A client of that session created `child`; `fd` is its control connection, if known."""
        if not isinstance(session, str):
            return
        self._owners[str(child.id)] = session
        self._heard[session] = time.monotonic()
        if fd != -1:
            if self._connections.get(session) != fd:
                self.disconnected(fd)  # the descriptor was free again
                self._connections[session] = fd
            if not self._watching:
                self._watching = True
                self._watch(self.disconnected)
        if self._seconds:
            self._in_loop(self._look)

    def disconnected(self, fd: int) -> None:
        """That control connection is lost."""
        for session in [one for one, its in list(self._connections.items()) if its == fd]:
            del self._connections[session]
            if session in self._owners.values():
                self._lost[session] = time.monotonic()
                if self._orphan_seconds:
                    self._in_loop(self._look)

    def stop(self) -> None:
        """Set no timer any more, and take back the one that is set. Any thread."""
        self._seconds = self._orphan_seconds = 0.0
        if self._timer is not None:
            self._in_loop(self._look)

    def _due(self, child: ChildShell) -> float | None:
        """When `child` is deleted if nothing happens; None: never."""
        owner = self._owners.get(str(child.id))
        since = max(child.since, self._active.get(str(child.id), 0.0))
        due: list[float] = []
        if owner is not None and self._seconds:
            due.append(max(self._heard.get(owner, 0.0), since) + self._seconds)
        lost = None if owner is None or child.name is not None else self._lost.get(owner)
        if lost is not None and self._orphan_seconds:
            due.append(max(lost, since) + self._orphan_seconds)
        return min(due, default=None)

    def _look(self) -> None:
        """Ask who is due and set the timer for what comes next. Shell channel thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        waits: list[float] = []
        for child in self._children():
            due = self._due(child)
            if due is None:
                continue
            if child.busy:
                waits.append(min(filter(None, (self._seconds, self._orphan_seconds))))
            elif child.queued or due > now:
                waits.append(max(due - now, 0.05))
            elif str(child.id) not in self._asked:
                self._asked[str(child.id)] = now
                child.ask_idle(functools.partial(self._answer, child))
        if waits:
            self._timer = self._loop().call_later(min(waits), self._look)

    def _answer(self, child: ChildShell, idle: bool) -> None:
        """What a child that is due says. Its thread."""
        self._in_loop(lambda: self._conclude(child, idle))

    def _conclude(self, child: ChildShell, idle: bool) -> None:
        """Delete it if nothing has come up since it was asked. Shell channel thread."""
        child_id, now = str(child.id), time.monotonic()
        due, held_up = self._due(child), now - self._asked.pop(child_id) > HELD_UP
        if held_up or not idle:
            self._active[child_id] = now
        elif due is not None and due <= now and not (child.busy or child.queued):
            del self._owners[child_id]
            self._active.pop(child_id, None)
            self._delete(child)
        self._look()
