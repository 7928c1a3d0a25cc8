"""Who gets an interrupt, and how it gets there."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

from ipyext.shells.child import ChildShell
from ipyext.shells.interrupt import MainGate
from ipyext.shells.registry import Registry
from ipyext.shells.shell import ParentShell


class Interrupts:
    """Interrupts main and children. Any thread may call anything but `on_sigint`."""

    def __init__(self, parent: ParentShell, registry: Registry, main_gate: MainGate) -> None:
        self._parent = parent
        self._registry = registry
        self._main_gate = main_gate

    def stop_button(self) -> None:
        """What a person means who presses it: main if main is busy, else every busy child."""
        if self._parent.busy or not self.children():
            self.main()

    def main(self) -> None:
        """SIGINT to main and, as the stock kernel does, to the processes that it started."""
        pid = os.getpid()
        if os.getpgid(pid) == pid:
            theirs = {p.pid for child in self._registry.all() for p in child.processes}
            _signal_group(pid, theirs)
        os.kill(pid, signal.SIGINT)

    def children(self) -> int:
        """Interrupt every busy child; how many there were."""
        busy = [child for child in self._registry.all() if child.busy]
        for child in busy:
            self.child(child)
        return len(busy)

    def child(self, child: ChildShell) -> None:
        """Interrupt what one child runs."""
        child.interrupt()

    def on_sigint(self) -> None:
        """SIGINT came. Main thread.

        Raises:
            KeyboardInterrupt: into the user code of main, which it interrupted.
        """
        if not self._main_gate.on_signal():
            self.children()


def _signal_group(leader: int, spared: set[int]) -> None:
    """SIGINT to the processes in the kernel's group, but for `spared` and what those started."""
    pending = [psutil.Process(leader)]
    while pending:
        process = pending.pop()
        with contextlib.suppress(psutil.Error, OSError):
            for child in process.children():
                if child.pid not in spared and os.getpgid(child.pid) == leader:
                    pending.append(child)
                    child.send_signal(signal.SIGINT)
