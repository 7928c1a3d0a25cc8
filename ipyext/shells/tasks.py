"""The tasks that cells start in a child's event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import types
from collections.abc import Callable, Coroutine
from typing import Any

from ipyext.shells.gates import Gate, close_gate
from ipyext_patches import leave_out


class Task(asyncio.Task[Any]):
    """A task that can be interrupted while its code runs, and asked where it was started.

    asyncio's own can be asked that, too, from Python 3.12 on.
    """

    def __init__(self, loop: Any, coroutine: Any, gate: Gate, **options: Any) -> None:
        self.where = contextvars.copy_context()
        self._coroutine = coroutine
        if isinstance(coroutine, types.CoroutineType):
            coroutine = _Stepped(coroutine, gate)
        super().__init__(coroutine, loop=loop, **options)

    def get_coro(self) -> Any:
        """The coroutine that the task was made of."""
        return self._coroutine

    def exception(self) -> BaseException | None:
        """As asyncio's, and it shows people's frames only."""
        error = super().exception()
        leave_out(error)
        return error


class _Stepped(Coroutine[Any, Any, Any]):
    """A coroutine whose code can be interrupted, and nothing of the event loop around it.

    Everything else is that of the coroutine: asyncio shows where it is.
    """

    def __init__(self, coroutine: Any, gate: Gate) -> None:
        self._coroutine = coroutine
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)

    def __await__(self) -> Any:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        for part in error:  # a type and a traceback may come with it
            if isinstance(part, BaseException):
                leave_out(part)
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        self._coroutine.close()

    def _step(self, step: Callable[..., Any], *values: Any) -> Any:
        gate = self._gate
        if gate.is_open:  # a loop within a cell's code, or within a task's
            return step(*values)
        while True:
            try:
                try:
                    gate.open(task=True)
                    return step(*values)
                finally:
                    gate.closing = True  # see `Steps`
                    close_gate(gate)
            except KeyboardInterrupt as error:
                gate.closing = True
                close_gate(gate)
                if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CLOSED:
                    raise  # the code let it through
                # It came a moment too early or too late for the code.
                leave_out(error)
                step, values = self._coroutine.throw, (error,)


def report(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
    """Have asyncio's reports of lost errors show under the cell that started what failed."""
    task, handle = details.get("task") or details.get("future"), details.get("handle")
    if isinstance(details.get("exception"), BaseException):
        leave_out(details["exception"])
    where = getattr(task, "where", None) or getattr(handle, "_context", None)
    if where is None:
        loop.default_exception_handler(details)
    else:
        where.copy().run(loop.default_exception_handler, details)


async def cancel_others() -> None:
    """Cancel what the cells left running and let it clean up, as `asyncio.run` does."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
