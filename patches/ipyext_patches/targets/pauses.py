"""Stops threads wherever they are: in any loop, and also when they are just leaving a stop."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ipyext_patches.frames import no_collection
from ipyext_patches.targets.instructions import stop_at_next
from ipyext_patches.targets.tracing import expect_stop
from ipyext_patches.targets.visible import internal_paths, runs_a_cell


class Pauses:
    """What threads have been told to stop for, until they stop. Any thread, unless said otherwise.

    Args:
        debugger: gives pydevd's, None while there is none.
    """

    def __init__(self, debugger: Callable[[], Any]) -> None:
        self._debugger = debugger
        self._armed: dict[threading.Thread, Any] = {}
        # Threads in a stop. A dict, since taking a key out of one is no call; see `stop`.
        self._inside: dict[threading.Thread, None] = {}
        self._again: set[threading.Thread] = set()
        self._wanted: set[threading.Thread] = set()

    @no_collection()
    def pause(self, thread: threading.Thread) -> None:
        """Have a thread stop in the code that people see, as soon as it is there.

        debugpy's own pause also stops in the kernel's code, and never in a loop without lines.
        """
        from _pydevd_bundle.pydevd_constants import STATE_RUN

        debugger, top = self._debugger(), sys._current_frames().get(thread.ident or 0)
        if debugger is None or top is None:
            return
        self._disarm(thread)
        self._wanted.add(thread)
        info = debugger.set_additional_thread_info(thread)
        if thread in self._inside:
            if info.pydev_state == STATE_RUN:  # else it is about to stop, which is as good
                self._again.add(thread)
            return
        self._step(thread, top)
        hidden = tuple(internal_paths())
        frame: FrameType | None = top
        while frame is not None and os.path.realpath(frame.f_code.co_filename).startswith(hidden):
            frame = frame.f_back
        if frame is not None:
            self._armed[thread] = stop_at_next(thread, frame, self._stop_here)
            if info.pydev_state != STATE_RUN:  # it has stopped meanwhile; once is enough
                self._disarm(thread)

    def _step(self, thread: threading.Thread, frame: FrameType) -> None:
        """Have a thread stop at the next line that it begins; it is in that frame."""
        from _pydevd_bundle.pydevd_comm_constants import CMD_STEP_INTO
        from _pydevd_bundle.pydevd_constants import PYTHON_SUSPEND, STATE_RUN

        debugger = self._debugger()
        info = debugger.set_additional_thread_info(thread)
        info.suspend_type = PYTHON_SUSPEND
        info.pydev_original_step_cmd = -1
        info.pydev_step_stop = None
        info.pydev_step_cmd = CMD_STEP_INTO
        info.pydev_state = STATE_RUN
        info.update_stepping_info()
        expect_stop(debugger, thread, frame)

    def _stop_here(self, thread: threading.Thread, frame: FrameType) -> None:
        debugger = self._debugger()
        if debugger is not None and thread in self._wanted:
            self._suspend(thread)
            debugger.do_wait_suspend(thread, frame, "line", None)

    def _suspend(self, thread: threading.Thread) -> None:
        from _pydevd_bundle.pydevd_comm_constants import CMD_THREAD_SUSPEND

        self._debugger().set_suspend(thread, CMD_THREAD_SUSPEND)

    def _disarm(self, thread: threading.Thread) -> None:
        armed = self._armed.pop(thread, None)
        if armed is not None:
            armed.end()

    def forget(self, thread: threading.Thread) -> None:
        """What a thread has been told is over: its code has ended."""
        self._disarm(thread)
        self._wanted.discard(thread)

    def interrupted(self, thread: threading.Thread) -> None:
        """Its code is interrupted instead. Takes no lock."""
        self._wanted.discard(thread)

    def end(self) -> None:
        """The debugger is off: no thread stops for what it has been told."""
        for thread in list(self._armed):
            self._disarm(thread)
        self._wanted.clear()
        self._again.clear()

    def stop(self, thread: threading.Thread, frame: FrameType, stop: Callable[[], bool]) -> None:
        """Call `stop`, which lasts until the calling thread goes on; again, if paused meanwhile.

        A stop is over for clients before its thread has left the debugger's code. What `pause`
        arms in that moment, Python lets go of when it returns from there.

        Args:
            thread: the calling one.
            frame: where it stops.
            stop: gives false if the thread must not stop there after all.
        """
        if thread in self._inside:  # it stops once more within its stop
            stop()
            return
        try:
            self._inside[thread] = None
            while True:
                self._disarm(thread)
                self._again.discard(thread)
                if stop():
                    self._wanted.discard(thread)
                else:
                    self._again.discard(thread)
                    if thread in self._wanted and runs_a_cell(frame):
                        self._step(thread, frame)  # the cell's own code is still to come
                # Python hands over to other threads when something is called. Nothing is, from
                # here on: `pause` sees either that this thread is inside, or that it has left.
                if thread not in self._again:
                    del self._inside[thread]
                    return
                self._suspend(thread)
        except BaseException:
            self._inside.pop(thread, None)
            raise
