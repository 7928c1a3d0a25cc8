"""The debug router's core between clients and a debugpy that are not real: nothing waits.

Whatever the core sends to a client is checked against the protocol's schema, and so are the
sequence numbers, and that each request gets one response.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ipyext.debug.breakpoints import Breakpoint
from ipyext.debug.multiplexer import Multiplexer
from ipyext.debug.parties import (
    Forward,
    Linger,
    Local,
    Party,
    Publish,
    Reply,
    Start,
    Stop,
    Tell,
)
from tests.dap_schema import check

Message = dict[str, Any]

BODIES: dict[str, Message] = {
    "completions": {"targets": []},
    "evaluate": {"result": "1", "variablesReference": 0},
    "exceptionInfo": {"exceptionId": "ValueError", "breakMode": "always"},
    "gotoTargets": {"targets": []},
    "modules": {"modules": []},
    "scopes": {"scopes": []},
    "setExpression": {"value": "1"},
    "setVariable": {"value": "1"},
    "source": {"content": "x = 1"},
    "stackTrace": {"stackFrames": [], "totalFrames": 0},
    "stepInTargets": {"targets": []},
    "threads": {"threads": [{"id": 1, "name": "main"}]},
    "variables": {"variables": []},
}


class Kernel:
    """What the core asks of the kernel."""

    def __init__(self) -> None:
        self.options: Message = {"justMyCode": False}
        self.against: dict[int, frozenset[int]] = {}
        self.unreached: dict[tuple[str, int], str] = {}

    def threads(self) -> list[Message]:
        return [{"id": 1, "name": "main"}, {"id": 2, "name": "subshell one"}]

    def info(self) -> Message:
        return {"hashMethod": "Murmur2", "tmpFilePrefix": "/cells/"}

    def attach_options(self) -> Message:
        return dict(self.options)

    def turned_down(self, thread: int) -> frozenset[int]:
        return self.against.pop(thread, frozenset())

    def same_file(self, one: str, other: str) -> bool:
        return one == other

    def never_hit(self, path: str, line: int) -> str | None:
        return self.unreached.get((path, line))


class Debugpy:
    """Remembers what it was told; answers when it is told to.

    Attributes:
        requests: all of them, in order.
        waiting: those that have not been answered.
        sources: breakpoints by file, as it was told last; the same for functions and exceptions.
    """

    def __init__(self, say: Callable[[Message], None]) -> None:
        self.requests: list[Message] = []
        self.waiting: list[Message] = []
        self._say = say
        self._ids = itertools.count(1000)
        self._seq = itertools.count(1)
        self.wake()

    def wake(self) -> None:
        """A new session: it knows nothing."""
        self.waiting.clear()
        self.sources: dict[str, list[Message]] = {}
        self.functions: list[Message] = []
        self.exceptions: Message = {"filters": []}
        self.ids: dict[str, list[int]] = {}

    def take(self, request: Message) -> None:
        self.requests.append(request)
        self.waiting.append(request)
        arguments = request["arguments"]
        if request["command"] == "setBreakpoints":
            path = arguments["source"]["path"]
            self.sources[path] = arguments["breakpoints"]
            self.ids[path] = [next(self._ids) for _ in arguments["breakpoints"]]
        elif request["command"] == "setFunctionBreakpoints":
            self.functions = arguments["breakpoints"]
        elif request["command"] == "setExceptionBreakpoints":
            self.exceptions = arguments

    def commands(self) -> list[str]:
        """What it works on."""
        return [request["command"] for request in self.waiting]

    def response(self, request: Message, why: str | None = None, **body: Any) -> Message:
        """Its answer, a failure if there is a `why`."""
        command, arguments = request["command"], request["arguments"]
        found: Message = {
            "seq": next(self._seq),
            "type": "response",
            "request_seq": request["seq"],
            "command": command,
            "success": why is None,
        }
        if why is not None:
            return {**found, "message": why}
        if "breakpoints" in body:
            pass
        elif command == "setBreakpoints":
            path = arguments["source"]["path"]
            wanted = arguments["breakpoints"]
            # An answer to what was set before comes with numbers that are not valid any more.
            ids = self.ids[path] if self.sources[path] is wanted else [0] * len(wanted)
            body["breakpoints"] = [
                {"id": number, "verified": True, "line": one["line"], "source": {"path": path}}
                for number, one in zip(ids, wanted, strict=True)
            ]
        elif command == "setFunctionBreakpoints":
            body["breakpoints"] = [
                {"id": next(self._ids), "verified": True} for _ in arguments["breakpoints"]
            ]
        return {**found, "body": {**BODIES.get(command, {}), **body}}

    def answer(self, command: str | None = None, why: str | None = None, **body: Any) -> None:
        """Answer the oldest request, or the oldest of that name."""
        request = next(r for r in self.waiting if command in (None, r["command"]))
        self.waiting.remove(request)
        self._say(self.response(request, why, **body))

    def answer_all(self) -> None:
        while self.waiting:
            self.answer()

    def event(self, name: str, **body: Any) -> None:
        self._say({"seq": next(self._seq), "type": "event", "event": name, "body": body})

    def last(self, command: str) -> Message:
        """Arguments of the last request of that name."""
        found: Message = [r for r in self.requests if r["command"] == command][-1]["arguments"]
        return found


class Client:
    """A client and all that it has seen, in order."""

    def __init__(self, world: World, party: Party) -> None:
        self.world = world
        self.party = party
        self.closed = False
        self.seen: list[Message] = []
        self.responses: dict[int, Message] = {}
        self.asked: list[Message] = []
        self._seq = itertools.count(1)
        self._last = 0

    def send(self, request: Message) -> Message:
        """Anything at all."""
        self.asked.append(request)
        self.world.do(self.world.core.receive, self.party, request)
        return request

    def begin(self, command: str, **arguments: Any) -> int:
        """A request; returns its seq."""
        seq = next(self._seq)
        self.send({"seq": seq, "type": "request", "command": command, "arguments": arguments})
        return seq

    def response(self, seq: int) -> Message | None:
        """To the request of that seq, if there is one."""
        request = next(one for one in self.asked if one.get("seq") == seq)
        return self.responses.get(id(request))

    def ask(self, command: str, **arguments: Any) -> Message:
        """A request that is answered; debugpy answers what it was asked meanwhile."""
        seq = self.begin(command, **arguments)
        found = self.response(seq)
        if found is None and self.world.debugpy.waiting:
            self.world.debugpy.answer_all()
            found = self.response(seq)
        assert found is not None, f"{command} is not answered"
        return found

    def do(self, command: str, **arguments: Any) -> Message:
        """The same, which must go well; returns the body."""
        found = self.ask(command, **arguments)
        assert found["success"], found
        body: Message = found["body"]
        return body

    def refused(self, command: str, **arguments: Any) -> str:
        """A request that fails at once; returns why."""
        found = self.response(self.begin(command, **arguments))
        assert found is not None
        assert not found["success"], found
        return str(found["message"])

    def attach(self, **arguments: Any) -> None:
        """Initialize and attach; debugpy starts for that if it has to."""
        self.do("initialize", clientID="jupyterlab" if self.party.jupyter else "vscode")
        seq = self.begin("attach", **arguments)
        self.world.start()
        response = self.response(seq)
        assert response is not None
        assert response["success"], response
        if not self.party.jupyter:
            self.do("configurationDone")

    def set(self, path: str, *wanted: Any) -> list[Message]:
        """Lines or SourceBreakpoints; returns Breakpoints."""
        points = [{"line": one} if isinstance(one, int) else one for one in wanted]
        body = self.do("setBreakpoints", source={"path": path}, breakpoints=points)
        found: list[Message] = body["breakpoints"]
        return found

    def events(self, name: str | None = None) -> list[Message]:
        """The bodies, or with None the names of all."""
        events = [one for one in self.seen if one["type"] == "event"]
        return [
            e.get("body", {}) if name else e["event"] for e in events if name in (None, e["event"])
        ]

    def forget(self) -> None:
        self.seen.clear()

    def gets(self, message: Message, own: bool = True) -> None:
        check(message)
        if own:
            assert message["seq"] > self._last, "numbers of a connection grow"
            self._last = message["seq"]
        self.seen.append(message)

    def answered(self, request: Message, response: Message) -> None:
        assert any(request is one for one in self.asked), "not a request of this client"
        assert id(request) not in self.responses, "answered twice"
        if not self.closed:
            self.gets(response)
        self.responses[id(request)] = response
        seq = request.get("seq")
        assert response["request_seq"] == (seq if type(seq) is int else 0)
        assert response["command"] == str(request.get("command", ""))
        assert "_original" not in request


class World:
    """The core, its clients, and debugpy."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.core = Multiplexer(self.kernel, self._decide)
        self.debugpy = Debugpy(lambda message: self.do(self.core.backend_message, message))
        self.clients: list[Client] = []
        self.lingering: list[Party] = []
        self.local: list[tuple[Party, Message]] = []
        self.answers_local = True
        self.to_start = False
        self.to_stop = False
        self.published: list[Publish] = []

    def _decide(self, owners: list[Breakpoint]) -> str:
        return "decide " + " ".join(str(one.id) for one in owners)

    def connect(self, *, jupyter: bool = True) -> Client:
        party = self.core.connect("a client", jupyter=jupyter)
        self.clients.append(Client(self, party))
        return self.clients[-1]

    def close(self, client: Client, *, linger: bool = False) -> None:
        client.closed = True
        self.do(self.core.close, client.party, linger=linger)
        if not linger:
            assert len(client.responses) == len(client.asked), "somebody waits"

    def do(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        for action in self.core.take():
            self._act(action)
        return result

    def _client(self, party: Party) -> Client:
        return next(client for client in self.clients if client.party is party)

    def _act(self, action: Any) -> None:
        if isinstance(action, Reply):
            self._client(action.party).answered(action.request, action.response)
        elif isinstance(action, Tell):
            client = self._client(action.party)
            assert not client.closed, "told after the end"
            client.gets(action.event)
        elif isinstance(action, Publish):
            self.published.append(action)
            check(action.event)
            for client in self.clients:
                if client.party.jupyter and not client.closed:
                    client.gets(action.event)
        elif isinstance(action, Forward):
            self.debugpy.take(action.request)
        elif isinstance(action, Local):
            self.local.append((action.party, action.request))
            if self.answers_local:
                self.answer_local()
        elif isinstance(action, Linger):
            self.lingering.append(action.party)
        elif isinstance(action, Start):
            assert not self.to_start
            assert not self.to_stop
            self.to_start = True
        elif isinstance(action, Stop):
            assert not self.to_stop, "stopped twice"
            self.to_start, self.to_stop = False, True

    def answer_local(self) -> None:
        party, request = self.local.pop(0)
        body = BODIES.get(request["command"], {})
        self.do(self.core.answer, party, request, body)

    # -- debugpy's life ------------------------------------------------------------------------

    def connected(self) -> None:
        assert self.to_start
        self.to_start = False
        self.debugpy.wake()
        self.do(self.core.backend_connected)

    def configured(self) -> None:
        self.do(self.core.backend_configured)

    def start(self) -> None:
        """debugpy comes up, if it was asked to."""
        if self.to_start:
            self.connected()
            self.debugpy.answer_all()
            self.configured()

    def stopped(self) -> None:
        """debugpy has been taken off."""
        assert self.to_stop
        self.to_stop = False
        self.debugpy.waiting.clear()
        self.do(self.core.backend_stopped)

    def lost(self, why: str = "it broke") -> None:
        self.do(self.core.backend_lost, why)

    def stop(self, thread: int, *points: int, reason: str = "breakpoint", **more: Any) -> None:
        """A thread stops in debugpy, at breakpoints with its own ids."""
        hit = {"hitBreakpointIds": list(points)} if points else {}
        self.debugpy.event("stopped", threadId=thread, reason=reason, **hit, **more)

    @property
    def state(self) -> str:
        return self.core.machine.state.value
