"""A shell that the debugger has stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ipyext.shells.gates import Gate, close_gate
from ipyext.shells.waiting import Pause


class DebugStop(Pause):
    """What an interrupt of a stopped shell ends: the stop, and then its code.

    Args:
        thread: which has stopped.
        resume: has the debugger let it go on. Safe in a signal handler.
        later: has `again` called in a while. Safe in a signal handler.
    """

    what = "stopped by the debugger"

    def __init__(
        self,
        thread: threading.Thread,
        resume: Callable[[threading.Thread], None],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        super().__init__()
        self.thread = thread
        self.interrupted = False
        self._resume = resume
        self._later = later
        self._gate = Gate()  # open while the thread works on something for a client

    def work(self, function: Callable[[], Any]) -> Any:
        """Run what a client asked for. The thread that has stopped.

        Raises:
            KeyboardInterrupt: the shell was interrupted, before this or meanwhile.
        """
        try:
            self._gate.open()
            if self.interrupted:  # nothing more is begun
                raise KeyboardInterrupt
            return function()
        finally:
            self._gate.closing = True
            close_gate(self._gate)

    def interrupt(self) -> None:
        """Let it go on, into a KeyboardInterrupt. Any thread, and main's signal handler.

        Raises:
            KeyboardInterrupt: on main, which evaluates something at the moment.
        """
        self.interrupted = True
        self._resume(self.thread)
        if not self._gate.is_open:
            return
        self._later(self.again)
        if self.thread is threading.current_thread():
            if not self._gate.closing:
                raise KeyboardInterrupt
        elif self.thread is not threading.main_thread():  # which gets a signal
            self._gate.interrupt()

    def again(self) -> None:
        """Interrupt what it still works on: reprs that loop, one after the other. Any thread.

        debugpy takes the exception of a repr for its text, and goes on with the next.
        """
        if self._gate.is_open:
            self._gate.interrupt()
            self._later(self.again)
