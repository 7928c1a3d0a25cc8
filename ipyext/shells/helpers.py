"""Shells of our own, which nobody lists: for requests that only look, and for comms."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ipyext.shells.child import ChildShell


class Helpers:
    """The helpers, made on first use. Any thread may call any method.

    Args:
        new: makes a child from an id, a name, and whether it is ephemeral.
    """

    def __init__(self, new: Callable[[str, str | None, bool], ChildShell]) -> None:
        self._new = new
        self._lock = threading.Lock()
        self._shells: dict[str, ChildShell] = {}

    def need(self, name: str) -> ChildShell:
        """The helper ``"service"`` or ``"comms"``, which runs afterwards."""
        with self._lock:
            shell = self._shells.get(name)
            if shell is None or shell.closed:
                shell = self._new(f"ipyext-{name}", f"ipyext-{name}", False)
                self._shells[name] = shell
                if name == "service":  # it runs nobody's code, and must answer what is stopped
                    shell.thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
                    shell.thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
                shell.start()
            return shell

    def get(self, name: str) -> ChildShell | None:
        """The same if it was ever needed, else None."""
        return self._shells.get(name)

    def all(self) -> list[ChildShell]:
        """Those that there are."""
        with self._lock:
            return list(self._shells.values())

    def give_up(self) -> list[ChildShell]:
        """Forget them; the caller ends them."""
        with self._lock:
            shells, self._shells = list(self._shells.values()), {}
        return shells
