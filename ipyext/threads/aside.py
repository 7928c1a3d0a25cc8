"""Threads for one call each, which a loop awaits: what may take long, or runs the person's code."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from ipyext.errors import said
from ipyext_patches import call_soon

# Those whose call has ended. Until they are joined they are kept: a debugger that sees a thread
# take itself off, as the last one to know it, has Python note it down again (3.13), for good.
_ended: list[threading.Thread] = []


def join_ended() -> None:
    """Join the threads whose calls have ended. Any thread."""
    while _ended:
        with contextlib.suppress(IndexError):  # another thread was quicker
            _ended.pop().join()


async def in_thread(function: Callable[[], Any], name: str) -> Any:
    """Run `function` in a thread of its own, which debuggers leave alone.

    Raises:
        Exception: what it raised. One that would end the loop that awaits it, such as SystemExit,
            is told by a RuntimeError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            future.set_exception(error)
        else:
            future.set_exception(RuntimeError(said(error)))

    def run() -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:
            failure = error
        _ended.append(thread)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            call_soon(loop, settle, result, failure)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    join_ended()
    thread.start()
    return await future
