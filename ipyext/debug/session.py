"""The debugger's client in this kernel: what `ipyext.debugger()` and `%debugctl` send and hear."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ipyext.debug.parties import Message, Party
from ipyext.debug.states import Client
from ipyext.errors import DebuggerError

if TYPE_CHECKING:
    from ipyext.debug.router import DebugRouter
    from ipyext.shells.engine import Engine

T = TypeVar("T")
Future = concurrent.futures.Future

_PRINTED = ("console", "stdout", "stderr", "important")


class Session:
    """One party of the router, used by all shells of this kernel.

    Any thread may call its methods, except those marked for the router's. They wait for the router
    and for debugpy, and raise what `Debugging.wait` does.

    Attributes:
        log_parent: the message under which log messages of our breakpoints appear; None: nowhere.
    """

    def __init__(self, engine: Engine, router: DebugRouter) -> None:
        self._engine = engine
        self.debugging = engine.debug
        self.router = router
        self._party: Party | None = None
        self._numbers = itertools.count(1)
        self._starting: Future[str | None] | None = None
        self._expected: list[tuple[Callable[[Message], bool], Future[Message | None]]] = []
        self._conditions: list[tuple[Callable[[], bool], Future[None]]] = []
        self._watching = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.log_parent: Message | None = None

    @property
    def party(self) -> Party:
        """Our side of the router; made on first use."""
        if self._party is None:
            self._party = self.debugging.in_router(self._connect)
        return self._party

    @property
    def used(self) -> bool:
        """Whether it has ever asked the router anything."""
        return self._party is not None

    def _connect(self) -> Party:
        # What it evaluates prints by the cell that has stopped; there is no console of ours.
        return self._party or self.router.connect("this kernel", self._heard, echo=False)

    # -- waiting -------------------------------------------------------------------------------

    def await_in_router(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await a coroutine in the router's thread; an interrupt leaves it running there."""
        future: Future[T] = Future()

        async def run() -> None:
            try:
                result = await make()
            except asyncio.CancelledError:
                future.cancel()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        def begin() -> None:
            task = asyncio.get_running_loop().create_task(run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self.debugging.soon(begin)
        self.debugging.wait(future)
        return future.result()

    def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `condition` holds, which the router's thread asks after every change."""
        future: Future[None] = Future()

        def begin() -> None:
            if not self._watching:
                self._watching = True
                self.router.on_change(self._changed)
            self._conditions.append((condition, future))
            self._changed()

        self.debugging.soon(begin)
        return self.debugging.wait(future, seconds)

    def cancel(self, condition: Callable[[], bool]) -> None:
        """End all waits for `condition`, whether it holds or not."""

        def end() -> None:
            for found, future in self._conditions:
                if found == condition:
                    future.set_result(None)
            self._conditions[:] = [entry for entry in self._conditions if entry[0] != condition]

        self.debugging.soon(end)

    def _changed(self) -> None:
        kept = []
        for condition, future in self._conditions:
            if condition():
                future.set_result(None)
            else:
                kept.append((condition, future))
        self._conditions[:] = kept

    # -- requests ------------------------------------------------------------------------------

    def request(self, command: str, arguments: Message) -> Message:
        """A request with the next number."""
        return {
            "seq": next(self._numbers),
            "type": "request",
            "command": command,
            "arguments": arguments,
        }

    def ask(self, command: str, **arguments: Any) -> Message:
        """Send a request and return the body of its response.

        Raises:
            DebuggerError: the debugger refuses; the message says why.
        """
        party, request = self.party, self.request(command, arguments)
        return self.answer(self.debugging.in_router(lambda: self.router.send(party, request)))

    def answer(self, future: Future[Message]) -> Message:
        """Wait for a response and return its body. Raises as `ask`."""
        self.debugging.wait(future)
        response = future.result()
        if not response.get("success"):
            raise DebuggerError(str(response.get("message") or "The debugger refused."))
        body: Message = response.get("body") or {}
        return body

    def ask_and_expect(
        self, command: str, arguments: Message, expected: Callable[[Message], bool]
    ) -> Future[Message | None]:
        """Send a request; gives the first event from then on that `expected` says yes to.

        The future's result is None if the debugger ends before that. Raises as `ask`.
        """
        party = self.party
        event: Future[Message | None] = Future()

        def begin() -> Future[Message]:
            self._expected.append((expected, event))
            return self.router.send(party, self.request(command, arguments))

        try:
            self.answer(self.debugging.in_router(begin))
        except BaseException:
            self.debugging.soon(lambda: self._give_up(event))
            raise
        return event

    def _give_up(self, event: Future[Message | None]) -> None:
        self._expected[:] = [found for found in self._expected if found[1] is not event]

    def wait_event(self, event: Future[Message | None], seconds: float) -> Message | None:
        """Wait for an event at most `seconds`; None if it did not come."""
        if not self.debugging.wait(event, seconds):
            self.debugging.soon(lambda: self._give_up(event))
            return None
        return event.result()

    def _heard(self, event: Message) -> None:
        """An event for us. Router thread."""
        if event["event"] == "output":
            self._print(event.get("body") or {})
        over = event["event"] == "terminated"
        kept = []
        for expected, future in self._expected:
            if over:
                future.set_result(None)
            elif expected(event):
                future.set_result(event)
            else:
                kept.append((expected, future))
        self._expected[:] = kept

    def _print(self, body: Message) -> None:
        if self.log_parent is None or body.get("category", "console") not in _PRINTED:
            return
        name = "stderr" if body.get("category") == "stderr" else "stdout"
        content = {"name": name, "text": str(body.get("output", ""))}
        self._engine.host.publish("stream", content, self.log_parent)

    # -- the session ---------------------------------------------------------------------------

    def start(self) -> None:
        """Afterwards we are attached to a debugger that is on.

        Raises:
            DebuggerError: it could not be started; the message says why.
        """
        self.party  # noqa: B018  # made outside of the router's thread
        future = self.debugging.in_router(self._begin)
        self.debugging.wait(future)
        why = future.result()
        if why is not None:
            raise DebuggerError(why)

    def _begin(self) -> Future[str | None]:
        """Router thread. The result is why it failed, or None."""
        party = self.party
        if self._starting is not None and not self._starting.done():
            return self._starting
        started: Future[str | None] = Future()
        self._starting = started
        if party.attached and self.router.on:
            started.set_result(None)
            return started
        loop = asyncio.get_running_loop()

        def configure() -> None:
            future = self.router.send(party, self.request("configurationDone", {}))
            future.add_done_callback(lambda _: started.set_result(None))

        def attached(future: Future[Message]) -> None:
            if future.cancelled():
                started.cancel()
            elif future.result().get("success"):
                # Not from within the router's work: what it has to tell us comes first.
                loop.call_soon(configure)
            else:
                started.set_result(str(future.result().get("message")))

        options = {"clientID": "ipyext", "clientName": "ipyext", "adapterID": "ipyext"}
        self.router.send(party, self.request("initialize", options))
        self.router.send(party, self.request("attach", {})).add_done_callback(attached)
        return started

    def stop(self) -> None:
        """Afterwards we debug no more; nothing is traced if nobody else does."""
        if self._party is None or self._party.state is Client.NEW:
            return
        self.ask("disconnect")
        stopping = ("stopping", "stopping, then starting")
        self.until(lambda: self.router.core.machine.state.value not in stopping, 10.0)


def about(name: str, thread: int) -> Callable[[Message], bool]:
    """Whether an event of that name is about that thread."""

    def found(event: Message) -> bool:
        return event["event"] == name and (event.get("body") or {}).get("threadId") == thread

    return found
