"""The debugger of one kernel, as the rest of the extension knows it.

Most kernels are never debugged, and all of them have to start. So the debug router and what belongs
to it are imported when somebody first asks for them: by a thread of its own, for Python has locks
on imports, which others may hold for long. Meanwhile the thread "Debug router" keeps what is asked.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ipyext.errors import DebuggerError, said
from ipyext.protocol import dap
from ipyext.shells.waiting import Pause, wait_for
from ipyext.threads.aside import in_thread, join_ended
from ipyext.threads.loop_thread import LoopThread

if TYPE_CHECKING:
    from ipyext.debug.parts import Parts
    from ipyext.debug.router import DebugRouter
    from ipyext.shells.engine import Engine

T = TypeVar("T")
Future = concurrent.futures.Future
Message = dict[str, Any]

_FORKED = "This process was forked from the kernel, and cannot be debugged. Start it another way."
_UNLOADED = "ipyext was unloaded. Load it again: %load_ext ipyext."
log = logging.getLogger("ipyext.debug")


class DebuggerPause(Pause):
    """A shell's wait for the debugger."""

    what = "waiting for the debugger"


class Debugging:
    """The debugger of one engine. Any thread may call its methods, unless one says otherwise.

    Args:
        engine: whose shells are debugged.
        set_stop: changes the setting `debug_stop`.

    Attributes:
        set_stop: the same.
        is_quiet: whether the kernel is shutting down, so that nothing stops any more.
    """

    def __init__(self, engine: Engine, set_stop: Callable[[str], None]) -> None:
        self._engine = engine
        self.set_stop = set_stop
        self.is_quiet = False
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._closed = self._ended = False
        self._every = False
        self._parts: Parts | None = None
        self._failure = ""
        # What waits until it is known whether there are parts; the router's thread.
        self._early: list[Callable[[], Any]] | None = []
        self._making: asyncio.Task[None] | None = None
        # What somebody waits for: once the thread has ended, nobody else would end that.
        self._waits: set[Future[Any]] = set()
        self._asked: dict[Future[Message], Any] = {}
        self._answers: set[Future[None]] = set()

    # -- the thread ----------------------------------------------------------------------------

    def call(self, function: Callable[[], Any]) -> None:
        """Run `function` in the router's thread soon. Nothing once the end has begun.

        Raises:
            DebuggerError: the extension was unloaded before anybody has asked for the debugger.
        """
        self._running().call(lambda: self._run(function))

    def _running(self) -> LoopThread:
        if self._thread is not None:
            return self._thread
        with self._engine.uninterrupted(), self._lock:
            if self._thread is None:
                if self._closed:
                    raise DebuggerError(_UNLOADED)
                thread = LoopThread("Debug router")
                thread.start()
                thread.call(lambda: self._begin(thread))
                self._engine.host.watch_clients(self._connection_gone)
                self._thread = thread
            return self._thread

    def _begin(self, thread: LoopThread) -> None:
        self._making = asyncio.get_running_loop().create_task(self._make(thread))

    async def _make(self, thread: LoopThread) -> None:
        def load() -> tuple[Any, Any]:
            from ipyext.debug.parts import make_parts

            return make_parts, self._engine.host.new_debugger(self._engine)

        try:
            make_parts, debugpy = await in_thread(load, "Debugger import")
            parts: Parts = make_parts(self._engine, thread, debugpy)
            parts.router.core.configure(self._every)
            self._parts = parts
        except Exception as error:  # another version was installed meanwhile
            log.exception("The debugger could not be loaded")
            self._failure = (
                f"The debugger of ipyext could not be loaded: {said(error)}. If ipyext was "
                "installed anew since this kernel started, restart the kernel."
            )
        early, self._early = self._early or [], None
        for function in early:
            try:
                self._run(function)
            except Exception:
                log.exception("An early request of the debugger failed")

    def _run(self, function: Callable[[], Any]) -> None:
        if self._closed:
            return  # whoever waits is told when all has ended
        if self._early is None:
            function()
        else:
            self._early.append(function)

    @property
    def parts(self) -> Parts:
        """All of it, imported and made if this is the first use.

        Raises:
            KeyboardInterrupt: the calling shell was interrupted.
            DebuggerError: the extension was unloaded, or the debugger cannot be imported.
        """
        if self._parts is None:
            self.in_router(lambda: None)  # which waits for them
        if self._parts is None:
            raise DebuggerError(self._failure)
        return self._parts

    @property
    def router(self) -> DebugRouter:
        """The debug router. See `parts`."""
        return self.parts.router

    @property
    def used(self) -> bool:
        """Whether anybody has asked for it, and it has not ended. Not so in forked processes."""
        return self._thread is not None and self._thread.alive

    @property
    def on(self) -> bool:
        """Whether debugpy is on."""
        return self._parts is not None and self._parts.router.on

    # -- waiting -------------------------------------------------------------------------------

    def wait(self, future: Future[Any], seconds: float | None = None) -> bool:
        """Wait until `future` is done, at most `seconds`; False if it is not.

        Raises:
            KeyboardInterrupt: the calling shell was interrupted.
            DebuggerError: the extension was unloaded meanwhile, or this is the router's thread.
        """
        if self._thread is not None and self._thread.here:
            raise DebuggerError("The debugger cannot wait for itself: call it from another thread.")
        self._waits.add(future)
        try:
            if self._ended:
                self._release()
            done = wait_for(future, DebuggerPause(), self._engine.current_shell().pause, seconds)
        finally:
            self._waits.discard(future)
        if self._parts is not None:
            self._parts.router.debugpy.stops.looks_on()
        if future.cancelled():
            raise DebuggerError(_UNLOADED)
        return done

    def in_router(self, function: Callable[[], T]) -> T:
        """Run `function` in the router's thread and return what it returns or raises.

        Raises:
            KeyboardInterrupt, DebuggerError: see `wait`.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.soon(run)
        self.wait(future)
        return future.result()

    def soon(self, function: Callable[[], Any]) -> None:
        """As `call`.

        Raises:
            DebuggerError: it would never be called: the extension was unloaded, or this process
                was forked from the kernel.
        """
        if self._ended:
            raise DebuggerError(_UNLOADED)
        if self._thread is not None and not self._thread.alive:
            raise DebuggerError(_UNLOADED if self._closed else _FORKED)
        self.call(function)

    # -- what the kernel tells it --------------------------------------------------------------

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """A debug_request is answered within, which `close` waits for. Control thread."""
        answered: Future[None] = Future()
        self._answers.add(answered)
        try:
            yield
        finally:
            self._answers.discard(answered)
            answered.set_result(None)

    def jupyter_request(self, request: Any, parent: Message, fd: int) -> Future[Message]:
        """A debug_request came on control; gives the response.

        Args:
            request: the DAP request, or what is there instead.
            parent: the Jupyter message.
            fd: the connection it came on.
        """
        future: Future[Message] = Future()
        self._asked[future] = request
        future.add_done_callback(self._asked.pop)

        def receive() -> None:
            if self._parts is not None:
                self._parts.router.jupyter_request(request, parent, fd, future)
            else:
                self._refuse(future, request, self._failure)

        try:
            self.soon(receive)
        except DebuggerError as error:
            self._refuse(future, request, str(error))
        if self._ended:
            self._release()
        return future

    @staticmethod
    def _refuse(future: Future[Message], request: Any, why: str) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            future.set_result({"seq": 1, **dap.failure(request, why)})

    def _connection_gone(self, fd: int) -> None:
        """A client has lost its connection. Control thread."""

        def gone() -> None:
            if self._parts is not None:
                self._parts.router.connection_gone(fd)

        self.call(gone)

    def knows(self, session: str) -> bool:
        """Whether that Jupyter client has asked for anything."""
        return self._parts is not None and self._parts.router.knows(session)

    def stop_all(self, every: bool) -> None:
        """Whether a breakpoint stops every thread, not just its own."""
        self._every = every
        if self.used:
            self.call(self._configure)

    def _configure(self) -> None:
        if self._parts is not None:
            router = self._parts.router
            router.do(router.core.configure, self._every)

    def exception_comes(self) -> None:
        """An interrupt is raised in the calling thread, maybe in the debugger's own code.

        It takes no lock: this may be a signal handler.
        """
        if self._parts is not None:
            self._parts.router.exception_comes()

    # -- the end -------------------------------------------------------------------------------

    def quiet(self) -> None:
        """The kernel is shutting down: nothing stops any more."""
        self.is_quiet = True
        if self._parts is None:
            self._refuse_all("The kernel is shutting down.")
        elif self.on:
            self._parts.router.debugpy.quiet()

    def main_ended(self) -> None:
        """Main has come to its end, and the process waits for other threads. Main thread."""
        if self._parts is not None:
            self._parts.router.debugpy.leave()

    def leave(self) -> None:
        """The process ends: end the thread, and leave the rest to the end. Main thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            thread.finish()
        self._ended = True
        self._release()

    def close(self) -> None:
        """Everything ends: clients, debugpy, the thread, waits. Any other thread, once.

        An import that goes on is left alone; nothing comes of it.
        """
        with self._lock:
            self._closed = True
            thread = self._thread
        try:
            if thread is not None:
                self._end(thread)
        finally:
            self._ended = True
            self._release()
        # What has been refused just now goes out before the stock kernel takes over.
        concurrent.futures.wait(list(self._answers), timeout=2.0)

    def _end(self, thread: LoopThread) -> None:
        ended: Future[None] = Future()
        thread.call(lambda: asyncio.get_running_loop().create_task(self._end_parts(ended)))
        try:
            ended.result(timeout=5.0)
        except concurrent.futures.TimeoutError:
            log.error("The debugger did not end within 5 seconds")
        finally:
            thread.finish()
            join_ended()

    async def _end_parts(self, ended: Future[None]) -> None:
        try:
            if self._making is not None:
                self._making.cancel()  # nothing, if it is done
                await asyncio.gather(self._making, return_exceptions=True)
            if self._parts is not None:
                await self._parts.router.end()
        finally:
            ended.set_result(None)

    def _release(self) -> None:
        """Nothing more is answered: whoever waits is told so."""
        for future in list(self._waits):
            future.cancel()
        self._refuse_all(_UNLOADED)

    def _refuse_all(self, why: str) -> None:
        for future, request in list(self._asked.items()):
            self._refuse(future, request, why)
