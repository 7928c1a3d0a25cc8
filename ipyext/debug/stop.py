"""A shell that the debugger has stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ipyext.shells.waiting import Pause


class DebugStop(Pause):
    """What an interrupt of a stopped shell ends: the stop, and then its code.

    Args:
        thread: which has stopped.
        resume: has the debugger let it go on. Safe in a signal handler.
    """

    what = "stopped by the debugger"

    def __init__(
        self, thread: threading.Thread, resume: Callable[[threading.Thread], None]
    ) -> None:
        super().__init__()
        self.thread = thread
        self.interrupted = False
        self._resume = resume

    def interrupt(self) -> None:
        """Let it go on, into a KeyboardInterrupt. Any thread, and signal handlers."""
        self.interrupted = True
        self._resume(self.thread)
