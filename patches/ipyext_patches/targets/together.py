"""A stop of all threads at once: who has stopped by itself, and who only with the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ipyext_patches.ledger import Change, Switch, Wrap
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets.pydevd_state import thread_name

TOGETHER = Patch(
    id="debugger.together",
    target=(
        "pydevd.ThreadsSuspendedSingleNotification.send_suspend_notification, "
        "pydevd.AbstractSingleNotificationBehavior.on_thread_resume"
    ),
    what="Where a breakpoint stops all threads, one that goes on alone ends its own stop only.",
    why="It is reported as the end of all stops: what is still stopped cannot be looked at, nor "
    "continued.",
    upstream="pydevd.py AbstractSingleNotificationBehavior",
    shape=function("thread_id", "thread"),
)


class Together:
    """Which threads have stopped by themselves: at a breakpoint, after a step. Any thread.

    With these, pydevd stops all others, says so once, and says once that all go on. Whoever has
    stopped with the others goes on when nobody is left that has stopped by itself.

    Args:
        debugger: gives pydevd's, None while there is none.
    """

    def __init__(self, debugger: Callable[[], Any]) -> None:
        self._debugger = debugger
        self._own: dict[threading.Thread, bool] = {}  # whether its stop was reported

    def changes(self, switch: Switch) -> list[Change]:
        """See `TOGETHER`."""
        import pydevd

        told = pydevd.ThreadsSuspendedSingleNotification
        going_on = pydevd.AbstractSingleNotificationBehavior
        return [
            Wrap(TOGETHER, told, "send_suspend_notification", self._reported, switch),
            Wrap(TOGETHER, going_on, "on_thread_resume", self._going_on, switch),
        ]

    def end(self) -> None:
        """The debugger is off: nobody has stopped."""
        self._own.clear()

    def stops(self, debugger: Any, thread: threading.Thread) -> None:
        """A thread is about to stop by itself; all others are told to stop with it."""
        if debugger.multi_threads_single_notification:
            self._own.setdefault(thread, False)

    def forget(self, thread: threading.Thread) -> None:
        """A thread that was about to stop does not."""
        self._own.pop(thread, None)

    def with_others(self, thread: threading.Thread) -> bool:
        """Whether a thread has been told to stop just because another one has."""
        return thread not in self._own and _only_told(thread)

    def stopped_with_others(self, thread: threading.Thread) -> bool:
        """Whether it has stopped for that."""
        debugger = self._debugger()
        if debugger is None or thread in self._own:
            return False
        inside = debugger.threads_suspended_single_notification._suspended_thread_id_to_thread
        return thread_name(thread) in inside

    def release(self) -> None:
        """One thread has gone on alone: if it was the last that had stopped by itself, all do."""
        if self._stopped():
            return
        for thread in threading.enumerate():
            self.leave(thread)

    def leave(self, thread: threading.Thread) -> None:
        """A thread does not stop with the others, or does so no more."""
        debugger = self._debugger()
        if debugger is None or not self.with_others(thread):
            return
        from _pydevd_bundle.pydevd_thread_lifecycle import resume_threads

        name = thread_name(thread)
        resume_threads(name)
        debugger._thread_events[name].set()

    def _stopped(self) -> list[threading.Thread]:
        """Those that have stopped by themselves, and have not been told to go on."""
        return [thread for thread in list(self._own) if _is_told_to_stop(thread)]

    def _reported(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        self._own[args[1]] = True
        return wrapped(*args, **kwargs)

    def _going_on(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> None:
        """The calling thread leaves its stop. It counts until that is told, as all others do."""
        name, thread = args
        mine, left = thread in self._own, self._stopped()
        try:
            if not left and (mine or not self._own):
                wrapped(*args, **kwargs)
                return
            with instance._lock:
                instance._suspended_thread_id_to_thread.pop(name, None)
                if left and mine:
                    self._tell_one(instance, name, left)
                # Else the others say that all go on; or nobody was told that it stopped.
        finally:
            self._own.pop(thread, None)

    def _tell_one(self, instance: Any, name: str, left: list[threading.Thread]) -> None:
        self._debugger().writer.add_command(_goes_on(name))
        if not any(self._own.get(one) for one in left):
            latest = left[-1]
            now = instance._next_request_time()
            instance._suspend_time_request = instance._last_suspend_notification_time = now
            instance.send_suspend_notification(
                thread_name(latest), latest, getattr(latest, "stop_reason", None)
            )


def _is_told_to_stop(thread: threading.Thread) -> bool:
    from _pydevd_bundle.pydevd_constants import STATE_SUSPEND

    info = getattr(thread, "additional_info", None)
    return thread.is_alive() and info is not None and info.pydev_state == STATE_SUSPEND


def _only_told(thread: Any) -> bool:
    """Whether that is all: no breakpoint of its own, no step, no pause."""
    from _pydevd_bundle.pydevd_comm_constants import CMD_THREAD_SUSPEND

    return _is_told_to_stop(thread) and thread.additional_info.pydev_step_cmd == CMD_THREAD_SUSPEND


def _goes_on(name: str) -> Any:
    """pydevd's message that one thread goes on."""
    from _pydevd_bundle._debug_adapter import pydevd_schema
    from _pydevd_bundle.pydevd_comm_constants import CMD_THREAD_RUN
    from _pydevd_bundle.pydevd_net_command import NetCommand

    body = pydevd_schema.ContinuedEventBody(threadId=name, allThreadsContinued=False)
    return NetCommand(CMD_THREAD_RUN, 0, pydevd_schema.ContinuedEvent(body), is_json=True)
