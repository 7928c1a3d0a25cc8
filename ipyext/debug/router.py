"""The debug router: the multiplexer with its thread, its clients and debugpy around it.

All state belongs to the thread "Debug router"; see `ipyext.debug.debugging`.
Methods say so where any thread may call them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ipyext.debug import reach
from ipyext.debug.backend import Backend
from ipyext.debug.hits import places
from ipyext.debug.local import LocalAnswers
from ipyext.debug.multiplexer import Multiplexer
from ipyext.debug.parties import Forward, Linger, Local, Message, Party, Publish, Reply, Stop, Tell
from ipyext.debug.parties import Start as StartDebugger
from ipyext.debug.states import Debugger
from ipyext.debug.stop import DebugStop
from ipyext.threads.aside import in_thread

if TYPE_CHECKING:
    from ipyext.shells.engine import Engine
    from ipyext.shells.shell import Shell
    from ipyext.threads.loop_thread import LoopThread

_GATHER = 0.05  # seconds in which log messages gather: clients draw each time
_AGAIN = 0.05  # seconds until work of a stopped thread that was interrupted is again
log = logging.getLogger("ipyext.debug")

_GOES_ON = frozenset({"continue", "next", "stepIn", "stepOut", "goto"})
LINGER = 20.0  # seconds in which a page that is loaded again takes over


class DebugRouter:
    """Debugging for the shells of one engine.

    Attributes:
        debugpy: the boundary's debugger.
        core: the multiplexer; for the router's thread only.
        pausing: threads that were told to stop wherever they are, and what they worked on then;
            each looks itself up when it begins a cell.
        linger: seconds for which the breakpoints of a lost Jupyter client stay.
    """

    def __init__(self, engine: Engine, thread: LoopThread, debugpy: Any) -> None:
        self._engine = engine
        self._host = engine.host
        self._thread = thread
        self.debugpy = debugpy
        self._tell_from = 0.0  # on the clock of the router's loop
        self._stops: dict[threading.Thread, DebugStop] = {}
        self.linger = LINGER
        self.core = Multiplexer(self, places.condition)
        self._local = LocalAnswers(engine, self)
        self._backend = Backend(
            self.debugpy,
            lambda: self._do(self.core.backend_connected),
            lambda: self._do(self.core.backend_configured),
            self._heard,
            self._lost,
        )
        self._sessions: dict[str, tuple[Party, int]] = {}
        self._waiting: dict[int, tuple[Message, concurrent.futures.Future[Message]]] = {}
        self._parents: dict[int, Message] = {}
        self._tellers: dict[int, Callable[[Message], None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[Callable[[], None]] = []
        self.pausing: dict[int, Any] = {}
        self.on_close: list[Callable[[], Any]] = []
        places.spoken = functools.partial(self._call, self._spoken)
        places.leaving = self.exception_comes

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        """Run `function` in the router's thread soon. Any thread; takes no lock."""
        self._thread.call(lambda: function(*args))

    def _spoken(self) -> None:
        """There are log messages of breakpoints: tell them now, or once more have gathered.

        A loop that logs would fill the clients' queues otherwise, and ZeroMQ drops what is too
        much for one, whatever it is.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._tell_from:
            self._tell_said()
        else:
            loop.call_at(self._tell_from, self._tell_said)

    def _tell_said(self) -> None:
        self._tell_from = asyncio.get_running_loop().time() + _GATHER
        for client, text in places.said().items():
            self._do(self.core.say, client, text)

    @property
    def on(self) -> bool:
        """Whether debugpy is on. Any thread."""
        return self.core.on and not self.debugpy.forked

    async def end(self) -> None:
        """End clients and debugpy. Router thread, once."""
        try:
            for function in self.on_close:
                await function()
            self._do(self.core.end, "ipyext was unloaded.")
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            places.clear()

    # -- clients -------------------------------------------------------------------------------

    def jupyter_request(self, request: Any, parent: Message, fd: int, future: Any) -> None:
        """See `Debugging.jupyter_request`; `future` takes the response. Router thread."""
        session = str(parent["header"].get("session"))
        for other, (party, its_fd) in list(self._sessions.items()):
            if its_fd == fd and other != session:  # the descriptor was free again
                self._session_gone(other, party)
        if session not in self._sessions:
            party = self.core.connect(f"Jupyter session {session[:8]}", jupyter=True)
        else:
            party = self._sessions[session][0]
            self.core.back(party)
        self._sessions[session] = (party, fd)
        self._parents[party.key] = parent
        self._receive(party, request, future)

    def connection_gone(self, fd: int) -> None:
        """A client's connection on control is lost. Router thread."""
        for session, (party, its_fd) in list(self._sessions.items()):
            if its_fd == fd:
                self._session_gone(session, party)

    def _session_gone(self, session: str, party: Party) -> None:
        self._do(self.core.close, party, linger=True)
        if party.lingering:
            self._sessions[session] = (party, -1)
        else:
            self._sessions.pop(session, None)

    def knows(self, session: str) -> bool:
        """Whether that Jupyter client has asked for anything. Any thread."""
        return session in self._sessions

    def connect(self, name: str, tell: Callable[[Message], None], *, echo: bool = True) -> Party:
        """A client that has a connection of its own. Router thread.

        With `echo` it is told what its expressions print, which is shown by the cell as well.
        """
        party = self.core.connect(name)
        party.echo = echo
        self._tellers[party.key] = tell
        return party

    def disconnect(self, party: Party) -> None:
        """That client's connection is gone. Router thread."""
        self._tellers.pop(party.key, None)
        self._do(self.core.close, party)

    def send(self, party: Party, request: Any) -> concurrent.futures.Future[Message]:
        """A request of such a client; gives its response. Any thread."""
        future = concurrent.futures.Future[Message]()
        self._call(self._receive, party, request, future)
        return future

    def receive(self, party: Party, request: Any, reply: Callable[[Message], None]) -> None:
        """The same for who is called back: in order with the events of that client. Router thread.

        `reply` is not called any more once the client is gone.
        """
        future = concurrent.futures.Future[Message]()

        def done(answered: concurrent.futures.Future[Message]) -> None:
            if not answered.cancelled():
                reply(answered.result())

        future.add_done_callback(done)
        self._receive(party, request, future)

    def _receive(self, party: Party, request: Any, future: Any) -> None:
        if not isinstance(request, dict):
            request = {"type": type(request).__name__}
        self._waiting[id(request)] = (request, future)
        self._do(self.core.receive, party, request)

    def on_change(self, function: Callable[[], None]) -> None:
        """Have `function` called after everything that changes something. Router thread."""
        self._listeners.append(function)

    # -- actions -------------------------------------------------------------------------------

    def do(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a method of the core and do what it asks for. Router thread."""
        return self._do(function, *args, **options)

    def _do(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        for action in self.core.take():
            self._act(action)
        for listener in list(self._listeners):
            listener()
        return result

    @contextmanager
    def watched(self, function: Callable[[], None]) -> Iterator[None]:
        """Have `function` called after everything that changes something. Router thread."""
        self._listeners.append(function)
        try:
            yield
        finally:
            self._listeners.remove(function)

    def _heard(self, message: Message) -> None:
        if places.has_said:  # before whatever came after it
            self._tell_said()
        body = message.get("body") or {}
        if message.get("event") == "stopped" and body.get("threadId") in self.pausing:
            self.pausing.pop(body["threadId"], None)
            body["reason"] = "pause"
        if not self.debugpy.is_untrue(message):
            self._do(self.core.backend_message, message)
        if message.get("type") == "response" and message.get("command") == "setBreakpoints":
            self.debugpy.stops.breakpoints_set()
        if message.get("type") == "response" and message.get("command") in _GOES_ON:
            self.debugpy.nudge()  # debugpy itself looks five times a second

    def _act(self, action: Any) -> None:
        if isinstance(action, Reply):
            _, future = self._waiting.pop(id(action.request), (None, None))
            if future is not None and not future.done():
                future.set_result(action.response)
        elif isinstance(action, Tell):
            tell = self._tellers.get(action.party.key)
            if tell is not None:
                tell(action.event)
        elif isinstance(action, Publish):
            parent = {} if action.party is None else self._parents.get(action.party.key, {})
            self._host.publish("debug_event", action.event, parent)
        elif isinstance(action, Forward):
            self._backend.send(action.request)
            if action.seconds is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(action.seconds, self._do, self.core.expired, action.request["seq"])
        elif isinstance(action, Local):
            self._spawn(self._local.answer(action.party, action.request))
        elif isinstance(action, Linger):
            loop = asyncio.get_running_loop()
            loop.call_later(self.linger, self._expire, action.party)
        elif isinstance(action, StartDebugger):
            self._local.before_start()
            self._backend.start()
        elif isinstance(action, Stop):
            self._spawn(self._stop())

    def _lost(self, why: str) -> None:
        self._do(self.core.backend_lost, why)
        if self.core.machine.state is Debugger.OFF:  # it had not begun
            self._local.after_stop()

    async def _stop(self) -> None:
        await self._backend.stop()
        self._local.after_stop()
        self._tell_said()
        places.clear()
        self.pausing.clear()
        self._do(self.core.backend_stopped)

    def _expire(self, party: Party) -> None:
        self._do(self.core.expire, party)
        if party.key not in self.core.parties:
            for session, (found, _) in list(self._sessions.items()):
                if found is party:
                    del self._sessions[session]

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def in_thread(self, function: Callable[[], Any]) -> Any:
        """Run what may take long, or runs the person's code, in a thread of its own."""
        return await in_thread(function, "Debug inspector")

    # -- what the multiplexer has to know ------------------------------------------------------

    def threads(self) -> list[Message]:
        """See `parties.Environment`. Those that are stopped come first."""
        return self._local.threads()

    def info(self) -> Message:
        """See `parties.Environment`."""
        return self._local.info()

    def attach_options(self) -> Message:
        """See `parties.Environment`."""
        return self._local.attach_options()

    def turned_down(self, thread: int) -> frozenset[int]:
        """See `parties.Environment`."""
        return self._local.turned_down(thread)

    def same_file(self, one: str, other: str) -> bool:
        """See `parties.Environment`."""
        return reach.same_file(one, other)

    def never_hit(self, path: str, line: int) -> str | None:
        """See `parties.Environment`."""
        return reach.never(path, line)

    def compiling(self, code: str) -> None:
        """The debugger is on and a cell is about to be compiled. The thread of its shell."""
        try:
            self._host.cells.write(code)
        except Exception as error:
            log.warning("%s", error)
        thread = threading.current_thread()
        self.debugpy.trace_this_thread()
        number, shell = self.debugpy.thread_id(thread), self._engine.shell_of(thread)
        asked = self.pausing.get(number)
        if asked is None or shell is None:
            return
        if asked is shell.current:
            self.debugpy.stops.pause(thread)  # as this cell began: it had nothing to stop in
        else:  # a cell before, which ended first
            self.pausing.pop(number, None)

    # -- threads that stop ---------------------------------------------------------------------

    @contextmanager
    def suspended(self, thread: threading.Thread) -> Iterator[None]:
        """The calling thread is stopped by the debugger for as long as this lasts.

        Raises:
            KeyboardInterrupt: its shell was interrupted meanwhile.
        """
        shell = self._shell_of(thread)
        # debugpy stops a thread again within its stop when it jumps to another line.
        if shell is None or self._engine.debug.is_quiet or thread in self._stops:
            yield
            return
        stop = DebugStop(thread, self._resume_soon, self._again_soon)
        with self._engine.stopped(shell, stop):
            self._stops[thread] = stop
            try:
                yield
            finally:
                del self._stops[thread]
        if stop.interrupted:
            raise KeyboardInterrupt

    def at_work(self, function: Callable[[], Any], evaluation: int | None = None) -> Any:
        """Run what a client asked of the calling thread, which may be stopped.

        Args:
            function: does it.
            evaluation: the request, as debugpy numbers it, if its asker wants what is printed.

        Raises:
            KeyboardInterrupt: its shell was interrupted.
        """
        stop = self._stops.get(threading.current_thread())
        run = function if stop is None else functools.partial(stop.work, function)
        if evaluation is None:
            return run()
        with self.hearing(functools.partial(self.core.printed, evaluation)):
            return run()

    @contextmanager
    def hearing(self, tell: Callable[[str, str], None]) -> Iterator[None]:
        """What the calling thread prints within is also told, as text and name of the stream.

        `tell` is a method of the core's, and is called in the router's thread.
        """
        listeners, thread = self._engine.listeners, threading.get_ident()
        former = listeners.get(thread)  # the expression may stop somewhere itself
        listeners[thread] = lambda text, stream: self._call(self._do, tell, text, stream)
        try:
            yield
        finally:
            listeners.pop(thread)
            if former is not None:
                listeners[thread] = former

    def exception_comes(self) -> None:
        """See `Debugging.exception_comes`."""
        if self.core.on:
            self.debugpy.stops.exception_comes()

    def _again_soon(self, again: Callable[[], None]) -> None:
        self._call(lambda: asyncio.get_running_loop().call_later(_AGAIN, again))

    def _resume_soon(self, thread: threading.Thread) -> None:
        self._call(self._resume, thread)

    def _resume(self, thread: threading.Thread) -> None:
        if self.core.on:
            self.debugpy.stops.resume(thread)

    def _shell_of(self, thread: threading.Thread) -> Shell | None:
        return self._engine.shell_of(thread)
