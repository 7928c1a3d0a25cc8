"""Stopping the Python code of one thread between two of its steps, or in one of them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any

from ipyext.shells.gates import Gate, MainGate, close_gate
from ipyext_patches import leave_out


class Interruptible:
    """Awaits a child's cell so that it can be interrupted wherever it is.

    Running Python code gets an asynchronous KeyboardInterrupt; a suspended coroutine has what it
    awaits cancelled and KeyboardInterrupt raised at its `await`, so that its `finally` runs.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], gate: Gate) -> None:
        self._coroutine = coroutine
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._asked = False
        self._interrupted = False

    async def run(self, *, awaits: bool) -> Any:
        """Run to the end; returns what the coroutine returns.

        Args:
            awaits: the cell has an `await`. It gets a task of its own, which can be cancelled;
                as on main, context variables that it sets end with it, and others' last.

        Raises:
            KeyboardInterrupt: the interrupt hit code that did not catch it.
        """
        try:
            if not awaits:
                return await Steps(self._coroutine, self._gate, self._exception)
            self._task = asyncio.Task(self._guarded(), loop=self._loop)
            outcome, error = await self._task
            if error is not None:
                raise error
            return outcome
        finally:
            self._coroutine.close()  # nothing, unless it was stopped before it had begun

    async def _guarded(self) -> tuple[Any, BaseException | None]:
        # A KeyboardInterrupt that leaves a task would end the thread's event loop.
        try:
            return await Steps(self._coroutine, self._gate, self._exception), None
        except BaseException as error:
            return None, error

    def _exception(self, error: BaseException) -> BaseException:
        # What it awaits may have been interrupted itself, before the cancellation came.
        if self._interrupted and isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)):
            self._interrupted = False
            error = KeyboardInterrupt()
        if isinstance(error, KeyboardInterrupt):
            self._gate.arriving()
        return error

    def interrupt(self) -> None:
        """Cancel what it awaits. Any thread."""
        self._asked = True
        self._loop.call_soon_threadsafe(self.cancel_if_asked)

    def withdraw(self) -> bool:
        """Take back an `interrupt` not seen to yet; False if there is none. Any thread."""
        asked, self._asked = self._asked, False
        return asked

    def cancel_if_asked(self) -> None:
        """Do what `interrupt` has asked for and that was not done yet. The loop's thread."""
        if not self._asked:
            return
        self._asked = False
        if self._task is None or self._task.done():
            self._gate.hold()  # it has no task of its own, or goes on already
        else:
            self._interrupted = True
            self._task.cancel()


def main_steps(coroutine: Coroutine[Any, Any, Any], gate: MainGate) -> Awaitable[Any]:
    """Awaits `coroutine` on the main thread, with the gate open while it runs."""
    return Steps(coroutine, gate, gate.exception)


class Steps(Awaitable[Any]):
    """Drives a coroutine with the gate open for each of its steps and closed between them.

    Args:
        exception: from what ends an await of it, makes what it gets to see.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], gate: Gate | MainGate, exception: Any
    ) -> None:
        self._coroutine = coroutine
        self._gate = gate
        self._exception = exception

    def __await__(self) -> Generator[Any, Any, Any]:
        gate = self._gate
        step: Any = self._coroutine.send
        value: Any = None
        while True:
            late = False
            try:
                try:
                    gate.open()
                    awaited = step(value)
                finally:
                    # A plain store: from Python 3.11 on no exception can come between the end of
                    # the code and this.
                    gate.closing = True
                    late = close_gate(gate)
            except StopIteration as stop:
                return stop.value
            except KeyboardInterrupt as error:
                # Python 3.10 may raise one at the entry of `finally`, which then does not run.
                gate.closing = True
                close_gate(gate)
                if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CLOSED:
                    raise  # the cell let it through
                # It came a moment too early or too late for the code: deliver it properly.
                leave_out(error)
                step, value = self._coroutine.throw, error
                continue
            if late:  # the code has just begun to await something
                step, value = self._coroutine.throw, self._exception(KeyboardInterrupt())
                continue
            try:
                step, value = self._coroutine.send, (yield awaited)
            except BaseException as error:
                leave_out(error)  # the frame of this method, and those of tasks
                step, value = self._coroutine.throw, self._exception(error)
