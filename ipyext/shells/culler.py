"""Deletes idle children that no living client owns. Off by default; no polling."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ipyext.shells.child import ChildShell


class Culler:
    """Knows which session made a child and when each session was last heard of.

    `heard` and `made` may be called from the shell channel and the control thread. One timer at
    most is set, in the shell channel thread, for the first moment at which a child could be due.

    Attributes:
        seconds: how long child and client must have been silent; 0 switches it off.
    """

    def __init__(
        self,
        children: Callable[[], list[ChildShell]],
        delete: Callable[[ChildShell], None],
        in_loop: Callable[[Callable[[], Any]], None],
        loop: Callable[[], Any],
    ) -> None:
        self._children = children
        self._delete = delete
        self._in_loop = in_loop
        self._loop = loop
        self._seconds = 0.0
        self._heard: dict[str, float] = {}
        self._owners: dict[str, str] = {}
        self._timer: Any = None

    @property
    def seconds(self) -> float:
        return self._seconds

    @seconds.setter
    def seconds(self, value: float) -> None:
        self._seconds = value
        if value:
            self._in_loop(self._look)

    def heard(self, session: Any) -> None:
        """A client of that session sent something."""
        if self._seconds and isinstance(session, str):
            self._heard[session] = time.monotonic()

    def made(self, child: ChildShell, session: Any) -> None:
        """A client of that session created `child`."""
        if isinstance(session, str):
            self._owners[str(child.id)] = session
            self._heard[session] = time.monotonic()
            if self._seconds:
                self._in_loop(self._look)

    def stop(self) -> None:
        """Set no timer any more, and take back the one that is set. Any thread."""
        self._seconds = 0.0
        if self._timer is not None:
            self._in_loop(self._look)

    def _look(self) -> None:
        """Delete what is due and set the timer for what comes next. Shell channel thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._seconds:
            return
        now = time.monotonic()
        waits: list[float] = []
        for child in self._children():
            owner = self._owners.get(str(child.id))
            if owner is None:
                continue
            quiet_since = max(self._heard.get(owner, 0.0), child.since)
            left = quiet_since + self._seconds - now
            if child.busy or child.queued or left > 0:
                waits.append(self._seconds if child.busy else max(left, 0.05))
            else:
                del self._owners[str(child.id)]
                self._delete(child)
        if waits:
            self._timer = self._loop().call_later(min(waits), self._look)
