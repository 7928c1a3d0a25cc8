"""The requests that set breakpoints: each client's, merged, and the answers split again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyext.debug.breakpoints import Breakpoint, Breakpoints, Merged
from ipyext.debug.changes import Changes
from ipyext.debug.outbox import Outbox
from ipyext.debug.parties import Environment, Message, Party, Then
from ipyext.debug.questions import Questions
from ipyext.debug.states import StateError
from ipyext.protocol import dap


class Wishes:
    """What clients want to stop at, and debugpy told of it.

    Args:
        decide: see `Breakpoints`.

    Attributes:
        breakpoints: all of them.
    """

    def __init__(
        self,
        outbox: Outbox,
        debugpy: Questions,
        decide: Callable[[list[Breakpoint]], str],
        environment: Environment,
    ) -> None:
        self.breakpoints = Breakpoints(decide)
        self._outbox = outbox
        self._debugpy = debugpy
        self._environment = environment
        self._changes = Changes()

    # -- requests ------------------------------------------------------------------------------

    def set_source(self, party: Party, request: Message) -> None:
        """setBreakpoints.

        Raises:
            StateError: it is about no file.
        """
        arguments = request["arguments"]
        path = _path(request)
        wanted = arguments.get("breakpoints")
        if wanted is None:
            wanted = [{"line": line} for line in arguments.get("lines") or []]
        if party.adopts:
            lines = [one["line"] for one in wanted]
            for gone in self.breakpoints.drop(path, party.shown, lines):
                if gone.client != party.key:
                    self._event("removed", gone)
        former = self.breakpoints.of(party.key).get(path, [])
        mine = self.breakpoints.set_source(party.key, path, wanted)
        party.shown.update(one.id for one in mine)

        def put_back(former: list[Breakpoint]) -> None:
            self.breakpoints.put_source(party.key, path, former)
            self._source(path)

        self._source(path, self._answer(party, request, path, former, put_back, mine), party)

    def set_functions(self, party: Party, request: Message) -> None:
        """setFunctionBreakpoints."""
        wanted = request["arguments"].get("breakpoints") or []
        former = self.breakpoints.functions_of(party.key)
        mine = self.breakpoints.set_functions(party.key, wanted)

        def put_back(former: list[Breakpoint]) -> None:
            self.breakpoints.put_functions(party.key, former)
            self._functions()

        self._functions(self._answer(party, request, None, former, put_back, mine), party)

    def set_exceptions(self, party: Party, request: Message) -> None:
        """setExceptionBreakpoints."""
        former = self.breakpoints.exceptions_of(party.key)
        self.breakpoints.set_exceptions(party.key, request["arguments"])

        def put_back(former: Message) -> None:
            self.breakpoints.set_exceptions(party.key, former)
            self._exceptions()

        self._exceptions(self._answer(party, request, Exception, former, put_back))

    def set_map(self, party: Party, request: Message) -> None:
        """setPydevdSourceMap: lines of a file are those of cells. VS Code's Interactive Window.

        Raises:
            StateError: it is about no file.
        """
        arguments = request["arguments"]
        path = _path(request)
        had = path in party.maps

        def keep(has: bool) -> None:
            (party.maps.add if has else party.maps.discard)(path)

        def then(response: Message) -> None:
            if not response.get("success"):
                keep(had)
            self._outbox.reply(party, request, response)

        keep(bool(arguments["pydevdSourceMaps"]))
        self._debugpy.ask("setPydevdSourceMap", arguments, then)

    def _answer(
        self,
        party: Party,
        request: Message,
        what: object,
        former: Any,
        put_back: Callable[[Any], None],
        mine: list[Breakpoint] | None = None,
    ) -> Then:
        """What is done with debugpy's answer. If that is no, nothing of the request stays.

        Args:
            party, request: who has asked for it.
            what, former: see `Change`.
            put_back: has the client want what it wanted before.
            mine: the breakpoints that it has now.
        """
        change = self._changes.begin(party.key, what, former)

        def then(response: Message) -> None:
            if not response.get("success"):
                if self._changes.refused(change):
                    put_back(change.former)
            else:
                self._changes.made(change)
                if mine is not None:
                    points = {"breakpoints": [one.shown for one in mine]}
                    response = {**response, "body": {**(response.get("body") or {}), **points}}
            self._outbox.reply(party, request, response)

        return then

    # -- what else happens ---------------------------------------------------------------------

    def forget(self, party: Party, tell: bool) -> None:
        """A client wants nothing any more; with `tell`, debugpy is told so."""
        self._changes.forget(party.key)
        paths, functions, exceptions = self.breakpoints.forget(party.key)
        maps, party.maps = party.maps, set()
        if not tell:
            return
        for path in paths:
            self._source(path)
        if functions:
            self._functions()
        if exceptions:
            self._exceptions()
        for path in maps.difference(*(one.maps for one in self._outbox.parties.values())):
            arguments = {"source": {"path": path}, "pydevdSourceMaps": []}
            self._debugpy.ask("setPydevdSourceMap", arguments)

    def tell(self) -> None:
        """Tell debugpy everything."""
        for path in self.breakpoints.paths():
            self._source(path)
        if self.breakpoints.any_functions:
            self._functions()
        self._exceptions()

    def changed(self, answer: Message) -> None:
        """debugpy has changed its mind about a breakpoint."""
        for one in self.breakpoints.event(answer):
            self._event("changed", one)

    # -- debugpy -------------------------------------------------------------------------------

    def _source(self, path: str, then: Then | None = None, by: Party | None = None) -> None:
        merged = self.breakpoints.in_source(path)
        arguments = {"source": {"path": path}, "breakpoints": merged.wanted}
        self._set("setBreakpoints", arguments, merged, then, by)

    def _functions(self, then: Then | None = None, by: Party | None = None) -> None:
        merged = self.breakpoints.in_functions()
        self._set("setFunctionBreakpoints", {"breakpoints": merged.wanted}, merged, then, by)

    def _exceptions(self, then: Then | None = None) -> None:
        self._debugpy.ask("setExceptionBreakpoints", self.breakpoints.exceptions(), then)

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
            said = (response.get("body") or {}).get("breakpoints") or []
            answers = [
                self._checked(merged.path, wanted, answer)
                for wanted, answer in zip(merged.wanted, said, strict=False)
            ]
            for one in self.breakpoints.answered(merged, answers):
                if by is None or one.client != by.key:
                    self._event("changed", one)
            if then is not None:
                then(response)

        self._debugpy.ask(command, arguments, done)

    def _checked(self, path: str | None, wanted: Message, answer: Message) -> Message:
        """What debugpy says about a breakpoint, put right if nothing can come by there."""
        if not answer.get("verified"):
            return answer
        if path is None:
            why = _never_called(str(wanted.get("name")))
        elif any(path in party.maps for party in self._outbox.parties.values()):
            why = None  # its lines are those of cells
        else:
            why = self._environment.never_hit(path, wanted["line"])
        if why is None:
            return answer
        place = {"line": wanted["line"]} if "line" in answer else {}  # debugpy may have said 0
        return {**answer, **place, "verified": False, "message": why}

    def _event(self, reason: str, one: Breakpoint) -> None:
        body = {"reason": reason, "breakpoint": one.shown}
        self._outbox.tell(dap.event("breakpoint", body), self._outbox.parties.get(one.client))


def _never_called(name: str) -> str | None:
    """Why a function breakpoint cannot be hit: debugpy compares the plain names of functions."""
    if name.isidentifier() or name.startswith("<"):  # such as <lambda>
        return None
    return f"{name!r} is no name of a function. Give it without module, class and parentheses."


def _path(request: Message) -> str:
    """The file that a request is about."""
    path: str = request["arguments"]["source"]["path"]
    if not path:
        raise StateError(f"{request['command']} needs source.path.")
    return path
