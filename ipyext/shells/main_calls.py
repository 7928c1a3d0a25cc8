"""Code that has to run on the main thread, asked for by another shell."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Token
from typing import Any

from ipyext.errors import MainCallCancelledError, MainWaitsError
from ipyext.shells.context import Contexts
from ipyext.shells.gates import MainGate
from ipyext.shells.interrupt import main_steps
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

    Attributes:
        awaits: the function gives a coroutine, which needs main's event loop.
    """

    type = "call"

    def __init__(
        self, function: Callable[[], Any], request: Request | None, *, awaits: bool = False
    ) -> None:
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.awaits = awaits
        self._function = function
        self._request = request

    @property
    def code(self) -> str:
        """What main runs, for people."""
        return "" if self._request is None else self._request.code

    def holds_up(self) -> bool:
        """Whether who asked waits for what main runs now. Main makes a plain call when it waits."""
        return self.awaits or self.future.running()

    async def run(self, contexts: Contexts, gate: MainGate) -> None:
        """Call the function and settle the future. Main thread."""
        if not self.future.set_running_or_notify_cancel():
            return
        token = contexts.enter(self._request)
        try:
            with gate.request():
                self.future.set_result(await main_steps(self._call(), gate))
        except BaseException as error:
            self.future.set_exception(error)
        finally:
            self._end(contexts, token)

    def run_within(self, contexts: Contexts, gate: MainGate) -> None:
        """The same for a plain function, within code that main runs; `gate` is held."""
        if not self.future.set_running_or_notify_cancel():
            return
        token = contexts.enter(self._request)
        try:
            result = gate.let_in(self._function)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()  # else Python warns of it later, in whatever runs then
                raise MainWaitsError
            self.future.set_result(result)
        except BaseException as error:
            self.future.set_exception(error)
        finally:
            self._end(contexts, token)

    def _end(self, contexts: Contexts, token: Token[Request | None]) -> None:
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
    """Calls on main, for the other shells.

    They are made in between main's cells, and those of plain functions also while main waits for a
    job: it may be the job that asks.
    """

    def __init__(
        self,
        parent: ParentShell,
        contexts: Contexts,
        interrupts: Interrupts,
        waits: Waits,
        gate: MainGate,
    ) -> None:
        self._parent = parent
        self._contexts = contexts
        self._interrupts = interrupts
        self._waits = waits
        self._gate = gate
        self._main_waits: Pause | None = None

    def run(self, function: Callable[[], Any]) -> Any:
        """Call `function` on main and return its result; an interrupt ends the wait. Any thread.

        Raises:
            MainWaitsError: main waits for the calling thread, and it is a coroutine function.
        """
        if _on_main():
            return function()
        call = MainCall(
            function, self._contexts.current(), awaits=inspect.iscoroutinefunction(function)
        )
        with self._asked(call):
            try:
                wait_for(call.future, MainPause(), self._here().pause)
            except KeyboardInterrupt:
                if not call.future.cancel():
                    self._interrupts.main()
                raise
        return call.future.result()

    async def drive(self, coroutine: Any, *, awaits: bool = False) -> Any:
        """As `ChildShell.drive`, but the code runs on main. A child's thread.

        Raises:
            KeyboardInterrupt: the child was interrupted.
            MainWaitsError: main waits for the child.
        """
        request = self._contexts.current()
        assert request is not None
        assert request.shell is not None
        call = MainCall(lambda: coroutine, request, awaits=True)

        def stop() -> None:
            if not call.future.cancel():
                self._interrupts.main()

        try:
            with self._asked(call), request.shell.pause(MainPause(stop)):
                return await asyncio.wrap_future(call.future)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            coroutine.close()  # nothing, unless it has never begun

    @contextmanager
    def _asked(self, call: MainCall) -> Iterator[None]:
        """Main makes `call` as soon as it is free; the calling thread waits for it within."""
        main = threading.main_thread()
        with self._waits.on(main, call.holds_up):  # before main can begin with it
            if call.awaits and self._waits.leads_here(main):
                raise MainWaitsError
            if not self._parent.put(call):
                call.cancel()
            if (waiting := self._main_waits) is not None:
                waiting.end()
            yield

    def wait(
        self,
        future: concurrent.futures.Future[Any],
        pause: Pause,
        timeout: float | None = None,
    ) -> bool:
        """Wait as `wait_for`, in the shell that the calling code belongs to; main makes calls."""
        shell = self._here()
        if not _on_main():
            return wait_for(future, pause, shell.pause, timeout)
        end = None if timeout is None else time.monotonic() + timeout
        future.add_done_callback(lambda _: pause.end())
        former = self._main_waits
        try:
            self._main_waits = pause  # before it looks: what is asked for later ends the pause
            while True:
                pause.again()
                while not future.done() and self._make_one():
                    pass
                if future.done():
                    return True
                with shell.pause(pause):
                    if not pause.wait(None if end is None else max(0.0, end - time.monotonic())):
                        return False
        finally:
            self._main_waits = former

    def _make_one(self) -> bool:
        """Make a call that main's queue holds, within the code that main runs. Main thread."""
        with self._gate.held(), self._waits.on(None):
            call = self._parent.pick(lambda item: isinstance(item, MainCall) and not item.awaits)
            if call is not None:
                call.run_within(self._contexts, self._gate)
        return call is not None

    def _here(self) -> Shell:
        request = self._contexts.current()
        return self._parent if request is None or request.shell is None else request.shell


def _on_main() -> bool:
    return threading.current_thread() is threading.main_thread()
