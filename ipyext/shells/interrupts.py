"""Who gets an interrupt, and how it gets there."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil

from ipyext.shells.child import ChildShell
from ipyext.shells.gates import MainGate
from ipyext.shells.shell import ParentShell, Shell


class Blocked(NamedTuple):
    """A child in a native call: an interrupt arrives when that call returns."""

    subshell_id: str
    name: str | None
    seconds: float  # since it was first interrupted


class Interrupts:
    """Interrupts main and children. Any thread may call anything but `on_sigint`.

    Args:
        parent: main.
        main_gate: where main's SIGINT may land.
        children: gives the children that run people's code, the one of the comms included.
        arriving: called on main before a KeyboardInterrupt is raised there.
        soon: calls a function soon, in a thread that runs no people's code.
        ours: whether `on_sigint` is what SIGINT gets to; people's code may handle it itself.
    """

    def __init__(
        self,
        parent: ParentShell,
        main_gate: MainGate,
        children: Callable[[], list[ChildShell]],
        arriving: Callable[[], None],
        soon: Callable[[Callable[[], Any]], None],
        ours: Callable[[], bool],
    ) -> None:
        self._parent = parent
        self._main_gate = main_gate
        self._children = children
        self._arriving = arriving
        self._soon = soon
        self._ours = ours
        self._again: Any = None  # the request of main that the SIGINT on its way is for
        self._for_main = False  # the SIGINT that is on its way was sent here, to main

    def stop_button(self) -> list[Blocked]:
        """What a person means who presses it: main if main is busy, else every busy child.

        Returns the children that an earlier interrupt has not reached yet.
        """
        if not self._parent.busy:
            busy = [child for child in self._children() if child.at_work]
            if busy:
                return [blocked for child in busy for blocked in self.child(child)]
        self.main()
        return []

    def main(self) -> None:
        """SIGINT to main and, as the stock kernel does, to the processes that it started."""
        pid = os.getpid()
        theirs = {p.pid for child in self._children() for p in child.processes}
        processes = _group(pid, theirs) if os.getpgid(pid) == pid else []
        self._for_main = self._ours()
        # First: code goes on as soon as its process has ended, which is no interrupt to it.
        os.kill(pid, signal.SIGINT)
        for process in processes:
            with contextlib.suppress(psutil.Error, OSError):
                process.send_signal(signal.SIGINT)

    def child(self, child: ChildShell) -> list[Blocked]:
        """Interrupt what one child runs. Returns it if an earlier one has not reached it yet."""
        seconds = child.gate.blocked
        child.interrupt()
        return [] if seconds is None else [Blocked(str(child.id), child.name, seconds)]

    def dropped(self, shell: Shell | None) -> bool:
        """Python dropped a KeyboardInterrupt in the calling thread, which is that of `shell`.

        True if it was an interrupt: it comes again, unless the code ends first. Not from this
        thread, where it would arrive, and be dropped, before whoever calls has returned.
        """
        if isinstance(shell, ChildShell):
            work = shell.gate.dropped()
            if work is not None:
                self._soon(functools.partial(shell.interrupt_again, work))
                return True
        elif shell is self._parent and self._main_gate.asked:
            self._soon(functools.partial(self._main_again, self._parent.current))
            return True
        return False

    def _main_again(self, request: Any) -> None:
        if request is not None and self._parent.current is request:
            self._again = request
            os.kill(os.getpid(), signal.SIGINT)

    def on_sigint(self) -> None:
        """SIGINT came. Main thread.

        One that was sent here is for main. Children may have begun their next cell since.

        Raises:
            KeyboardInterrupt: into the user code of main, which it interrupted.
        """
        for_main, self._for_main = self._for_main, False
        again, self._again = self._again, None
        if again is not None and self._parent.current is not again:
            return
        self._arriving()
        stop = self._parent.stopped_at
        if stop is not None:
            stop.interrupt()
        elif not self._main_gate.on_signal() and not for_main:
            for child in self._children():
                if child.at_work:
                    self.child(child)


def _group(leader: int, spared: set[int]) -> list[psutil.Process]:
    """The processes in the kernel's group, but for `spared` and what those started."""
    found: list[psutil.Process] = []
    pending = [psutil.Process(leader)]
    while pending:
        process = pending.pop()
        with contextlib.suppress(psutil.Error, OSError):
            for child in process.children():
                if child.pid not in spared and os.getpgid(child.pid) == leader:
                    pending.append(child)
                    found.append(child)
    return found
