"""Stopping the Python code of one thread, and nothing but that code.

An asynchronous exception is delivered to a thread at some later bytecode. The gate makes sure
that this bytecode belongs to user code: an exception is set only while the gate is open, and
closing the gate takes back one that has not been delivered.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import threading
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any


def _set_async_exception(thread_id: int, exception: type[BaseException] | None) -> None:
    argument = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), argument)


class Gate:
    """Open while one thread runs user code. `open` and `close` belong to that thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._thread_id = 0
        self._open = False
        self._pending = False

    @property
    def is_open(self) -> bool:
        return self._open

    def open(self) -> None:
        self._thread_id = threading.get_ident()
        self._open = True

    def close(self) -> bool:
        """Afterwards no exception of ours can arrive. True if one was on its way."""
        while True:
            try:
                with self._lock:
                    self._open = False
                    pending, self._pending = self._pending, False
                    if pending:
                        _set_async_exception(self._thread_id, None)
                return pending
            except KeyboardInterrupt:  # it arrived in these very lines
                self._pending = False

    def raise_in(self) -> bool:
        """Have KeyboardInterrupt raised in the user code, if the gate is open. Any thread."""
        with self._lock:
            if self._open:
                self._pending = True
                _set_async_exception(self._thread_id, KeyboardInterrupt)
            return self._open


class Interruptible:
    """Awaits a cell's coroutine so that it can be interrupted wherever it is.

    Running Python code gets an asynchronous KeyboardInterrupt; a suspended coroutine has what it
    awaits cancelled and KeyboardInterrupt raised at its `await`, so that its `finally` runs.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], gate: Gate) -> None:
        self._coroutine = coroutine
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False

    async def run(self) -> Any:
        """Run to the end; returns what the coroutine returns.

        Raises:
            KeyboardInterrupt: the interrupt hit code that did not catch it.
        """
        self._task = asyncio.ensure_future(self._guarded())
        outcome, error = await self._task
        if error is not None:
            raise error
        return outcome

    async def _guarded(self) -> tuple[Any, BaseException | None]:
        # A KeyboardInterrupt that leaves a task would end the thread's event loop.
        try:
            return await _Steps(self._coroutine, self._gate, self._exception), None
        except BaseException as error:
            return None, error

    def _exception(self, error: BaseException) -> BaseException:
        if self._interrupted and isinstance(error, asyncio.CancelledError):
            self._interrupted = False
            return KeyboardInterrupt()
        return error

    def interrupt(self) -> None:
        """Interrupt it now. Any thread."""
        if not self._gate.raise_in():
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._interrupted = True
            self._task.cancel()


class _Steps(Awaitable[Any]):
    """Drives a coroutine with the gate open for each of its steps and closed between them."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], gate: Gate, exception: Any) -> None:
        self._coroutine = coroutine
        self._gate = gate
        self._exception = exception

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Any = self._coroutine.send
        value: Any = None
        while True:
            awaited = None
            try:
                self._gate.open()
                awaited = step(value)
            except StopIteration as stop:
                self._gate.close()
                return stop.value
            except KeyboardInterrupt as error:
                self._gate.close()
                if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CLOSED:
                    raise  # the cell let it through
                # It came a moment too early or too late for the code: deliver it properly.
                step, value = self._coroutine.throw, error
                continue
            finally:
                self._gate.close()
            try:
                step, value = self._coroutine.send, (yield awaited)
            except BaseException as error:
                step, value = self._coroutine.throw, self._exception(error)
