"""A shell that the debugger has stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ipyext.shells.interrupt import raise_in
from ipyext.shells.waiting import Pause


class DebugStop(Pause):
    """What an interrupt of a stopped shell ends: the stop, and then its code.

    Args:
        thread: which has stopped.
        resume: has the debugger let it go on. Safe in a signal handler.
        evaluates: whether a thread that is stopped works on something for a client.
    """

    what = "stopped by the debugger"

    def __init__(
        self,
        thread: threading.Thread,
        resume: Callable[[threading.Thread], None],
        evaluates: Callable[[threading.Thread], bool],
    ) -> None:
        super().__init__()
        self.thread = thread
        self.interrupted = False
        self._resume = resume
        self._evaluates = evaluates

    def interrupt(self) -> None:
        """Let it go on, into a KeyboardInterrupt. Any thread, and main's signal handler.

        Raises:
            KeyboardInterrupt: on main, which evaluates something at the moment.
        """
        self.interrupted = True
        self._resume(self.thread)
        if not self._evaluates(self.thread):
            return
        if self.thread is threading.current_thread():
            raise KeyboardInterrupt
        if self.thread is not threading.main_thread():  # which gets a signal
            raise_in(self.thread, KeyboardInterrupt)
