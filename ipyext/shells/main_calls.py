"""Code that has to run on the main thread, asked for by another shell."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Callable
from typing import Any

from ipyext.errors import MainCallCancelledError
from ipyext.shells.context import Contexts
from ipyext.shells.interrupt import MainGate
from ipyext.shells.interrupts import Interrupts
from ipyext.shells.request import Request
from ipyext.shells.shell import ParentShell, Shell
from ipyext.shells.waiting import Pause, Waits, wait_for


class MainPause(Pause):
    """A shell's wait for main."""

    what = "waiting for main"

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._stop = stop

    def interrupt(self) -> None:
        """End the wait, or `stop` what it is for. Any thread."""
        if self._stop is None:
            super().interrupt()
        else:
            self._stop()


class MainCall:
    """An item of main's queue: a function to call on the main thread.

    What it prints belongs to the request of the shell that asked.
    """

    type = "call"

    def __init__(self, function: Callable[[], Any], request: Request | None) -> None:
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._function = function
        self._request = request

    @property
    def code(self) -> str:
        """What main runs, for people."""
        return "" if self._request is None else self._request.code

    async def run(self, contexts: Contexts, gate: MainGate) -> None:
        """Call the function and settle the future. Main thread."""
        if not self.future.set_running_or_notify_cancel():
            return
        token = contexts.enter(self._request)
        try:
            with gate.request():
                self.future.set_result(await gate.steps(self._call()))
        except BaseException as error:
            self.future.set_exception(error)
        finally:
            if self._request is not None:
                self._request.output.flush_all()
            contexts.leave(token)

    async def _call(self) -> Any:
        result = self._function()
        return await result if inspect.isawaitable(result) else result

    def cancel(self) -> None:
        """It will not be called any more."""
        if not self.future.done():
            self.future.set_exception(MainCallCancelledError())


class MainCalls:
    """Calls on main, for the other shells."""

    def __init__(
        self, parent: ParentShell, contexts: Contexts, interrupts: Interrupts, waits: Waits
    ) -> None:
        self._parent = parent
        self._contexts = contexts
        self._interrupts = interrupts
        self._waits = waits

    def submit(self, function: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        """Have `function` called on main as soon as main is free. Any thread."""
        call = MainCall(function, self._contexts.current())
        if not self._parent.put(call):
            call.cancel()
        return call.future

    def run(self, function: Callable[[], Any]) -> Any:
        """Call `function` on main and return its result; an interrupt ends the wait. Any thread."""
        if threading.current_thread() is threading.main_thread():
            return function()
        request = self._contexts.current()
        shell: Shell = self._parent if request is None or request.shell is None else request.shell
        with self._waits.on(threading.main_thread()):  # before main can begin with it
            future = self.submit(function)
            try:
                wait_for(future, MainPause(), shell.pause)
            except KeyboardInterrupt:
                if not future.cancel():
                    self._interrupts.main()
                raise
        return future.result()

    async def drive(self, coroutine: Any, *, awaits: bool = False) -> Any:
        """As `ChildShell.drive`, but the code runs on main. A child's thread.

        Raises:
            KeyboardInterrupt: the child was interrupted.
        """
        request = self._contexts.current()
        assert request is not None
        assert request.shell is not None
        shell = request.shell

        def stop() -> None:
            if not future.cancel():
                self._interrupts.main()

        with self._waits.on(threading.main_thread()):
            future = self.submit(lambda: coroutine)
            with shell.pause(MainPause(stop)):
                try:
                    return await asyncio.wrap_future(future)
                except asyncio.CancelledError:
                    coroutine.close()
                    raise KeyboardInterrupt from None
