"""Calls into a thread that runs an event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable
from typing import Any

_RUN = asyncio.Handle._run.__code__


class Living(asyncio.Task[Any]):
    """A task of the kernel's own in a child's loop, which nobody can cancel.

    People cancel `asyncio.all_tasks()`, and mean their own.
    """

    def cancel(self, *args: Any, **options: Any) -> bool:
        return False


def goes_on(loop: Any) -> bool:
    """Whether people's tasks or timers are left in a loop. The loop's thread."""
    if any(not isinstance(task, Living) for task in asyncio.all_tasks(loop)):
        return True
    # asyncio does not tell of its timers, and of those that are due; other loops have tasks only.
    handles = [*getattr(loop, "_scheduled", ()), *getattr(loop, "_ready", ())]
    timers = (handle for handle in handles if isinstance(handle, asyncio.TimerHandle))
    return any(not timer.cancelled() for timer in timers)


def call_soon(loop: Any, function: Callable[..., Any], *args: Any) -> None:
    """Run `function` in the loop's thread soon, on nobody's behalf. Any thread.

    A callback inherits the context of whoever schedules it, and so does everything that it
    schedules in turn: a thread of ours would from then on work in the name of that cell.
    """
    loop.call_soon_threadsafe(function, *args, context=contextvars.Context())


def report_callback(loop: Any, error: BaseException) -> None:
    """Report what a callback raised and what came out of the loop: SystemExit, KeyboardInterrupt.

    As asyncio does it with other exceptions. Those of tasks it keeps in the task, and reports them
    there if nobody asks for them. The loop's thread; the loop does not run.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code is not _RUN:
        traceback = traceback.tb_next
    if traceback is None:  # it did not come out of a callback
        return
    handle = traceback.tb_frame.f_locals["self"]
    callback = handle._callback
    if isinstance(getattr(callback, "__self__", None), asyncio.Task):
        return
    loop.call_exception_handler(
        {
            "message": f"Exception in callback {callback!r}",
            "exception": error.with_traceback(traceback),
            "handle": handle,
        }
    )


def alive(thread: threading.Thread) -> bool:
    """Whether a thread runs. Any thread.

    As `Thread.is_alive`, but whatever is raised in the middle of it does no harm. Up to Python 3.12
    that one takes a running thread for ended, for good, if an interrupt hits it
    (`Thread._wait_for_tstate_lock`).
    """
    lock = getattr(thread, "_tstate_lock", None)  # the thread holds it as long as it runs
    return type(thread).is_alive(thread) if lock is None else bool(lock.locked())


class LoopCalls:
    """`call` and `ask` for a thread and its tornado loop, whoever started them."""

    def __init__(self, io_loop: Any, thread: threading.Thread) -> None:
        self.io_loop = io_loop
        self._thread = thread

    @property
    def here(self) -> bool:
        """Whether the calling thread is this one."""
        return threading.current_thread() is self._thread

    def call(self, function: Callable[[], Any]) -> None:
        """Run `function` there soon, or now if this is the thread. Any thread.

        Nothing happens once the loop is closed: the process is ending.
        """
        if self.here:
            function()
            return
        try:
            call_soon(self.io_loop.asyncio_loop, function)
        except RuntimeError:
            if not self.io_loop.asyncio_loop.is_closed():
                raise

    def ask(self, function: Callable[[], Any], timeout: float = 10.0) -> Any:
        """Run `function` there and return what it returns or raises. Any thread.

        Once the thread has ended it runs in the calling one: nobody else owns its things then.

        Raises:
            TimeoutError: the thread did not get to it within `timeout` seconds.
        """
        if self.here or not alive(self._thread):
            return function()
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def run() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:
                answer.set_exception(error)

        call_soon(self.io_loop.asyncio_loop, run)
        return answer.result(timeout)

    def finish(self) -> None:
        """Let the loop do what it was given, end it, and join the thread. Any other thread."""
        if alive(self._thread):
            self.io_loop.add_callback(self.io_loop.stop)
            if not self.here:
                self._thread.join()
