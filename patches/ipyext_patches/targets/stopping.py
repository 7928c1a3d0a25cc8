"""How threads stop for the debugger, and what an interrupt that comes just then does to it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ipyext_patches.frames import no_collection
from ipyext_patches.ledger import Change, Switch, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets import instructions, pauses, tracing
from ipyext_patches.targets.awaits import (
    forget_kept_step,
    into_tasks,
    keep_step,
    only_fails,
    steps_on,
)
from ipyext_patches.targets.one_line import (
    begin_line,
    breakpoint_at,
    loops_on_one_line,
    steps_through,
)
from ipyext_patches.targets.pydevd_state import forget_step, is_step, thread_name
from ipyext_patches.targets.together import Together
from ipyext_patches.targets.tracing import MONITORED, stay_traced
from ipyext_patches.targets.unanswered import fail_queued
from ipyext_patches.targets.visible import in_a_cell, used_by_the_kernel

SUSPEND = Patch(
    id="debugger.suspend",
    target="pydevd.PyDB.do_wait_suspend",
    what="An interrupt of a shell that the debugger has stopped goes to the shell's own code.",
    why="Raised in the debugger's own code it is lost (Python 3.12 and later), or lands anywhere.",
    upstream="pydevd.py PyDB.do_wait_suspend",
    shape=function("thread", "frame", "event", "arg"),
)

DECIDE = Patch(
    id="debugger.decide",
    target="pydevd.PyDB.set_suspend",
    what="A thread that is interrupted on its way to a stop does not stop any more.",
    why="It would do so in whatever code comes next.",
    upstream="pydevd.py PyDB.set_suspend",
    shape=function("thread", "stop_reason"),
)
SAY = Patch(
    id="debugger.say",
    target="_pydevd_bundle.pydevd_comm.WriterThread.add_command, pydevd.PyDB.notify_thread_created",
    what="What the debugger has to say is not interrupted by an interrupt of the code it looks at.",
    why="Messages and new threads are lost, and the locks that this takes may stay taken.",
    upstream="pydevd_comm.py WriterThread; pydevd.py PyDB.notify_thread_created",
)


# The files whose functions Python or debugpy call in place of debugpy's own.
_CALLED = frozenset({__file__, instructions.__file__, pauses.__file__, tracing.__file__})


class Stopping:
    """Which threads stop, and where. Any thread, unless a method says otherwise.

    Args:
        hooks: the engine; `suspended` is called in threads that stop.
        debugger: gives pydevd's, None while there is none.
        visible: gives the threads that a person may see, with their ids.
    """

    def __init__(
        self,
        hooks: Hooks,
        debugger: Callable[[], Any],
        visible: Callable[[], list[tuple[int, threading.Thread]]],
    ) -> None:
        self._hooks = hooks
        self._debugger = debugger
        self._visible = visible
        self._pauses = pauses.Pauses(debugger)
        self._together = Together(debugger)
        self._one_line = loops_on_one_line(self._next_round)

    def changes(self, switch: Switch) -> list[Change]:
        """See `SUSPEND`, `DECIDE`, `SAY` and `together.TOGETHER`."""
        import pydevd
        from _pydevd_bundle.pydevd_comm import WriterThread

        return [
            Wrap(SUSPEND, pydevd.PyDB, "do_wait_suspend", self._suspend, switch),
            Wrap(DECIDE, pydevd.PyDB, "set_suspend", self._decide, switch),
            Wrap(SAY, WriterThread, "add_command", self._whole, switch),
            Wrap(SAY, pydevd.PyDB, "notify_thread_created", self._whole, switch),
            *self._together.changes(switch),
        ]

    def end(self) -> None:
        """The debugger is off: nothing is to stop."""
        self._pauses.end()
        self._together.end()
        if self._one_line is not None:
            self._one_line.end()

    def pause(self, thread: threading.Thread) -> None:
        """Have a thread stop in the code that people see, in any loop, as soon as it is there."""
        self._pauses.pause(thread)

    def _suspend(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        thread, frame, event = args[:3]

        def stop() -> bool:
            with self._hooks.uninterrupted():
                # The kernel's own work, before a cell or after it, or what a breakpoint in the
                # library is hit by: stopped there, the kernel says nothing any more.
                if self._together.with_others(thread) and not in_a_cell(frame):
                    return False  # it stops when it comes to people's code
                steps = event == "exception" or is_step(thread)
                if is_step(thread) and (
                    only_fails(instance, frame) or steps_on(instance, frame, event)
                ):
                    return False
                if used_by_the_kernel(frame) or (steps and not in_a_cell(frame)):
                    self._together.forget(thread)
                    self.resume(thread)
                    return False
                with self._hooks.debugger.suspended(threading.current_thread()):
                    wrapped(*args, **kwargs)
                    fail_queued(instance, thread_name(thread))
                    into_tasks(instance)
                    keep_step(instance)
                    self._see_rounds(frame, steps_through(instance, frame))
                    return True

        try:
            self._pauses.stop(thread, frame, stop)
        except BaseException:
            self._prevented(thread)
            raise

    @no_collection()
    def breakpoints_set(self) -> None:
        """Breakpoints have changed: see them also in code that runs."""
        running = sys._current_frames()
        for _, thread in self._visible():
            frame = running.get(thread.ident or 0)
            while frame is not None:
                self._see_rounds(frame)
                frame = frame.f_back

    def _see_rounds(self, frame: FrameType, wanted: bool = False) -> None:
        debugger, loops = self._debugger(), self._one_line
        if debugger is None or loops is None:
            return
        if wanted or breakpoint_at(debugger, frame):
            loops.watch(frame)

    def _next_round(self, frame: FrameType) -> bool:
        debugger = self._debugger()
        return debugger is not None and begin_line(debugger, frame)

    def _decide(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            with self._hooks.uninterrupted():  # it holds locks meanwhile
                if not kwargs.get("is_pause"):  # it may be in native code, and never stop
                    self._together.stops(instance, args[0])
                return wrapped(*args, **kwargs)
        except BaseException:
            self._prevented(args[0])
            raise

    def _whole(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            with self._hooks.uninterrupted():
                return wrapped(*args, **kwargs)
        except BaseException:
            self.exception_comes()
            raise

    def _prevented(self, thread: threading.Thread) -> None:
        """An interrupt prevents a stop: it does not come later, and the thread stays traced."""
        with self._hooks.uninterrupted():
            self._together.forget(thread)
            self.resume(thread)
        self.exception_comes()

    def resume(self, thread: threading.Thread) -> None:
        """Let a stopped thread go on, at once; no other that has stopped by itself does."""
        from _pydevd_bundle.pydevd_constants import get_thread_id
        from _pydevd_bundle.pydevd_thread_lifecycle import resume_threads

        name = get_thread_id(thread)
        resume_threads(name)
        debugger = self._debugger()
        if debugger is not None:
            debugger._thread_events[name].set()
        self._together.release()

    def stopped_with_others(self, thread: threading.Thread) -> bool:
        """Whether a thread has stopped just because another one has."""
        return self._together.stopped_with_others(thread)

    def looks_on(self) -> None:
        """The calling thread asks the debugger: it does not stop because another one does."""
        self._together.leave(threading.current_thread())

    def exception_comes(self) -> None:
        """An interrupt is raised in the calling thread, wherever that is. It takes no lock.

        A step or a pause of it is over: what ends at an `await` would stop there once more. Should
        the exception leave debugpy's code, which ends the tracing up to Python 3.11, that goes on.
        """
        debugger = self._debugger()
        if debugger is None:
            return
        thread = threading.current_thread()
        self._pauses.interrupted(thread)
        forget_step(thread)
        if not MONITORED:
            stay_traced(debugger, lambda: self._debugger() is debugger, _CALLED)

    def over(self) -> None:
        """A step or a pause of the calling thread has gone past the end of its code: it is over."""
        from _pydevd_bundle.pydevd_thread_lifecycle import resume_threads

        thread = threading.current_thread()
        self._pauses.forget(thread)
        forget_kept_step()
        with self._hooks.uninterrupted():
            resume_threads(thread_name(thread))
        self._together.forget(thread)
