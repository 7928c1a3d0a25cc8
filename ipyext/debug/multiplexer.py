"""Many clients, one debugger: who is answered what, and what debugpy is told. Pure.

The router feeds it what comes in and does the `Action`s that `take` returns. All of it belongs to
the debug router thread. Sources: the Debug Adapter Protocol; the Jupyter messaging documentation
on debug_request; debugpy's attach arguments.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

from ipyext.debug import arguments as shapes
from ipyext.debug import jupyter as notebooks
from ipyext.debug.breakpoints import Breakpoint, Breakpoints
from ipyext.debug.capabilities import CAPABILITIES
from ipyext.debug.commands import ANYTIME, FORWARDED, LOCAL, OF_STOPPED, REFUSED
from ipyext.debug.jumps import Jumps
from ipyext.debug.numbering import Numbering
from ipyext.debug.outbox import Outbox
from ipyext.debug.parties import (
    Action,
    Environment,
    Linger,
    Local,
    Message,
    Party,
    PathMap,
    Start,
    Stop,
)
from ipyext.debug.questions import Questions
from ipyext.debug.reports import Reports
from ipyext.debug.states import DEBUGGER, Client, Debugger, Machine, Move, StateError, Step
from ipyext.debug.wishes import Wishes
from ipyext.errors import said
from ipyext.protocol import dap

log = logging.getLogger("ipyext.debug")


class Multiplexer:
    """The debug adapter of one kernel, without its connections.

    Attributes:
        machine: where the debugger is.
    """

    def __init__(self, environment: Environment, decide: Callable[[list[Breakpoint]], str]) -> None:
        self.machine = Machine(DEBUGGER, Debugger.OFF)
        self._outbox = Outbox()
        self._debugpy = Questions(self._outbox.add)
        self._wishes = Wishes(self._outbox, self._debugpy, decide, environment)
        self._reports = Reports(self._outbox, self._wishes, environment)
        self._jumps = Jumps(self._debugpy, self._reports, environment, self.forward, self.fail)
        self._environment = environment
        self._keys = itertools.count(1)
        self._stop_all_told = False
        self._handlers: dict[str, Callable[[Party, Message], None]] = {
            **dict.fromkeys(LOCAL, self._local),
            **dict.fromkeys(FORWARDED, self.forward),
            **dict.fromkeys(OF_STOPPED, self._of_stopped),
            "attach": self._attach,
            "configurationDone": self._configuration_done,
            "continue": self._continue,
            "debugInfo": self._debug_info,
            "disconnect": self._disconnect,
            "evaluate": self._evaluate,
            "goto": self._jumps.goto,
            "gotoTargets": self._jumps.targets,
            "initialize": self._initialize,
            "setBreakpoints": self._wishes.set_source,
            "setExceptionBreakpoints": self._wishes.set_exceptions,
            "setFunctionBreakpoints": self._wishes.set_functions,
            "setPydevdSourceMap": self._wishes.set_map,
            "source": self._source,
        }

    def take(self) -> list[Action]:
        """What is to be done now, in this order."""
        return self._outbox.take()

    @property
    def on(self) -> bool:
        return self.machine.state is Debugger.ON

    @property
    def stop_all(self) -> bool:
        """A breakpoint stops every thread, not just the one that came by."""
        return self._reports.stop_all

    @property
    def stopped(self) -> dict[int, Message]:
        """Bodies of the stopped events of the threads that are stopped, latest first."""
        return self._reports.stopped

    def goes_on(self, thread: int) -> bool:
        """Whether a stopped thread was told to go on, and has not yet."""
        return self._reports.goes_on(thread)

    @property
    def parties(self) -> dict[int, Party]:
        """The clients, by key."""
        return self._outbox.parties

    @property
    def attached(self) -> list[Party]:
        """The clients that debug."""
        return self._outbox.attached

    @property
    def breakpoints(self) -> Breakpoints:
        """Those of all clients."""
        return self._wishes.breakpoints

    # -- clients -------------------------------------------------------------------------------

    def connect(self, name: str, *, jupyter: bool = False) -> Party:
        """A client comes."""
        party = Party(next(self._keys), name, jupyter)
        self.parties[party.key] = party
        return party

    def close(self, party: Party, *, linger: bool = False) -> None:
        """A client's connection is gone.

        With `linger`, what it wanted stays until `expire`, or until the next client of the same
        notebook takes it over: a page that is loaded again. VS Code takes nothing over.
        """
        if linger and party.attached and party.adopts:
            party.lingering = True
            party.lingers += 1
            self._outbox.add(Linger(party))
            return
        party.lingering = False
        self._leave(party, Move.CLOSE)
        self.parties.pop(party.key, None)

    def expire(self, party: Party) -> None:
        """The time of a `Linger` is over: the client is closed, if nobody took over from it."""
        party.lingers -= 1
        # One that came back and was lost once more has all of its time again.
        if party.lingering and not party.lingers:
            self.close(party)

    def back(self, party: Party) -> None:
        """A client that was gone has a connection again."""
        party.lingering = False

    def end(self, why: str) -> None:
        """Every client leaves, and is told why; the debugger is taken off if it is on."""
        if self.machine.state in (Debugger.CONFIGURING, Debugger.ON):
            self._outbox.tell_all(dap.event("terminated"))
        for party in list(self.parties.values()):
            self._outbox.fail_all(party, why)
            self.close(party)

    def _leave(self, party: Party, move: Move) -> None:
        """Its breakpoints go and nothing else; the last one takes the debugger along."""
        counted = party.attached or party.state is Client.ATTACHING
        party.machine.advance(move)
        party.told_on = False
        party.shown.clear()
        party.missed.clear()
        attaching, party.attaching = party.attaching, None
        if attaching is not None:
            self.fail(party, attaching, "disconnected before the debugger was on")
        if move is Move.CLOSE:  # whoever handles its requests waits, even if nobody reads
            self._outbox.fail_all(party, "the connection was closed")
        self._wishes.forget(party, tell=self.on and self._wanted)
        if counted and not self._wanted:
            self._stop()

    @property
    def _wanted(self) -> bool:
        return any(p.attached or p.state is Client.ATTACHING for p in self.parties.values())

    # -- requests ------------------------------------------------------------------------------

    def receive(self, party: Party, request: Message) -> None:
        """A client asks. It is answered exactly once, now or later."""
        asked = self._outbox.asks(party, request)
        try:
            asked["arguments"] = party.paths.to_kernel(asked["arguments"])
            problem = dap.problem(request)
            if problem is not None:
                raise StateError(f"This is no DAP request: {problem}.")
            handler = self._handlers.get(request["command"])
            if handler is None:
                why = REFUSED.get(
                    request["command"], f"{request['command']} is not supported here."
                )
                raise StateError(why)
            self._check(party, request["command"])
            problem = shapes.problem(request["command"], asked["arguments"])
            if problem is not None:
                raise StateError(problem)
            known = shapes.known(request["command"], asked["arguments"])
            asked["arguments"] = party.numbering.arguments(request["command"], known)
            handler(party, asked)
        except StateError as error:
            self.fail(party, asked, str(error))
        except Exception as error:  # whoever asks waits for an answer, whatever happens here
            log.exception("A debug request failed in the debug router")
            self.fail(party, asked, f"The debug router failed: {said(error)}")

    def _check(self, party: Party, command: str) -> None:
        if command in ANYTIME or (party.attached and self.on):
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
        self._outbox.answer(party, request, body)

    def fail(self, party: Party, request: Message, why: str) -> None:
        """A request that was handed out as `Local` cannot be answered."""
        self._outbox.fail(party, request, why)

    def forward(
        self,
        party: Party,
        request: Message,
        change: Callable[[Message], Message] | None = None,
        question: tuple[str, Message] | None = None,
    ) -> None:
        """Have debugpy answer a request. Nothing is sent if it is off.

        Args:
            party: the client.
            request: what it asks.
            change: makes what the client sees of debugpy's response, also of one that says no.
            question: the command and arguments that debugpy is sent instead.
        """
        if not self.on:
            self.fail(party, request, f"The debugger is {self.machine.state.value}.")
            return

        def then(response: Message) -> None:
            self._outbox.reply(party, request, change(response) if change else response)

        command, arguments = question or (request["command"], request["arguments"])
        self._debugpy.ask(command, arguments, then, party)

    def _local(self, party: Party, request: Message) -> None:
        self._outbox.add(Local(party, request))

    def _of_stopped(self, party: Party, request: Message) -> None:
        thread = self._reports.check(request)
        if request["command"] == "exceptionInfo":
            self._reports.check_exception(thread)

        def look(response: Message) -> Message:
            if not response.get("success"):
                self._reports.stays(thread)
            return response

        self.forward(party, request, look)

    # -- requests: the session -----------------------------------------------------------------

    def _initialize(self, party: Party, request: Message) -> None:
        if party.machine.can(Move.INITIALIZE):
            party.machine.advance(Move.INITIALIZE)
        arguments = request["arguments"]
        party.client_id = arguments.get("clientID")
        columns_from_1 = arguments.get("columnsStartAt1", True)
        party.numbering = Numbering(arguments.get("linesStartAt1", True), columns_from_1)
        party.left = False
        self.answer(party, request, dict(CAPABILITIES))

    def _attach(self, party: Party, request: Message) -> None:
        if party.attached:  # again, by a client that does not know
            self._answer_attach(party, request)
            return
        if not party.machine.can(Move.ATTACH):
            why = "is under way" if party.state is Client.ATTACHING else "needs initialize first"
            raise StateError(f"attach {why}.")
        party.machine.advance(Move.ATTACH)
        party.arguments = request["arguments"]
        party.paths = PathMap(party.arguments.get("pathMappings"))
        party.attaching = request
        if self.on:
            self._ready(party)
        elif self.machine.can(Step.START) and self.machine.advance(Step.START) is Debugger.STARTING:
            self._outbox.add(Start())

    def _ready(self, party: Party) -> None:
        party.machine.advance(Move.READY)
        request, party.attaching = party.attaching, None
        if request is not None:
            self._answer_attach(party, request)

    def _answer_attach(self, party: Party, request: Message) -> None:
        """The answer, and what the newcomer has missed."""
        self._outbox.tell(dap.event("initialized"), party)
        self.answer(party, request, None)
        self._reports.catch_up(party)

    def _configuration_done(self, party: Party, request: Message) -> None:
        self.answer(party, request, None)
        self._reports.ready(party)

    def _disconnect(self, party: Party, request: Message) -> None:
        self.answer(party, request, None)
        party.left = True
        if party.machine.can(Move.DISCONNECT):
            self._leave(party, Move.DISCONNECT)

    def _debug_info(self, party: Party, request: Message) -> None:
        others = [p for p in self.attached if p.adopts and p is not party]
        fresh = self.on and notebooks.fresh(party)
        if fresh:
            self._inherit(party, [p for p in others if p.lingering])
        party.told_on = party.attached or (fresh and bool(others))
        started = notebooks.started(party)
        others = [p for p in others if p.attached]  # without those it has taken over from
        shown = notebooks.shared(party, others, self.breakpoints) if started else []
        body = {
            **self._environment.info(),
            "isStarted": started,
            "breakpoints": shown,
            "stoppedThreads": list(self.stopped) if started else [],
        }
        self.answer(party, request, body)

    def _inherit(self, party: Party, gone: list[Party]) -> None:
        """The same notebook again, after a reload: it goes on where the lost page was."""
        for old in gone:
            self.breakpoints.give(old.key, party.key)
            party.arguments = party.arguments or old.arguments
        if gone:
            party.machine.advance(Move.JOIN)
        for old in gone:
            self.close(old)

    # -- requests: running ---------------------------------------------------------------------

    def _continue(self, party: Party, request: Message) -> None:
        thread = self._reports.leave(party, request)
        arguments = {"threadId": thread, "singleThread": not self.stop_all}

        def then(response: Message) -> None:
            if not response.get("success"):
                self._reports.stays(thread)
            body = {**(response.get("body") or {}), "allThreadsContinued": self.stop_all}
            self._outbox.reply(party, request, {**response, "body": body})

        self._debugpy.ask("continue", arguments, then)

    def _evaluate(self, party: Party, request: Message) -> None:
        in_frame = request["arguments"].get("frameId") is not None
        (self.forward if in_frame else self._local)(party, request)

    def _source(self, party: Party, request: Message) -> None:
        arguments = request["arguments"]
        if source := arguments.get("source"):  # it may be said there only
            arguments.setdefault("sourceReference", source.get("sourceReference"))
        debugpys = self.on and bool(arguments.get("sourceReference"))
        (self.forward if debugpys else self._local)(party, request)

    # -- debugpy -------------------------------------------------------------------------------

    def expired(self, seq: int) -> None:
        """debugpy had its time for this request."""
        self._debugpy.expired(seq)

    def backend_connected(self) -> None:
        """debugpy has connected: tell it the options, then the breakpoints, then to go on."""
        if not self.machine.can(Step.CONNECTED):  # nobody wants it any more
            return
        self.machine.advance(Step.CONNECTED)
        arguments = {"adapterID": "ipyext", "pathFormat": "path", "linesStartAt1": True}
        self._debugpy.ask("initialize", {**arguments, "columnsStartAt1": True}, self._started)
        self._configure()

    def _configure(self) -> None:
        self._stop_all_told = self.stop_all
        options = {
            **self._environment.attach_options(),
            **self._options_of_clients(),
            "stopAllThreadsOnSuspend": self.stop_all,
            "steppingResumesAllThreads": self.stop_all,
        }

        def attached(response: Message) -> None:
            self._started(response)
            if self.machine.state in (Debugger.CONFIGURING, Debugger.ON):
                # pydevd validates breakpoints only after attach.
                self._wishes.tell()
                self._debugpy.ask("configurationDone", {}, self._started)

        self._debugpy.ask("attach", options, attached)

    def _started(self, response: Message) -> None:
        """A step of its start is done. If it failed, nobody waits for the rest."""
        if self.machine.state is Debugger.CONFIGURING and not response.get("success"):
            self.backend_lost(f"The debugger could not be started: {response.get('message')}")

    def _options_of_clients(self) -> Message:
        found: Message = {}
        for party in self.parties.values():
            if party.state is not Client.NEW:
                found = {**party.options, **found}
        return found

    def backend_configured(self) -> None:
        """debugpy traces: `debugpy.connect` has returned, which is after configurationDone."""
        if not self.machine.can(Step.CONFIGURED):
            return
        self.machine.advance(Step.CONFIGURED)
        for party in list(self.parties.values()):
            if party.state is Client.ATTACHING:
                self._ready(party)
        if self.stop_all != self._stop_all_told:
            self._configure()

    def configure(self, stop_all: bool) -> None:
        """Change what stops; at once if the debugger is on."""
        changed, self._reports.stop_all = self.stop_all != stop_all, stop_all
        if changed and self.on:
            self._configure()

    def backend_message(self, message: Message) -> None:
        """debugpy says something."""
        if self.machine.state not in (Debugger.CONFIGURING, Debugger.ON):
            return  # it has been told to end; the next session starts with what that one says
        if message.get("type") == "response":
            self._debugpy.answered(message)
        elif message.get("type") == "event":
            self._reports.event(message)

    def say(self, key: int, text: str, category: str = "stdout") -> None:
        """Output for one client: a log message of its breakpoint, or what its code prints."""
        body = {"category": category, "output": text}
        self._outbox.tell(dap.event("output", body), self.parties.get(key))

    def printed(self, seq: int, text: str, category: str) -> None:
        """debugpy evaluates this request, and the expression prints."""
        party = self._debugpy.asker(seq)
        if party is not None and party.echo:
            self.say(party.key, text, category)

    def backend_lost(self, why: str) -> None:
        """The connection is gone, or there never was one: everybody is told, and may come again."""
        if not self.machine.can(Step.LOST):  # it is off, or ends anyway
            return
        if self.machine.advance(Step.LOST) is Debugger.STOPPING:
            self._outbox.add(Stop())
        self._drop(why)
        self._outbox.tell_all(dap.event("terminated"))
        for party in list(self.parties.values()):
            request, party.attaching = party.attaching, None
            if request is not None:
                self.fail(party, request, why)
            if party.lingering:
                self.close(party)
            elif party.machine.can(Move.FAILED):
                party.machine.advance(Move.FAILED)

    def _stop(self) -> None:
        if not self.machine.can(Step.STOP):
            return
        ends_already = self.machine.state is Debugger.STOPPING_TO_START
        if self.on:
            self._debugpy.ask("disconnect", {"terminateDebuggee": False})
        self.machine.advance(Step.STOP)
        self._drop("The debugger was switched off.")
        if not ends_already:
            self._outbox.add(Stop())

    def _drop(self, why: str) -> None:
        for party in self.parties.values():
            party.told_on = False
            self._wishes.forget(party, tell=False)  # nobody is asked any more
        self._reports.clear()
        self._jumps.clear()
        self.breakpoints.debugger_gone()
        self._debugpy.drop(why)

    def backend_stopped(self) -> None:
        """It is off: nothing is traced."""
        if self.machine.advance(Step.STOPPED) is Debugger.STARTING:
            self._outbox.add(Start())
