"""The requests that set breakpoints: each client's, merged, and the answers split again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyext.debug.breakpoints import Breakpoint, Breakpoints, Merged
from ipyext.debug.outbox import Outbox
from ipyext.debug.parties import Message, Party, Then
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
        self, outbox: Outbox, debugpy: Questions, decide: Callable[[list[Breakpoint]], str]
    ) -> None:
        self.breakpoints = Breakpoints(decide)
        self._outbox = outbox
        self._debugpy = debugpy

    # -- requests ------------------------------------------------------------------------------

    def set_source(self, party: Party, request: Message) -> None:
        """setBreakpoints.

        Raises:
            StateError: the arguments are not what they should be.
        """
        arguments = request["arguments"]
        path = _path(request)
        wanted = arguments.get("breakpoints")
        if wanted is None:
            lines = arguments.get("lines") or []
            wanted = [{"line": line} for line in lines] if isinstance(lines, list) else lines
        wanted = _checked(wanted, "line", int)
        if party.adopts:
            lines = [one["line"] for one in wanted]
            for gone in self.breakpoints.drop(path, party.shown, lines):
                if gone.client != party.key:
                    self._event("removed", gone)
        mine = self.breakpoints.set_source(party.key, path, wanted)
        party.shown.update(one.id for one in mine)
        self._source(path, self._answer(party, request, mine), party)

    def set_functions(self, party: Party, request: Message) -> None:
        """setFunctionBreakpoints.

        Raises:
            StateError: the arguments are not what they should be.
        """
        wanted = _checked(request["arguments"].get("breakpoints") or [], "name", str)
        mine = self.breakpoints.set_functions(party.key, wanted)
        self._functions(self._answer(party, request, mine), party)

    def set_exceptions(self, party: Party, request: Message) -> None:
        """setExceptionBreakpoints.

        Raises:
            StateError: the arguments are not what they should be.
        """
        arguments = request["arguments"]
        _check_exceptions(arguments)
        self.breakpoints.set_exceptions(party.key, arguments)
        self._exceptions(lambda response: self._outbox.reply(party, request, response))

    def set_map(self, party: Party, request: Message) -> None:
        """setPydevdSourceMap: lines of a file are those of cells. VS Code's Interactive Window.

        Raises:
            StateError: the arguments are not what they should be.
        """
        arguments = request["arguments"]
        path = _path(request)
        _check_maps(arguments.get("pydevdSourceMaps"))
        (party.maps.add if arguments["pydevdSourceMaps"] else party.maps.discard)(path)

        def then(response: Message) -> None:
            self._outbox.reply(party, request, response)

        self._debugpy.ask("setPydevdSourceMap", arguments, then)

    def _answer(self, party: Party, request: Message, mine: list[Breakpoint]) -> Then:
        def then(response: Message) -> None:
            body = {**(response.get("body") or {}), "breakpoints": [one.shown for one in mine]}
            self._outbox.reply(party, request, {**response, "body": body})

        return then

    # -- what else happens ---------------------------------------------------------------------

    def forget(self, party: Party, tell: bool) -> None:
        """A client wants nothing any more; with `tell`, debugpy is told so."""
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
            answers = (response.get("body") or {}).get("breakpoints") or []
            for one in self.breakpoints.answered(merged, answers):
                if by is None or one.client != by.key:
                    self._event("changed", one)
            if then is not None:
                then(response)

        self._debugpy.ask(command, arguments, done)

    def _event(self, reason: str, one: Breakpoint) -> None:
        body = {"reason": reason, "breakpoint": one.shown}
        self._outbox.tell(dap.event("breakpoint", body), self._outbox.parties.get(one.client))


_TEXTS = ("condition", "hitCondition", "logMessage")


def _path(request: Message) -> str:
    """The file that a request is about."""
    source = request["arguments"].get("source")
    path = source.get("path") if isinstance(source, dict) else None
    if not isinstance(path, str) or not path:
        raise StateError(f"{request['command']} needs source.path.")
    return path


def _check_maps(maps: Any) -> None:
    def right(one: Any) -> bool:
        source = one.get("runtimeSource") if isinstance(one, dict) else None
        return (
            isinstance(source, dict)
            and isinstance(source.get("path"), str)
            and all(type(one.get(key)) is int for key in ("line", "endLine", "runtimeLine"))
        )

    if not isinstance(maps, list) or not all(right(one) for one in maps):
        raise StateError(
            "pydevdSourceMaps has to be a list of objects with line, endLine, runtimeLine, which "
            "are numbers, and runtimeSource.path."
        )


def _checked(wanted: Any, key: str, kind: type) -> list[Message]:
    """`wanted` as a list of breakpoints: debugpy does not take well what is none."""
    word = "number" if kind is int else "text"
    if not isinstance(wanted, list):
        raise StateError("breakpoints has to be a list.")
    for one in wanted:
        if not isinstance(one, dict) or type(one.get(key)) is not kind:
            raise StateError(f"Every breakpoint needs a {key}, which is a {word}.")
        for name in _TEXTS:
            if not isinstance(one.get(name), str | None):
                raise StateError(f"{name} of a breakpoint has to be text.")
    return wanted


def _check_exceptions(arguments: Message) -> None:
    def dicts(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(one, dict) for one in value)

    def texts(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)

    if not texts(arguments.get("filters") or []):
        raise StateError("filters has to be a list of names.")
    if not dicts(arguments.get("filterOptions") or []):
        raise StateError("filterOptions has to be a list of objects.")
    for option in _list(arguments, "exceptionOptions"):
        path = option.get("path") or [] if isinstance(option, dict) else None
        if not dicts(path) or not all(texts(one.get("names") or []) for one in path or []):
            raise StateError("exceptionOptions has to be a list of objects with path and names.")


def _list(arguments: Message, name: str) -> list[Any]:
    value = arguments.get(name) or []
    if not isinstance(value, list):
        raise StateError(f"{name} has to be a list.")
    return value
