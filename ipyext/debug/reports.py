"""What debugpy reports by itself: told to all clients, and kept for those that come later. Pure."""

from __future__ import annotations

from typing import Any

from ipyext.debug.breakpoints import Breakpoint
from ipyext.debug.outbox import Outbox
from ipyext.debug.parties import Environment, Message, Party
from ipyext.debug.states import StateError
from ipyext.debug.wishes import Wishes
from ipyext.protocol import dap

# They are about debugpy and its adapter, which our clients do not talk with.
_OURS = frozenset({"initialized", "terminated", "exited", "process", "debugpySockets"})

NOT_KNOWN = 1  # the thread that JupyterLab (4.6) names when it knows of none
_STEPS = frozenset({"next", "stepIn", "stepOut"})


class Reports:
    """debugpy's events.

    Attributes:
        stop_all: a breakpoint stops every thread, not just the one that came by.
        stopped: bodies of the stopped events of the threads that are stopped, latest first.
        stepping: threads that go on for a step.
        leaving: stopped threads that were told to go on, and have not yet.
    """

    def __init__(self, outbox: Outbox, wishes: Wishes, environment: Environment) -> None:
        self.stop_all = False
        self.stopped: dict[int, Message] = {}
        self.stepping: set[int] = set()
        self.leaving: set[int] = set()
        self._modules: dict[Any, Message] = {}
        self._outbox = outbox
        self._wishes = wishes
        self._environment = environment

    def clear(self) -> None:
        """debugpy is gone."""
        self.stopped.clear()
        self.stepping.clear()
        self.leaving.clear()
        self._modules.clear()

    def need_stopped(self, request: Message) -> int:
        """The thread that a request is about.

        Raises:
            StateError: it runs.
        """
        thread: int = request["arguments"]["threadId"]
        if thread in self.stopped or (self.stop_all and self.stopped):
            return thread
        raise StateError(f"Thread {thread} is not stopped.")

    def check(self, request: Message) -> int:
        """A request about a thread that must be stopped, which it is. Raises as `need_stopped`."""
        thread = self.need_stopped(request)
        if request["command"] in _STEPS:
            self.stepping.add(thread)
            self.leaving.add(thread)
        return thread

    def check_exception(self, thread: int) -> None:
        """What a stopped thread has come to is an exception.

        Raises:
            StateError: it is not.
        """
        if self.stopped.get(thread, {}).get("reason") != "exception":
            raise StateError(f"Thread {thread} has not stopped at an exception.")

    def leave(self, party: Party, request: Message) -> int:
        """The thread that a client lets go on now. Raises as `need_stopped`.

        JupyterLab shows one stop, the latest. It forgets the thread before it asks (4.6), and so
        says 1, or another thread that has stopped, if debugInfo has told it of several.
        """
        thread: int = request["arguments"]["threadId"]
        forgotten = thread == NOT_KNOWN or thread in self.stopped
        if party.adopts and self.stopped and forgotten:
            thread = next(iter(self.stopped))
        else:
            thread = self.need_stopped(request)
        self.leaving.add(thread)
        return thread

    def stays(self, thread: int) -> None:
        """A thread that was told to go on does not."""
        self.leaving.discard(thread)

    def goes_on(self, thread: int) -> bool:
        """Whether a stopped thread was told to go on, and has not yet."""
        return thread in self.leaving or (self.stop_all and bool(self.leaving))

    # -- newcomers -----------------------------------------------------------------------------

    def catch_up(self, party: Party) -> None:
        """Tell a newcomer what it has missed; the stops wait until it says that it is ready."""
        for thread in self._environment.threads():
            body = {"reason": "started", "threadId": thread["id"]}
            self._outbox.tell(dap.event("thread", body), party)
        for body in self._modules.values():
            self._outbox.tell(dap.event("module", body), party)
        party.missed = set(self.stopped)
        if party.jupyter:  # JupyterLab does not say
            self.ready(party)

    def ready(self, party: Party) -> None:
        """Tell a newcomer the stops that it has missed."""
        missed, party.missed = party.missed, set()
        for thread, body in reversed(self.stopped.items()):
            if thread in missed:
                self._outbox.tell(dap.event("stopped", body), party)

    # -- events --------------------------------------------------------------------------------

    def event(self, message: Message) -> None:
        """debugpy reports this."""
        name, body = message.get("event"), message.get("body") or {}
        if name in _OURS or (name == "output" and body.get("category") == "telemetry"):
            return
        if name == "stopped":
            self._stopped(body)
        elif name == "continued":
            self._continued(body)
        elif name == "breakpoint":
            self._wishes.changed(body.get("breakpoint") or {})
        else:
            if name == "module":
                self._modules[(body.get("module") or {}).get("id")] = body
            elif name == "thread" and body.get("reason") == "exited":
                self.stopped.pop(body.get("threadId", -1), None)
                self.stepping.discard(body.get("threadId", -1))
                self.leaving.discard(body.get("threadId", -1))
            self._outbox.tell_all(dap.event(str(name), body))

    def _stopped(self, body: Message) -> None:
        thread = body.get("threadId")
        if not isinstance(thread, int):
            return
        against = self._environment.turned_down(thread)
        behind = self._wishes.breakpoints.behind(body.get("hitBreakpointIds") or [])
        hit = [one for one in behind if one.id not in against]
        body = {**body, "allThreadsStopped": self.stop_all}
        body.pop("hitBreakpointIds", None)
        self.stepping.discard(thread)
        self.leaving.discard(thread)
        self.stopped.pop(thread, None)
        self.stopped = {thread: body, **self.stopped}
        for party in self._outbox.attached:
            party.missed.discard(thread)

        def seen_by(party: Party | None) -> Message:
            mine = [one.id for one in hit if self._sees(party, one)]
            return dap.event("stopped", {**body, **({"hitBreakpointIds": mine} if mine else {})})

        self._outbox.broadcast(seen_by)

    def _sees(self, party: Party | None, one: Breakpoint) -> bool:
        owner = self._outbox.parties.get(one.client)
        if party is None:  # what all of Jupyter read: the ids of one are not those of others
            readers = [found for found in self._outbox.attached if found.jupyter]
            if owner is None or owner.lingering:  # a new page may read it, too
                return False
            return readers == [owner]
        return owner is party

    def _continued(self, body: Message) -> None:
        every = self.stop_all and bool(body.get("allThreadsContinued", True))
        if every:
            self.stopped.clear()
            self.leaving.clear()
        else:
            self.stopped.pop(body.get("threadId", -1), None)
            self.leaving.discard(body.get("threadId", -1))
        body = {**body, "allThreadsContinued": every}
        self._outbox.tell_all(dap.event("continued", body))
        if body.get("threadId") in self.stepping:
            self.stepping.discard(body["threadId"])
            return
        # JupyterLab shows no stop any more, whichever this was.
        notebook = next((party for party in self._outbox.attached if party.adopts), None)
        for latest in list(self.stopped.values())[:1]:
            self._outbox.tell(dap.event("stopped", latest), notebook)
