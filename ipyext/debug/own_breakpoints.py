"""The breakpoints of the debugger's client in this kernel. The router keeps them."""

from __future__ import annotations

import threading

from ipyext.debug.breakpoints import Breakpoint as Kept
from ipyext.debug.hits import never
from ipyext.debug.names import Names, Place
from ipyext.debug.parties import Message, Party
from ipyext.debug.session import Session
from ipyext.debug.views import Breakpoint
from ipyext.errors import DebuggerError


class OwnBreakpoints:
    """Sets, lists and clears them. Any thread; errors and waits are those of `Session`."""

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._names = names
        self._lock = threading.Lock()  # one at a time reads, changes and sends

    def set(
        self, place: str, condition: str | None, log: str | None, hits: str | None
    ) -> Breakpoint:
        """See `Debugger.set_breakpoint`."""
        where = self._names.place(place)
        _check(hits)
        extra = {"condition": condition, "logMessage": log, "hitCondition": hits}
        key: str = "name" if where.function else "line"
        value = where.function or where.line
        new = {key: value, **{name: text for name, text in extra.items() if text}}
        with self._lock:
            wanted = [one.wanted for path, one in self._all() if path == where.path]
            self._send(where.path, [*(one for one in wanted if one[key] != value), new])
        for one in self._all():
            if _fits(one, where):
                return self._shown(*one)
        raise DebuggerError(f"{place} was cleared by somebody else at once.")

    def all(self) -> list[Breakpoint]:
        """See `Debugger.breakpoints`."""
        return [self._shown(path, one) for path, one in self._all()]

    def clear(self, which: str | None) -> int:
        """See `Debugger.clear`."""
        with self._lock:
            everything = self._all()
            gone = [one.id for found, one in everything if which in (None, str(one.id))]
            if which is not None and not gone:
                where = None if which.isdigit() else self._names.place(which)
                gone = [one[1].id for one in everything if where and _fits(one, where)]
                if not gone:
                    raise DebuggerError(self._unknown(which, everything))
            for path in {path for path, one in everything if one.id in gone}:
                mine = [one for found, one in everything if found == path]
                self._send(path, [one.wanted for one in mine if one.id not in gone])
        return len(gone)

    def _unknown(self, which: str, everything: list[tuple[str | None, Kept]]) -> str:
        known = ", ".join(f"{one.id} ({self._place(path, one)})" for path, one in everything)
        return f"There is no breakpoint {which} of this client. " + (
            f"There are: {known}." if known else "There are none."
        )

    def _send(self, path: str | None, wanted: list[Message]) -> None:
        if path is None:
            self._session.ask("setFunctionBreakpoints", breakpoints=wanted)
        else:
            self._session.ask("setBreakpoints", source={"path": path}, breakpoints=wanted)

    def _all(self) -> list[tuple[str | None, Kept]]:
        if not self._session.used:
            return []
        party = self._session.party
        return self._session.debugging.in_router(lambda: self.of(party))

    def of(self, party: Party) -> list[tuple[str | None, Kept]]:
        """A client's breakpoints with their files; None for functions. Router thread."""
        table = self._session.router.core.breakpoints
        found: list[tuple[str | None, Kept]] = [
            (path, one) for path, owned in table.of(party.key).items() for one in owned
        ]
        return found + [(None, one) for one in table.functions_of(party.key)]

    def _place(self, path: str | None, one: Kept) -> str:
        return str(one.place) if path is None else self._names.shown(path, one.place)

    def _shown(self, path: str | None, one: Kept) -> Breakpoint:
        wanted = one.wanted
        message = str(one.state.get("message") or "")
        if path is not None and one.state.get("verified") and one.line != one.place:
            message = f"At {self._names.shown(path, one.line)}, the last code before that line."
        return Breakpoint(
            number=one.id,
            place=self._place(path, one),
            verified=bool(one.state.get("verified")),
            condition=wanted.get("condition"),
            hits=wanted.get("hitCondition"),
            log=wanted.get("logMessage"),
            message=message,
        )


def _check(hits: str | None) -> None:
    try:
        useless = hits is not None and never(hits)
    except ValueError as error:
        raise DebuggerError(f"{error}.") from None
    if useless:
        raise DebuggerError(f"hits {hits} never stops: hits are counted from 1.")


def _fits(one: tuple[str | None, Kept], where: Place) -> bool:
    path, kept = one
    return path == where.path and kept.place == (where.function or where.line)
