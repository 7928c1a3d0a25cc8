"""Many clients, one debugger: who is answered what, and what debugpy is told. Pure.

The router feeds it what comes in and does the `Action`s that `take` returns. All of it belongs to
the debug router thread. Sources: the Debug Adapter Protocol; the Jupyter messaging documentation
on debug_request; debugpy's attach arguments.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ipyext.debug.breakpoints import Breakpoint, Breakpoints, Merged
from ipyext.debug.capabilities import CAPABILITIES
from ipyext.debug.parties import (
    Action,
    Environment,
    Forward,
    Linger,
    Local,
    Message,
    Party,
    PathMap,
    Pending,
    Publish,
    Reply,
    Start,
    Stop,
    Tell,
    Then,
)
from ipyext.debug.states import DEBUGGER, Client, Debugger, Machine, Move, StateError, Step
from ipyext.protocol import dap

# Answered without a session: a front end asks them of every kernel.
_ANYTIME = frozenset(
    {
        "debugInfo",
        "debugpySystemInfo",
        "dumpCell",
        "inspectVariables",
        "modules",
        "richInspectVariables",
        "source",
    }
)
_LOCAL = frozenset(
    {"debugpySystemInfo", "dumpCell", "inspectVariables", "modules", "pause", "threads"}
)
_FORWARDED = frozenset(
    {
        "completions",
        "goto",
        "gotoTargets",
        "scopes",
        "setDebuggerProperty",
        "setExpression",
        "setPydevdSourceMap",
        "setVariable",
        "stepInTargets",
    }
)
_OF_STOPPED = frozenset({"exceptionInfo", "next", "stackTrace", "stepIn", "stepOut"})
SECONDS = 60.0  # for what runs the person's code; the rest has a tenth of it
_RUNS_CODE = frozenset({"evaluate", "setExpression", "setVariable", "variables", "scopes"})


class Multiplexer:
    """The debug adapter of one kernel, without its connections.

    Attributes:
        machine: where the debugger is.
        stop_all: a breakpoint stops every thread, not just the one that came by.
        stopped: bodies of the stopped events of the threads that are stopped, latest first.
        parties: the clients, by key.
    """

    def __init__(self, environment: Environment, decide: Callable[[list[Breakpoint]], str]) -> None:
        self.machine = Machine(DEBUGGER, Debugger.OFF)
        self.stop_all = False
        self.stopped: dict[int, Message] = {}
        self.parties: dict[int, Party] = {}
        self.breakpoints = Breakpoints(decide)
        self._environment = environment
        self._actions: list[Action] = []
        self._keys = itertools.count(1)
        self._jupyter_seq = itertools.count(1)
        self._backend_seq = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._modules: dict[Any, Message] = {}
        self._why = ""

    def take(self) -> list[Action]:
        """What is to be done now, in this order."""
        actions, self._actions = self._actions, []
        return actions

    @property
    def on(self) -> bool:
        return self.machine.state is Debugger.ON

    @property
    def attached(self) -> list[Party]:
        """The clients that debug."""
        return [party for party in self.parties.values() if party.attached]

    # -- clients -------------------------------------------------------------------------------

    def connect(self, name: str, *, jupyter: bool = False) -> Party:
        """A client comes."""
        party = Party(next(self._keys), name, jupyter)
        self.parties[party.key] = party
        return party

    def close(self, party: Party, *, linger: bool = False) -> None:
        """A client's connection is gone.

        With `linger`, what it wanted stays until `expire`, or until the next client of the same
        notebook takes it over: a page that is loaded again.
        """
        if linger and party.attached:
            party.lingering = True
            self._actions.append(Linger(party))
            return
        self._leave(party, Move.CLOSE)
        self.parties.pop(party.key, None)

    def expire(self, party: Party) -> None:
        """Nobody took over from a client that is gone."""
        if party.lingering:
            party.lingering = False
            self.close(party)

    def back(self, party: Party) -> None:
        """A client that was gone has a connection again."""
        party.lingering = False

    def _leave(self, party: Party, move: Move) -> None:
        """Its breakpoints go and nothing else; the last one takes the debugger along."""
        counted = party.attached or party.state is Client.ATTACHING
        party.machine.advance(move)
        party.told_on = False
        party.shown.clear()
        attaching, party.attaching = party.attaching, None
        if attaching is not None:
            self._fail(party, attaching, "disconnected before the debugger was on")
        if move is Move.CLOSE:
            party.open.clear()
        self._forget(party)
        if counted and not self._wanted():
            self._stop()

    def _wanted(self) -> bool:
        return any(p.attached or p.state is Client.ATTACHING for p in self.parties.values())

    def _forget(self, party: Party) -> None:
        paths, functions, exceptions = self.breakpoints.forget(party.key)
        if not self.on or not self._wanted():
            return
        for path in paths:
            self._set_source(path)
        if functions:
            self._set_functions()
        if exceptions:
            self._set_exceptions()

    # -- requests ------------------------------------------------------------------------------

    def receive(self, party: Party, request: Message) -> None:
        """A client asks. It is answered exactly once, now or later."""
        party.open[id(request)] = request
        problem = dap.problem(request)
        if problem is not None:
            self._fail(party, request, f"This is no DAP request: {problem}.")
            return
        command = request["command"]
        handler = getattr(self, f"_do_{command}", None)
        known = handler is not None or command in _LOCAL | _FORWARDED | _OF_STOPPED
        if not known:
            self._fail(party, request, f"{command} is not supported here.")
            return
        try:
            self._check(party, command)
            request = self._mapped(party, request)
            if handler is not None:
                handler(party, request)
            elif command in _LOCAL:
                self._actions.append(Local(party, request))
            else:
                if command in _OF_STOPPED:
                    self._need_stopped(request)
                self.forward(party, request)
        except StateError as error:
            self._fail(party, request, str(error))

    def _mapped(self, party: Party, request: Message) -> Message:
        arguments = request.get("arguments") or {}
        mapped = {**request, "arguments": party.paths.to_kernel(arguments)}
        party.open[id(mapped)] = party.open.pop(id(request))
        party.open[id(mapped)] = mapped
        mapped["_original"] = request
        return mapped

    def _check(self, party: Party, command: str) -> None:
        if command in ("initialize", "attach", "launch", "disconnect") or command in _ANYTIME:
            return
        if party.attached and self.on:
            return
        if self.on and party.told_on and party.machine.can(Move.JOIN):
            party.machine.advance(Move.JOIN)
            return
        raise StateError(
            f"{command} needs a debugging session: send initialize and attach first. "
            f"The debugger is {self.machine.state.value}."
        )

    def answer(self, party: Party, request: Message, body: Message | None) -> None:
        """A request that was handed out as `Local` is answered."""
        self._reply(party, request, dap.response(request, body))

    def fail(self, party: Party, request: Message, why: str) -> None:
        """A request that was handed out as `Local` cannot be answered."""
        self._fail(party, request, why)

    def forward(
        self, party: Party, request: Message, change: Callable[[Message], Message] | None = None
    ) -> None:
        """Have debugpy answer a request; `change` works on its response before the client sees it.

        Nothing is sent if debugpy is off.
        """
        if not self.on:
            self._fail(party, request, f"The debugger is {self.machine.state.value}.")
            return

        def then(response: Message) -> None:
            self._reply(party, request, change(response) if change else response)

        self._ask(request["command"], request.get("arguments") or {}, then, party)

    def _reply(self, party: Party, request: Message, response: Message) -> None:
        if party.open.pop(id(request), None) is None:
            return
        original = request.get("_original", request)
        seq = original.get("seq", 0)
        found = {
            "seq": next(self._jupyter_seq if party.jupyter else party.seq),
            "type": "response",
            "request_seq": seq if isinstance(seq, int) else 0,
            "success": bool(response.get("success")),
            "command": str(original.get("command", "")),
        }
        if "message" in response:
            found["message"] = response["message"]
        found["body"] = party.paths.to_client(response.get("body") or {})
        self._actions.append(Reply(party, original, found))

    def _fail(self, party: Party, request: Message, why: str) -> None:
        self._reply(party, request, dap.failure(request, why))

    def _need_stopped(self, request: Message) -> int:
        thread = (request.get("arguments") or {}).get("threadId")
        if self.stop_all and self.stopped:
            return int(thread or next(iter(self.stopped)))
        if thread not in self.stopped:
            raise StateError(f"Thread {thread} is not stopped.")
        return int(thread)

    # -- requests: the session -----------------------------------------------------------------

    def _do_initialize(self, party: Party, request: Message) -> None:
        arguments = request["arguments"]
        if party.machine.can(Move.INITIALIZE):
            party.machine.advance(Move.INITIALIZE)
        party.client_id = arguments.get("clientID")
        party.left = False
        self.answer(party, request, dict(CAPABILITIES))

    def _do_attach(self, party: Party, request: Message) -> None:
        arguments = request["arguments"]
        if party.attached:  # again, by a client that does not know
            self._answer_attach(party, request)
            return
        if not party.machine.can(Move.ATTACH):
            why = "is under way" if party.state is Client.ATTACHING else "needs initialize first"
            raise StateError(f"attach {why}.")
        party.machine.advance(Move.ATTACH)
        party.arguments = arguments
        party.paths = PathMap(arguments.get("pathMappings"))
        party.attaching = request
        if self.on:
            self._ready(party)
        elif self.machine.can(Step.START):
            self.machine.advance(Step.START)
            if self.machine.state is Debugger.STARTING:
                self._actions.append(Start())

    def _ready(self, party: Party) -> None:
        party.machine.advance(Move.READY)
        request, party.attaching = party.attaching, None
        if request is not None:
            self._answer_attach(party, request)

    def _answer_attach(self, party: Party, request: Message) -> None:
        self._event(dap.event("initialized"), party)
        self.answer(party, request, None)
        if party.jupyter:
            self._catch_up(party)

    def _do_launch(self, party: Party, request: Message) -> None:
        raise StateError("The kernel runs already: use an attach configuration.")

    def _do_configurationDone(self, party: Party, request: Message) -> None:
        self.answer(party, request, None)
        if not party.jupyter:
            self._catch_up(party)

    def _catch_up(self, party: Party) -> None:
        """Tell a newcomer what it has missed."""
        for thread in self._environment.threads():
            body = {"reason": "started", "threadId": thread["id"]}
            self._event(dap.event("thread", body), party)
        for body in self._modules.values():
            self._event(dap.event("module", body), party)
        for body in reversed(list(self.stopped.values())):
            self._event(dap.event("stopped", body), party)

    def _do_disconnect(self, party: Party, request: Message) -> None:
        self.answer(party, request, None)
        party.left = True
        self._leave(party, Move.DISCONNECT)

    def _do_terminate(self, party: Party, request: Message) -> None:
        raise StateError("The debugger does not end the kernel; use the front end to shut it down.")

    # -- requests: running ---------------------------------------------------------------------

    def _do_continue(self, party: Party, request: Message) -> None:
        thread = self._need_stopped(request)
        arguments = {"threadId": thread, "singleThread": not self.stop_all}

        def change(response: Message) -> Message:
            body = {**(response.get("body") or {}), "allThreadsContinued": self.stop_all}
            return {**response, "body": body}

        self.forward(party, _with(request, arguments), change)

    def _do_evaluate(self, party: Party, request: Message) -> None:
        if request["arguments"].get("frameId") is None:
            self._actions.append(Local(party, request))
        else:
            self.forward(party, request)

    def _do_variables(self, party: Party, request: Message) -> None:
        self._actions.append(Local(party, request))  # who may hand it on to debugpy

    def _do_source(self, party: Party, request: Message) -> None:
        if request["arguments"].get("sourceReference") and self.on:
            self.forward(party, request)
        else:
            self._actions.append(Local(party, request))

    def _do_richInspectVariables(self, party: Party, request: Message) -> None:
        self._actions.append(Local(party, request))

    def _do_copyToGlobals(self, party: Party, request: Message) -> None:
        self._actions.append(Local(party, request))

    # -- requests: breakpoints -----------------------------------------------------------------

    def _do_setBreakpoints(self, party: Party, request: Message) -> None:
        arguments = request["arguments"]
        path = (arguments.get("source") or {}).get("path")
        wanted = arguments.get("breakpoints")
        if wanted is None:
            wanted = [{"line": line} for line in arguments.get("lines") or []]
        if not isinstance(path, str) or not path:
            raise StateError("setBreakpoints needs source.path.")
        if not all(isinstance(one, dict) and isinstance(one.get("line"), int) for one in wanted):
            raise StateError("Every breakpoint needs a line, which is a number.")
        if party.adopts:
            lines = [one["line"] for one in wanted]
            for gone in self.breakpoints.drop(path, party.shown, lines):
                body = {"reason": "removed", "breakpoint": gone.shown}
                self._event(dap.event("breakpoint", body), self.parties.get(gone.client))
        mine = self.breakpoints.set_source(party.key, path, wanted)
        party.shown.update(one.id for one in mine)

        def done(response: Message) -> None:
            body = {"breakpoints": [one.shown for one in mine]}
            self._reply(party, request, {**response, "body": body})

        self._set_source(path, done, party)

    def _set_source(self, path: str, then: Then | None = None, by: Party | None = None) -> None:
        merged = self.breakpoints.in_source(path)
        arguments = {"source": {"path": path}, "breakpoints": merged.wanted}
        self._set("setBreakpoints", arguments, merged, then, by)

    def _do_setFunctionBreakpoints(self, party: Party, request: Message) -> None:
        wanted = request["arguments"].get("breakpoints") or []
        if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in wanted):
            raise StateError("Every function breakpoint needs a name.")
        mine = self.breakpoints.set_functions(party.key, wanted)

        def done(response: Message) -> None:
            body = {"breakpoints": [one.shown for one in mine]}
            self._reply(party, request, {**response, "body": body})

        self._set_functions(done, party)

    def _set_functions(self, then: Then | None = None, by: Party | None = None) -> None:
        merged = self.breakpoints.in_functions()
        self._set("setFunctionBreakpoints", {"breakpoints": merged.wanted}, merged, then, by)

    def _set(
        self,
        command: str,
        arguments: Message,
        merged: Merged,
        then: Then | None,
        by: Party | None,
    ) -> None:
        """Set what all clients want, and tell those whose breakpoints have moved by it."""

        def done(response: Message) -> None:
            answers = (response.get("body") or {}).get("breakpoints") or []
            for one in self.breakpoints.answered(merged, answers):
                if by is None or one.client != by.key:
                    self._changed(one)
            if then is not None:
                then(response)

        self._ask(command, arguments, done, by)

    def _changed(self, one: Breakpoint) -> None:
        body = {"reason": "changed", "breakpoint": one.shown}
        self._event(dap.event("breakpoint", body), self.parties.get(one.client))

    def _do_setExceptionBreakpoints(self, party: Party, request: Message) -> None:
        self.breakpoints.set_exceptions(party.key, request["arguments"])

        def done(response: Message) -> None:
            self._reply(party, request, response)

        self._set_exceptions(done, party)

    def _set_exceptions(self, then: Then | None = None, by: Party | None = None) -> None:
        wanted = self.breakpoints.exceptions()
        self._ask("setExceptionBreakpoints", wanted, then or _ignore, by)

    # -- requests: Jupyter's own ---------------------------------------------------------------

    def _do_debugInfo(self, party: Party, request: Message) -> None:
        others = [p for p in self.attached if p.adopts and p is not party]
        fresh = party.adopts and not party.left and party.state is Client.NEW
        if fresh and self.on:
            self._inherit(party, [p for p in others if p.lingering])
        party.told_on = party.attached or bool(fresh and self.on and others)
        started = party.told_on or party.state in (Client.INITIALIZED, Client.ATTACHING)
        sharing = [p for p in (party, *others) if p is party or party.adopts]
        files: dict[str, dict[int, Message]] = {}
        for found in sharing if started else []:
            for path, owned in self.breakpoints.of(found.key).items():
                for one in owned:
                    party.shown.add(one.id)
                    line = one.state.get("line", one.place)
                    files.setdefault(path, {})[line] = {**one.wanted, "line": line}
        self.answer(
            party,
            request,
            {
                **self._environment.info(),
                "isStarted": started,
                "breakpoints": [
                    {"source": path, "breakpoints": [lines[line] for line in sorted(lines)]}
                    for path, lines in files.items()
                ],
                "stoppedThreads": list(self.stopped) if started else [],
            },
        )

    def _inherit(self, party: Party, gone: list[Party]) -> None:
        """The same notebook again, after a reload: it goes on where the lost page was."""
        for old in gone:
            self.breakpoints.give(old.key, party.key)
        if gone and party.machine.can(Move.JOIN):
            party.machine.advance(Move.JOIN)
        for old in gone:
            old.lingering = False
            self.close(old)

    # -- debugpy -------------------------------------------------------------------------------

    def _ask(
        self, command: str, arguments: Message, then: Then, party: Party | None = None
    ) -> None:
        seq = next(self._backend_seq)
        request = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
        self._pending[seq] = Pending(request, then, party)
        seconds = SECONDS if command in _RUNS_CODE else SECONDS / 10
        self._actions.append(Forward(request, seconds))

    def ask(self, command: str, arguments: Message, then: Then) -> None:
        """Ask debugpy something of our own."""
        if self.on:
            self._ask(command, arguments, then)
        else:
            then({"success": False, "message": f"The debugger is {self.machine.state.value}."})

    def expired(self, seq: int) -> None:
        """debugpy had its time."""
        pending = self._pending.pop(seq, None)
        if pending is not None:
            command = pending.request["command"]
            pending.then(dap.failure(pending.request, f"The debugger did not answer {command}."))

    def backend_connected(self) -> None:
        """debugpy has connected: tell it the options, then the breakpoints, then to go on."""
        self.machine.advance(Step.CONNECTED)
        arguments = {"adapterID": "ipyext", "pathFormat": "path", "linesStartAt1": True}
        self._ask("initialize", {**arguments, "columnsStartAt1": True}, _ignore)
        self._attach()

    def _attach(self) -> None:
        options = {
            **self._environment.attach_options(),
            **self._options_of_clients(),
            "stopAllThreadsOnSuspend": self.stop_all,
            "steppingResumesAllThreads": self.stop_all,
        }

        def attached(response: Message) -> None:
            # pydevd validates breakpoints only after this.
            for path in self.breakpoints.paths():
                self._set_source(path)
            if self.breakpoints.any_functions:
                self._set_functions()
            self._set_exceptions()
            self._ask("configurationDone", {}, _ignore)

        self._ask("attach", options, attached)

    def _options_of_clients(self) -> Message:
        found: Message = {}
        for party in self.parties.values():
            for name in ("justMyCode", "showReturnValue", "variablePresentation"):
                if name in party.arguments and party.state is not Client.NEW:
                    found.setdefault(name, party.arguments[name])
        return found

    def backend_configured(self) -> None:
        """debugpy traces: `debugpy.connect` has returned, which is after configurationDone."""
        if not self.machine.can(Step.CONFIGURED):
            return
        self.machine.advance(Step.CONFIGURED)
        for party in list(self.parties.values()):
            if party.state is Client.ATTACHING:
                self._ready(party)

    def configure(self, stop_all: bool) -> None:
        """Change what stops; at once if the debugger is on."""
        changed, self.stop_all = self.stop_all != stop_all, stop_all
        if changed and self.on:
            self._attach()

    def backend_message(self, message: Message) -> None:
        """debugpy says something."""
        if message.get("type") == "response":
            pending = self._pending.pop(message.get("request_seq", -1), None)
            if pending is not None:  # else it came too late
                pending.then(message)
        elif message.get("type") == "event":
            self._on_event(message)

    def _on_event(self, message: Message) -> None:
        name, body = message.get("event"), message.get("body") or {}
        if name in ("initialized", "terminated", "exited", "process", "debugpySockets"):
            return
        if name == "output" and body.get("category") == "telemetry":
            return
        if name == "stopped":
            self._on_stopped(body)
        elif name == "continued":
            self._on_continued(body)
        elif name == "breakpoint":
            for one in self.breakpoints.event(body.get("breakpoint") or {}):
                self._changed(one)
        else:
            if name == "module":
                module = body.get("module") or {}
                self._modules[module.get("id")] = body
            elif name == "thread" and body.get("reason") == "exited":
                self.stopped.pop(body.get("threadId", -1), None)
            self._event(dap.event(str(name), body))

    def _on_stopped(self, body: Message) -> None:
        thread = body.get("threadId")
        if not isinstance(thread, int):
            return
        hit = self.breakpoints.behind(body.pop("hitBreakpointIds", None) or [])
        body = {**body, "allThreadsStopped": self.stop_all}
        self.stopped.pop(thread, None)
        self.stopped = {thread: body, **self.stopped}

        def seen_by(party: Party | None) -> Message:
            mine = [one.id for one in hit if self._sees(party, one)]
            return dap.event("stopped", {**body, **({"hitBreakpointIds": mine} if mine else {})})

        self._broadcast(seen_by)

    def _sees(self, party: Party | None, one: Breakpoint) -> bool:
        owner = self.parties.get(one.client)
        if party is None:
            return owner is not None and owner.jupyter
        return owner is party

    def _on_continued(self, body: Message) -> None:
        thread = body.get("threadId")
        if self.stop_all:
            self.stopped.clear()
        else:
            self.stopped.pop(thread, None)  # type: ignore[arg-type]
        self._event(dap.event("continued", {**body, "allThreadsContinued": self.stop_all}))

    def say(self, key: int, text: str) -> None:
        """Output for one client: a log message of its breakpoint."""
        party = self.parties.get(key)
        if party is not None and party.attached:
            self._event(dap.event("output", {"category": "console", "output": text}), party)

    def backend_lost(self, why: str) -> None:
        """The connection is gone, or there never was one: everybody is told, and may come again."""
        if not self.machine.can(Step.LOST):
            return
        if self.machine.advance(Step.LOST) is Debugger.STOPPING:
            self._actions.append(Stop())
        self._drop(why)
        for party in list(self.parties.values()):
            request, party.attaching = party.attaching, None
            was = party.attached
            if party.machine.can(Move.FAILED):
                party.machine.advance(Move.FAILED)
            if request is not None:
                self._fail(party, request, why)
            if was:
                self._event(dap.event("terminated"), party)
            if party.lingering:
                self.expire(party)

    def _stop(self) -> None:
        if not self.machine.can(Step.STOP):
            return
        was_off = self.machine.state is Debugger.STOPPING_TO_START
        if self.on:
            self._ask("disconnect", {"terminateDebuggee": False}, _ignore)
        self.machine.advance(Step.STOP)
        self._drop("The debugger was switched off.")
        if not was_off:
            self._actions.append(Stop())

    def _drop(self, why: str) -> None:
        pending, self._pending = self._pending, {}
        self.stopped.clear()
        self._modules.clear()
        self.breakpoints.debugger_gone()
        for one in pending.values():
            one.then(dap.failure(one.request, why))

    def backend_stopped(self) -> None:
        """It is off: nothing is traced."""
        if self.machine.advance(Step.STOPPED) is Debugger.STARTING:
            self._actions.append(Start())

    # -- events --------------------------------------------------------------------------------

    def _event(self, event: Message, party: Party | None = None) -> None:
        """To one client, or to all that debug."""
        if party is None:
            self._broadcast(lambda _: event)
        elif party.jupyter:
            self._actions.append(Publish(party, self._numbered(event, self._jupyter_seq)))
        else:
            self._tell(party, event)

    def _broadcast(self, seen_by: Callable[[Party | None], Message]) -> None:
        if any(party.jupyter for party in self.attached):
            self._actions.append(Publish(None, self._numbered(seen_by(None), self._jupyter_seq)))
        for party in self.attached:
            if not party.jupyter:
                self._tell(party, seen_by(party))

    def _tell(self, party: Party, event: Message) -> None:
        mapped = {
            **event,
            **({"body": party.paths.to_client(event["body"])} if "body" in event else {}),
        }
        self._actions.append(Tell(party, self._numbered(mapped, party.seq)))

    def _numbered(self, event: Message, numbers: itertools.count[int]) -> Message:
        return {"seq": next(numbers), **event}


def _with(request: Message, arguments: Message) -> Message:
    """The same request, asking debugpy for something else."""
    request["arguments"] = arguments
    return request


def _ignore(response: Message) -> None:
    pass
