"""The debugger from Python: `ipyext.debugger()`; `%debugctl` is made of the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ipyext.debug.capabilities import FILTERS
from ipyext.debug.local import is_hidden
from ipyext.debug.names import Names
from ipyext.debug.own_breakpoints import OwnBreakpoints
from ipyext.debug.parties import Message, Party
from ipyext.debug.session import Session, about
from ipyext.debug.stacks import Frame, Stacks, collect
from ipyext.debug.views import (
    WITH_OTHERS,
    Breakpoint,
    Client,
    Status,
    Stop,
    Thread,
    Variable,
)
from ipyext.errors import DebuggerError
from ipyext.shells import view

if TYPE_CHECKING:
    from ipyext.debug.router import DebugRouter
    from ipyext.debug.server import DebugServer
    from ipyext.shells.engine import Engine

STOPS = ("thread", "all")
_OFF = "The debugger is off. Start it first: %debugctl start, or ipyext.debugger().start()."


class Debugger:
    """The debugger of this kernel, as one of its clients.

    Every method may be called from any thread of the kernel, in any shell, also while main runs
    or is stopped. Waits end with an interrupt of the calling shell. A thread is named by its
    shell (``"main"``, the name or id of a child), by its own name, or by its number; None is the
    one that stopped last.

    All methods raise `ipyext.errors.DebuggerError` with what to do about it.
    """

    def __init__(
        self, engine: Engine, router: DebugRouter, server: DebugServer, session: Session
    ) -> None:
        self._engine = engine
        self._debugging = engine.debug
        self._router = router
        self._server = server
        self._session = session
        self._names = Names(engine)
        self._filters: tuple[str, ...] = ()
        self._breakpoints = OwnBreakpoints(self._session, self._names)

    # -- the session ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start debugging; nothing happens if this client debugs already.

        Afterwards breakpoints stop, also in cells that run already. Other clients notice nothing.
        """
        self._session.start()

    def stop(self) -> None:
        """Leave: afterwards this client's breakpoints are gone.

        Other clients go on. If there are none, all that is stopped goes on and nothing is traced.
        """
        self._session.stop()
        self._session.log_parent = None
        self._filters = ()

    def status(self) -> Status:
        """How things are. Debugs nothing."""
        core = self._router.core

        def look() -> Status:
            threads = self._threads() if core.on else []
            party = self._session.party if self._session.used else None
            return Status(
                state=core.machine.state.value,
                attached=party is not None and party.attached and core.on,
                clients=tuple(
                    self._client(one)
                    for one in core.parties.values()
                    if one is not party or one.attached
                ),
                stopped=tuple(thread for thread in threads if thread.stopped),
                breakpoints=0 if party is None else self._count(party),
                address=self._server.address,
                stop=self._stops_what,
            )

        return self._debugging.in_router(look)

    @property
    def _stops_what(self) -> str:
        return "all" if self._router.core.stop_all else "thread"

    def clients(self) -> list[Client]:
        """All clients; this one if it debugs. Debugs nothing."""
        return list(self.status().clients)

    def _client(self, party: Party) -> Client:
        mine = self._session.used and party is self._session.party
        kind = "Jupyter" if party.jupyter else "Python" if mine else "TCP"
        program = "" if mine else str(party.client_id or "")
        state = "gone, may come back" if party.lingering else party.state.value
        return Client(party.name, kind, program, state, self._count(party))

    def _count(self, party: Party) -> int:
        return len(self._breakpoints.of(party))

    def config(self, stop: str | None = None) -> str:
        """What a breakpoint stops: ``"thread"``, only the thread that came by, or ``"all"``.

        With `stop` it is changed, for all clients and at once. Returns what holds.
        """
        if stop is not None:
            if stop not in STOPS:
                raise DebuggerError(f"stop is 'thread' or 'all', not {stop!r}.")
            if stop != self._stops_what and self._any_stop:
                raise DebuggerError(
                    "What a breakpoint stops cannot be changed while something is stopped. Let it "
                    "go on first: %debugctl continue --all."
                )
            self._debugging.set_stop(stop)
            self._debugging.in_router(lambda: None)  # it was told before
        return self._stops_what

    # -- the port ------------------------------------------------------------------------------

    def listen(
        self, host: str = "127.0.0.1", port: int = 0, force: bool = False
    ) -> tuple[str, int]:
        """Open a port for editors that speak the Debug Adapter Protocol; returns its address.

        Nothing happens if that port is open already; there is one at a time.

        Args:
            host: an address of this machine; only loopback, unless forced.
            port: 0 for any free one.
            force: let peers in from elsewhere, too, and those whose user cannot be found out.
                Whoever can reach the port can run code in this kernel then.

        Raises:
            ipyext.debug.listener.ListenError: nothing was opened.
        """
        return self._session.await_in_router(lambda: self._server.open(host, port, force=force))

    def unlisten(self) -> None:
        """Close that port; afterwards no TCP client is connected."""
        self._session.await_in_router(self._server.close)

    # -- threads -------------------------------------------------------------------------------

    def threads(self) -> list[Thread]:
        """The threads that run people's code: those that are stopped first, then main."""
        self._need_on()
        return self._debugging.in_router(self._threads)

    def _need_on(self) -> None:
        if not self._router.on or not self._session.party.attached:
            raise DebuggerError(_OFF)

    def _threads(self) -> list[Thread]:
        """Router thread."""
        debugpy = self._router.debugpy
        threads = dict(debugpy.threads())
        stopped = self._router.core.stopped
        found = []
        for one in self._router.threads():
            thread, body = threads.get(one["id"]), stopped.get(one["id"])
            shell = None if thread is None else self._engine.shell_of(thread)
            why = None if body is None else str(body.get("description") or body.get("reason"))
            if why is None and thread is not None and debugpy.stops.stopped_with_others(thread):
                why = WITH_OTHERS
            label = None if shell is None else shell.label
            found.append(Thread(one["id"], one["name"], label, why))
        return found

    def _thread(self, wanted: str | int | None, *, stopped: bool = True) -> Thread:
        self._need_on()
        threads = self._debugging.in_router(self._threads)
        if wanted is None:
            latest = next((thread for thread in threads if thread.stopped), None)
            if latest is None:
                raise DebuggerError(
                    "No thread is stopped. Set a breakpoint (%debugctl break), or stop one that "
                    "runs (%debugctl pause main). %debugctl stacks shows what all of them do."
                )
            return latest
        found = self._named(str(wanted), threads)
        if stopped and not found.stopped and not (self._router.core.stop_all and self._any_stop):
            raise DebuggerError(
                f"{found.label} is not stopped. Stop it with %debugctl pause {found.label}, or "
                "look without stopping it: %debugctl stacks."
            )
        return found

    @property
    def _any_stop(self) -> bool:
        return bool(self._router.core.stopped)

    def _named(self, wanted: str, threads: list[Thread]) -> Thread:
        for matches in (
            lambda one: one.shell == wanted,
            lambda one: str(one.id) == wanted,
            lambda one: one.name == wanted,
        ):
            for one in threads:
                if matches(one):
                    return one
        for child in self._engine.registry.all():  # by its id, or the beginning of that
            if len(wanted) >= 4 and str(child.id).startswith(wanted):
                return self._named(child.label, threads) if child.label != wanted else threads[0]
        known = ", ".join(one.label for one in threads)
        raise DebuggerError(f"There is no thread {wanted!r}. There are: {known}.")

    def where(self, thread: str | int | None = None) -> Stop:
        """Where a stopped thread is."""
        return self._where(self._thread(thread))

    def _where(self, thread: Thread) -> Stop:
        frames = tuple(self._frame(found, thread.shell) for found in self._frames(thread))
        body = self._router.core.stopped.get(thread.id) or {}
        return Stop(thread, frames, str(body.get("text") or ""))

    def _frames(self, thread: Thread) -> list[Message]:
        found: list[Message] = self._session.ask("stackTrace", threadId=thread.id)["stackFrames"]
        return found

    def _frame(self, found: Message, shell: str | None) -> Frame:
        path = str((found.get("source") or {}).get("path") or "")
        lines = self._names.lines(path)
        cell, line = self._names.of_line(path, int(found["line"]), shell)
        source = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        return Frame(path, line, str(found["name"]), source, cell)

    def lines(self, file: str) -> list[str]:
        """The lines of the file of a frame, with their ends; none if it cannot be read."""
        return self._names.lines(file)

    def wait_stopped(self, timeout: float | None = None) -> Stop | None:
        """Wait until some thread has stopped; returns where, or None after `timeout` seconds."""
        self._need_on()
        core = self._router.core
        if not self._session.until(lambda: bool(core.stopped) or not core.on, timeout):
            return None
        return self.where()

    def stacks(self) -> Stacks:
        """What every shell does now. Needs no debugger, and stops nobody."""
        return collect(self._engine)

    # -- running -------------------------------------------------------------------------------

    def pause(self, thread: str | int | None = None, timeout: float = 2.0) -> Stop | None:
        """Stop a thread that runs; None is main.

        Returns where it has stopped; None if it has not within `timeout` seconds because it is in
        native code or waits. It stops as soon as it runs Python code again.
        """
        found = self._thread("main" if thread is None else thread, stopped=False)
        if found.stopped:
            return self._where(found)
        if self._runs_here(found):
            raise DebuggerError(
                f"{found.label} is running this very call. Use breakpoint() to stop right here, or "
                "pause it from another shell."
            )
        if found.shell is not None and not view.find(self._engine, found.shell).running:
            raise DebuggerError(
                f"{found.label} runs no cell, so there is nothing to pause. Set a breakpoint "
                "instead: %debugctl break."
            )
        event = self._session.ask_and_expect(
            "pause", {"threadId": found.id}, about("stopped", found.id)
        )
        return self._stop_after(event, found, timeout)

    def _runs_here(self, thread: Thread) -> bool:
        here = threading.current_thread()
        numbers = self._debugging.in_router(
            lambda: [n for n, one in self._router.debugpy.threads() if one is here]
        )
        return thread.id in numbers

    def _stop_after(self, event: Any, thread: Thread, timeout: float) -> Stop | None:
        if self._session.wait_event(event, timeout) is None:
            return None
        return self.where(thread.id)

    def resume(self, thread: str | int | None = None, *, every: bool = False) -> list[Thread]:
        """Let a stopped thread go on, or every one; returns those that do."""
        wanted = [self._thread(thread)]
        if every:
            wanted = [one for one in self.threads() if one.stopped]
        for one in wanted:
            if one.id not in self._router.core.stopped and not self._any_stop:
                continue  # all went on with the first
            arguments = {"threadId": one.id}
            event = self._session.ask_and_expect("continue", arguments, about("continued", one.id))
            self._session.wait_event(event, 2.0)
        return wanted

    continue_ = resume

    def next(self, thread: str | int | None = None, timeout: float = 2.0) -> Stop | None:
        """Run to the next line, over calls; returns where that is.

        None if it has not stopped again within `timeout` seconds: it runs, or has ended.
        """
        return self._step("next", thread, timeout)

    def step(self, thread: str | int | None = None, timeout: float = 2.0) -> Stop | None:
        """Run to the next line, into calls; see `next`."""
        return self._step("stepIn", thread, timeout)

    def finish(self, thread: str | int | None = None, timeout: float = 2.0) -> Stop | None:
        """Run until the function returns; see `next`."""
        return self._step("stepOut", thread, timeout)

    def _step(self, command: str, thread: str | int | None, timeout: float) -> Stop | None:
        found = self._thread(thread)
        arguments = {"threadId": found.id, "singleThread": not self._router.core.stop_all}
        event = self._session.ask_and_expect(command, arguments, about("stopped", found.id))
        return self._stop_after(event, found, timeout)

    # -- looking -------------------------------------------------------------------------------

    def locals(self, thread: str | int | None = None, frame: int = 0) -> list[Variable]:
        """The local variables of a stopped thread; `frame` counts outwards from 0.

        In the frame of a cell those are the variables of the notebook.
        """
        owner = self._frame_at(self._thread(thread), frame)
        scopes = self._session.ask("scopes", frameId=owner["id"])["scopes"]
        if not scopes:
            return []
        reference = scopes[0]["variablesReference"]
        found = self._session.ask("variables", variablesReference=reference)["variables"]
        return [
            Variable(one["name"], one["value"], str(one.get("type", "")))
            for one in found
            if one.get("type") and not (owner["name"] == "<module>" and is_hidden(one["name"]))
        ]

    def _frame_at(self, thread: Thread, frame: int) -> Message:
        frames = self._frames(thread)
        if not 0 <= frame < len(frames):
            raise DebuggerError(
                f"{thread.label} has {len(frames)} frames; count from 0, the innermost one."
            )
        return frames[frame]

    def eval(self, expression: str, thread: str | int | None = None, frame: int = 0) -> str:
        """Evaluate in a frame of a stopped thread; returns the repr, empty for statements.

        If no thread is stopped, the variables of main are used.
        """
        self._need_on()
        arguments: Message = {"expression": expression, "context": "repl"}
        if thread is not None or self._any_stop:
            arguments["frameId"] = self._frame_at(self._thread(thread), frame)["id"]
        try:
            return str(self._session.ask("evaluate", **arguments).get("result", ""))
        except DebuggerError as error:
            text = str(error).strip()
            if not text.startswith("Traceback"):
                raise
            raise DebuggerError(text.splitlines()[-1]) from None  # the rest is the debugger's

    # -- breakpoints ---------------------------------------------------------------------------

    def set_breakpoint(
        self,
        place: str,
        condition: str | None = None,
        log: str | None = None,
        hits: str | int | None = None,
    ) -> Breakpoint:
        """Stop at a place from now on, also in code that runs already.

        Args:
            place: ``"FILE:LINE"``, ``"In[N]:LINE"`` for a cell of main, ``"NAME/In[N]:LINE"`` for
                one of a subshell, or the name of a function. One that is there already is
                replaced.
            condition: an expression; stops only where it is true.
            log: instead of stopping, prints this, with ``{expressions}`` filled in.
            hits: a number, or a comparison such as ``">= 5"`` or ``"% 10"``: stops only then.
        """
        self._need_on()
        if log:
            request = self._engine.contexts.current() or self._engine.parent.current
            self._session.log_parent = None if request is None else dict(request.message)
        return self._breakpoints.set(place, condition, log, None if hits is None else str(hits))

    def breakpoints(self) -> list[Breakpoint]:
        """The breakpoints of this client."""
        return self._breakpoints.all()

    def clear(self, which: str | int | None = None) -> int:
        """Remove a breakpoint by its number or place; without any, all of this client.

        Returns how many were removed.
        """
        self._need_on()
        return self._breakpoints.clear(None if which is None else str(which))

    def exceptions(self, *which: str) -> tuple[str, ...]:
        """Stop at exceptions: ``"raised"``, ``"uncaught"``, ``"userUnhandled"``; ``"none"``.

        Without any, nothing is changed. Returns what this client has.
        """
        if which:
            self._need_on()
            chosen = tuple(dict.fromkeys(name for name in which if name != "none"))
            for name in chosen:
                if name not in FILTERS:
                    known = ", ".join(FILTERS)
                    raise DebuggerError(f"There is no {name!r}; use some of {known}, or none.")
            self._session.ask("setExceptionBreakpoints", filters=list(chosen))
            self._filters = chosen
        return self._filters

    def __repr__(self) -> str:
        return f"<Debugger of this kernel: {self._router.core.machine.state.value}>"
