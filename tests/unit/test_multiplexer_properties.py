"""Many clients and one debugger: whatever happens in whatever order, the promises hold.

Clients ask sense and nonsense, leave and come back; debugpy answers late, in another order, twice,
with errors or never, and is lost at any time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ipyext.debug.states import Client as State
from ipyext.debug.states import Debugger
from tests.fake_debugpy import Client, World


def words(text: str) -> st.SearchStrategy[str]:
    """One of the words."""
    return st.sampled_from(text.split())


NAMES = words("jupyterlab vscode")
FILES = st.sampled_from(["/cells/1.py", "/cells/2.py"])
THREADS = st.integers(1, 3)
POINTS = st.lists(
    st.fixed_dictionaries(
        {"line": st.integers(1, 3)},
        optional={
            "condition": st.sampled_from(["x", "y", ""]),
            "hitCondition": st.just("2"),
            "logMessage": st.just("{x}"),
        },
    ),
    max_size=3,
)
FUNCTIONS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("fg")}, optional={"condition": st.sampled_from("xy")}
    ),
    max_size=2,
)
OPTION = st.fixed_dictionaries(
    {
        "path": st.just([{"names": ["Python Exceptions"]}, {"names": ["KeyError"]}]),
        "breakMode": st.sampled_from(["always", "never", "unhandled", "odd"]),
    }
)
EXCEPTIONS = st.fixed_dictionaries(
    {"filters": st.lists(st.sampled_from(["raised", "uncaught", "odd"]), max_size=2)},
    optional={"exceptionOptions": st.lists(OPTION, max_size=2)},
)
OF_THREADS = words("continue next stepIn stackTrace pause exceptionInfo")
OTHERS = words(
    "completions copyToGlobals dumpCell evaluate inspectVariables modules scopes source threads "
    "variables"
)
ASKED = {
    **dict.fromkeys(("column", "srcFrameId", "variablesReference"), 1),
    **dict.fromkeys(("code", "dstVariableName", "expression", "srcVariableName", "text"), "x"),
}
COMMANDS = words(
    "attach configurationDone continue debugInfo disconnect dumpCell evaluate initialize launch "
    "next setBreakpoints setExceptionBreakpoints setFunctionBreakpoints source stackTrace "
    "terminate threads variables unknown __class__"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "x", "raised", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["path", "line", "names", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = words(
    "breakpoints clientID exceptionOptions filterOptions filters frameId justMyCode lines "
    "pathMappings source sourceReference threadId"
)
ARGUMENTS = st.dictionaries(KEYS, JSON, max_size=3) | JSON
NUMBER = st.integers(0, 50)
YES = {"success": True}


class Router(RuleBasedStateMachine):
    """The core with everything around it, and what must be true after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.answers_local = False
        self.debugpy = self.world.debugpy
        self.numbers = itertools.count()
        self.wants: dict[int, dict[str, list[Any]]] = {}
        self.outputs: dict[int, list[str]] = {}
        self.stopped: set[int] = set()

    # -- clients -------------------------------------------------------------------------------

    def client(self, number: int, gone: bool = False) -> Client:
        found = [one for one in self.world.clients if gone or not one.closed]
        return (found or [self.new(True)])[number % max(len(found), 1)]

    def new(self, jupyter: bool) -> Client:
        client = self.world.connect(jupyter=jupyter)
        self.wants[client.party.key], self.outputs[client.party.key] = {}, []
        return client

    def send(self, client: Client, command: str, arguments: Any) -> dict[str, Any]:
        seq = next(self.numbers)
        request = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
        client.send(request)
        if command == "setBreakpoints" and id(request) not in client.responses:
            wanted = arguments.get("breakpoints")
            lines = arguments.get("lines") or []
            wanted = [{"line": line} for line in lines] if wanted is None else wanted
            asked = self.wants[client.party.key].setdefault(arguments["source"]["path"], [])
            asked.append((request, wanted))
        return request

    @initialize(kinds=st.lists(st.booleans(), max_size=4))
    def begins(self, kinds: list[bool]) -> None:
        """Otherwise most runs would never come far."""
        for jupyter in kinds:
            self.joins(jupyter, "jupyterlab", "/cells/1.py", [{"line": 1}])

    @precondition(lambda self: len(self.world.clients) < 6)
    @rule(jupyter=st.booleans(), name=NAMES, path=FILES, points=POINTS)
    def joins(self, jupyter: bool, name: str, path: str, points: list[Any]) -> None:
        """As real ones begin."""
        client = self.new(jupyter)
        self.send(client, "debugInfo", {})
        self.send(client, "initialize", {"clientID": name})
        self.send(client, "attach", {})
        self.world.start()
        arguments = {"source": {"path": path}, "breakpoints": points}
        self.send(client, "setBreakpoints", arguments)
        self.send(client, "configurationDone", {})
        self.debugpy.answer_all()

    @precondition(lambda self: len(self.world.clients) < 6)
    @rule(jupyter=st.booleans())
    def connects(self, jupyter: bool) -> None:
        self.new(jupyter)

    @rule(number=NUMBER, name=NAMES)
    def initializes(self, number: int, name: str) -> None:
        self.send(self.client(number), "initialize", {"clientID": name})

    @rule(number=NUMBER, initialized=st.booleans())
    def attaches(self, number: int, initialized: bool) -> None:
        client = self.client(number)
        if not initialized:
            self.send(client, "initialize", {"clientID": "vscode"})
        self.send(client, "attach", {"justMyCode": initialized})

    @rule(number=NUMBER)
    def is_ready(self, number: int) -> None:
        client = self.client(number)
        request = self.send(client, "configurationDone", {})
        # A notebook that was away asks debugInfo.
        if client.responses[id(request)]["success"] and not client.party.jupyter:
            told = {body["text"] for body in client.events("stopped")}
            assert {body["text"] for body in self.world.core.stopped.values()} <= told

    @rule(number=NUMBER)
    def asks_for_info(self, number: int) -> None:
        client = self.client(number)
        request = self.send(client, "debugInfo", {})
        body = client.responses[id(request)]["body"]
        wanted = set(self.stopped) if body["isStarted"] else set()
        assert set(body["stoppedThreads"]) == wanted
        assert body["isStarted"] or not body["breakpoints"]

    @rule(number=NUMBER, path=FILES, points=POINTS)
    def sets_breakpoints(self, number: int, path: str, points: list[Any]) -> None:
        arguments = {"source": {"path": path}, "breakpoints": points}
        self.send(self.client(number), "setBreakpoints", arguments)

    @rule(number=NUMBER, points=FUNCTIONS)
    def sets_functions(self, number: int, points: list[Any]) -> None:
        self.send(self.client(number), "setFunctionBreakpoints", {"breakpoints": points})

    @rule(number=NUMBER, wanted=EXCEPTIONS)
    def sets_exceptions(self, number: int, wanted: dict[str, Any]) -> None:
        self.send(self.client(number), "setExceptionBreakpoints", wanted)

    @rule(number=NUMBER, command=OF_THREADS, thread=THREADS)
    def asks_of_a_thread(self, number: int, command: str, thread: int) -> None:
        client = self.client(number)
        request = self.send(client, command, {"threadId": thread})
        if command != "pause" and not self.stopped:
            assert not client.responses[id(request)]["success"]

    @rule(number=NUMBER, command=OTHERS, frame=st.none() | st.just(1))
    def asks(self, number: int, command: str, frame: int | None) -> None:
        asked = {**ASKED, "frameId": frame, "sourceReference": frame}
        self.send(self.client(number), command, asked)

    @rule(number=NUMBER, command=COMMANDS, arguments=ARGUMENTS)
    def asks_nonsense(self, number: int, command: str, arguments: Any) -> None:
        self.send(self.client(number), command, arguments)

    @rule(
        number=NUMBER,
        request=st.dictionaries(
            st.sampled_from(["type", "seq", "command", "arguments"]), JSON, max_size=4
        ),
    )
    def sends_rubbish(self, number: int, request: dict[str, Any]) -> None:
        client = self.client(number)
        client.send(request)
        assert not client.responses[id(request)]["success"]

    @rule(number=NUMBER)
    def disconnects(self, number: int) -> None:
        client = self.client(number)
        request = self.send(client, "disconnect", {})
        assert client.responses[id(request)]["success"]
        assert not client.party.attached

    @rule(number=NUMBER, linger=st.booleans())
    def closes(self, number: int, linger: bool) -> None:
        client = self.client(number)
        self.world.close(client, linger=linger and client.party.jupyter)

    @precondition(lambda self: any(c.closed and c.party.lingering for c in self.world.clients))
    @rule()
    def comes_back(self) -> None:
        client = next(c for c in self.world.clients if c.closed and c.party.lingering)
        client.closed = False
        self.outputs[client.party.key] = [o["output"] for o in client.events("output")]
        self.world.do(self.world.core.back, client.party)

    @precondition(lambda self: self.world.lingering)
    @rule()
    def time_is_over(self) -> None:
        self.world.do(self.world.core.expire, self.world.lingering.pop(0))

    @rule(number=NUMBER, command=COMMANDS)
    def asks_although_it_is_gone(self, number: int, command: str) -> None:
        client = self.client(number, gone=True)
        if client.party.state is State.GONE:
            self.send(client, command, {})

    @rule(stop_all=st.booleans())
    def configures(self, stop_all: bool) -> None:
        self.world.do(self.world.core.configure, stop_all)

    # -- debugpy -------------------------------------------------------------------------------

    @precondition(lambda self: self.world.to_start)
    @rule()
    def connected(self) -> None:
        self.world.connected()

    @precondition(
        lambda self: (
            self.world.core.machine.state is not Debugger.CONFIGURING
            or not {"initialize", "attach", "configurationDone"} & set(self.debugpy.commands())
        )
    )
    @rule()
    def configured(self) -> None:
        self.world.configured()

    @precondition(lambda self: self.world.to_start)
    @rule()
    def starts(self) -> None:
        self.world.start()

    @precondition(lambda self: self.world.to_stop)
    @rule()
    def is_off(self) -> None:
        self.world.stopped()

    @rule(often=st.integers(0, 3))
    def is_lost(self, often: int) -> None:
        if not often:
            self.world.lost()
            if self.world.state == "off":  # it never came
                self.world.to_start = False

    @precondition(lambda self: self.debugpy.waiting)
    @rule(number=NUMBER, times=st.integers(0, 2), fails=st.booleans())
    def answers(self, number: int, times: int, fails: bool) -> None:
        request = self.debugpy.waiting.pop(number % len(self.debugpy.waiting))
        why = "no" if fails and number % 3 == 0 else None
        for _ in range(times):
            answer = self.debugpy.response(request, why)
            self.world.do(self.world.core.backend_message, answer)
        if not times:
            self.world.do(self.world.core.expired, request["seq"])

    @precondition(lambda self: self.debugpy.waiting)
    @rule()
    def answers_all(self) -> None:
        self.debugpy.answer_all()

    @precondition(lambda self: self.debugpy.waiting)
    @rule(number=NUMBER)
    def is_slow(self, number: int) -> None:
        request = self.debugpy.waiting[number % len(self.debugpy.waiting)]
        self.world.do(self.world.core.expired, request["seq"])

    @precondition(lambda self: self.world.local)
    @rule(how=st.sampled_from(["answer", "fail", "forward"]))
    def answers_itself(self, how: str) -> None:
        if how == "answer":
            self.world.answer_local()
            return
        party, request = self.world.local.pop(0)
        if how == "fail":
            self.world.do(self.world.core.fail, party, request, "no")
        else:
            self.world.do(self.world.core.forward, party, request)

    @rule(thread=THREADS, number=NUMBER, hits=st.booleans())
    def thread_stops(self, thread: int, number: int, hits: bool) -> None:
        text = f"s{next(self.numbers)}"
        known = [one for ids in self.debugpy.ids.values() for one in ids] if hits else []
        listening = self.listening()
        self.world.stop(thread, *known[number % 5 :], text=text)
        if self.alive:
            self.stopped.add(thread)
        for client in self.world.clients:
            seen = [one for one in client.events("stopped") if one["text"] == text]
            assert len(seen) == (client in listening)
            for body in seen:
                assert set(body.get("hitBreakpointIds", [])) <= self.visible(client)

    def wanted_by(self, client: Client) -> Iterator[tuple[str, list[Any]]]:
        """By file, what a client has asked for last that was not refused."""
        for path, asked in self.wants[client.party.key].items():
            refused = [not client.responses.get(id(one), YES)["success"] for one, _ in asked]
            left = [wanted for (_, wanted), no in zip(asked, refused, strict=True) if not no]
            yield path, left[-1] if left else []

    def visible(self, client: Client) -> set[int]:
        """Ids of breakpoints that may be shown to a client."""
        breakpoints, parties = self.world.core.breakpoints, self.world.core.attached
        if client.party.jupyter and sum(p.jupyter for p in parties) > 1:
            return set()  # they read the same messages
        mine = [p for p in parties if p is client.party]
        return {
            one.id for p in mine for found in breakpoints.of(p.key).values() for one in found
        }  # fmt: skip

    @rule(thread=THREADS)
    def thread_runs(self, thread: int) -> None:
        self.debugpy.event("continued", threadId=thread)
        if self.alive:
            self.stopped = set() if self.world.core.stop_all else self.stopped - {thread}

    @rule(thread=THREADS)
    def thread_ends(self, thread: int) -> None:
        self.debugpy.event("thread", reason="exited", threadId=thread)
        self.stopped.discard(thread)

    @rule()
    def prints(self) -> None:
        text = f"o{next(self.numbers)}"
        for client in self.listening():
            self.outputs[client.party.key].append(text)
        self.debugpy.event("output", category="stdout", output=text)

    @rule(number=NUMBER)
    def breakpoint_changes(self, number: int) -> None:
        body = {"id": 1000 + number, "verified": bool(number % 2)}
        self.debugpy.event("breakpoint", reason="changed", breakpoint=body)

    # -- what is true always -------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        return self.world.core.machine.state in (Debugger.CONFIGURING, Debugger.ON)

    def listening(self) -> list[Client]:
        """The clients that an event of debugpy reaches: those of Jupyter read the same iopub."""
        if not self.alive:
            return []
        jupyter = any(party.jupyter for party in self.world.core.attached)
        return [
            client
            for client in self.world.clients
            if not client.closed and (jupyter if client.party.jupyter else client.party.attached)
        ]

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        handed_out = [id(request) for _, request in self.world.local]
        for client in self.world.clients:
            party = client.party
            open_ = [
                asked["command"]
                for key, (asked, _) in party.open.items()
                if key not in handed_out and asked is not party.attaching
            ]
            assert len(client.asked) == len(client.responses) + len(party.open)
            if not self.alive or not self.debugpy.waiting:
                assert open_ == [], party.state
            if party.state is State.ATTACHING:
                assert party.attaching is not None
                assert self.world.state in ("starting", "configuring", "stopping, then starting")

    @invariant()
    def nothing_fails_inside(self) -> None:
        for client in self.world.clients:
            for response in list(client.responses.values())[-1:]:
                assert "The debug router failed" not in response.get("message", "")

    @invariant()
    def breakpoints_are_those_of_who_debugs(self) -> None:
        core = self.world.core
        attached = {party.key for party in core.attached}
        for client in self.world.clients:
            key = client.party.key
            if key not in attached:
                self.wants[key].clear()
                assert core.breakpoints.of(key) == {}
            elif not client.party.jupyter:  # notebooks take away each other's
                found = core.breakpoints.of(key)
                assert {path: [one.wanted for one in own] for path, own in found.items()} == {
                    path: wanted for path, wanted in self.wanted_by(client) if wanted
                }
        if core.on:
            for path in {*self.debugpy.sources, *core.breakpoints.paths()}:
                told = self.debugpy.sources.get(path, [])
                assert told == core.breakpoints.in_source(path).wanted
                own = [core.breakpoints.of(key).get(path, []) for key in attached]
                lines = {one.place for one in itertools.chain(*own)}
                assert {one["line"] for one in told} == lines
            assert self.debugpy.functions == core.breakpoints.in_functions().wanted
            assert self.debugpy.exceptions == core.breakpoints.exceptions()

    @invariant()
    def stopped_threads_are_those_of_debugpy(self) -> None:
        if not self.alive:
            self.stopped.clear()
        assert set(self.world.core.stopped) == self.stopped

    @invariant()
    def it_is_on_for_somebody(self) -> None:
        wanted = any(
            p.attached or p.state is State.ATTACHING for p in self.world.core.parties.values()
        )
        assert wanted == (self.world.state not in ("off", "stopping"))
        assert self.world.to_stop == self.world.state.startswith("stopping")

    @invariant()
    def events_come_once_and_in_order(self) -> None:
        for client in self.world.clients:
            if not client.closed:
                seen = [body["output"] for body in client.events("output")]
                assert seen == self.outputs[client.party.key]

    def teardown(self) -> None:
        while self.world.local:
            self.world.answer_local()
        while self.debugpy.waiting:
            self.debugpy.answer()
        self.nobody_waits_for_nothing()
        for client in self.world.clients:
            if not client.closed:
                self.world.close(client)
        while self.world.lingering:
            self.time_is_over()
        if self.world.to_stop:
            self.world.stopped()
        assert self.world.state == "off"
        assert not self.world.to_start
        assert self.world.core.parties == {}
        for client in self.world.clients:
            assert len(client.asked) == len(client.responses)


TestRouter = Router.TestCase
TestRouter.settings = settings(
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,  # one is enough, and found sooner
    max_examples=100,
    stateful_step_count=50,
    suppress_health_check=list(HealthCheck),
)
