"""What several clients want to stop at, merged for one debugger. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ipyext.debug.capabilities import FILTERS

Message = dict[str, Any]
Client = int

# Exception breakpoints, weakest first: a stop at the raise covers those that nobody catches.
MODES = ("never", "unhandled", "userUnhandled", "always")
EVERYTHING = "Python Exceptions"


@dataclass(eq=False)
class Breakpoint:
    """One client's breakpoint.

    Attributes:
        id: what this client knows it by; it stays as long as the client wants the same.
        wanted: as the client asked for it (DAP SourceBreakpoint or FunctionBreakpoint).
        state: what the debugger said about it last (DAP Breakpoint, without the id).
    """

    id: int
    client: Client
    wanted: Message
    state: Message = field(default_factory=lambda: {"verified": False})

    @property
    def place(self) -> Any:
        """The line, or the name of the function."""
        return self.wanted.get("line", self.wanted.get("name"))

    @property
    def line(self) -> Any:
        """The line where the debugger has set it."""
        return self.state.get("line", self.place)

    @property
    def plain(self) -> bool:
        """Whether it stops always, without a condition, a count or a message."""
        return not any(self.wanted.get(key) for key in ("condition", "hitCondition", "logMessage"))

    @property
    def shown(self) -> Message:
        """As a DAP Breakpoint."""
        return {**self.state, "id": self.id}

    def same_as(self, wanted: Message) -> bool:
        """Whether `wanted` asks for just this."""
        keys = {*self.wanted, *wanted}
        return all(self.wanted.get(key) == wanted.get(key) for key in keys)


@dataclass
class Merged:
    """What the debugger is to set in one file, or for functions.

    Attributes:
        wanted: DAP breakpoints, one a place.
        owners: for each of them, whose it is.
        path: the file; None for functions.
        number: grows with each one.
    """

    wanted: list[Message]
    owners: list[list[Breakpoint]]
    path: str | None = None
    number: int = 0


class Breakpoints:
    """All breakpoints of all clients.

    Args:
        decide: makes one condition out of the breakpoints at one place, unless all are plain.
    """

    def __init__(self, decide: Callable[[list[Breakpoint]], str]) -> None:
        self._decide = decide
        self._ids = itertools.count(1)
        self._sources: dict[str, dict[Client, list[Breakpoint]]] = {}
        self._functions: dict[Client, list[Breakpoint]] = {}
        self._exceptions: dict[Client, Message] = {}
        self._numbers = itertools.count(1)
        self._answered: dict[str | None, int] = {}
        self._backend_ids: dict[str | None, dict[int, list[Breakpoint]]] = {}

    # -- what clients ask for ------------------------------------------------------------------

    def set_source(self, client: Client, path: str, wanted: Iterable[Message]) -> list[Breakpoint]:
        """`wanted` is all that this client wants in this file."""
        found = self._renewed(client, self._sources.get(path, {}).get(client, []), wanted)
        self.put_source(client, path, found)
        return found

    def put_source(self, client: Client, path: str, found: list[Breakpoint]) -> None:
        """The same of breakpoints that there are."""
        owners = self._sources.setdefault(path, {})
        owners[client] = found
        if not found:
            del owners[client]

    def set_functions(self, client: Client, wanted: Iterable[Message]) -> list[Breakpoint]:
        """`wanted` is all that this client wants of functions."""
        found = self._renewed(client, self._functions.get(client, []), wanted)
        self.put_functions(client, found)
        return found

    def put_functions(self, client: Client, found: list[Breakpoint]) -> None:
        """The same of breakpoints that there are."""
        self._functions[client] = found

    def set_exceptions(self, client: Client, wanted: Message) -> None:
        """`wanted`: arguments of a setExceptionBreakpoints request."""
        self._exceptions[client] = wanted

    def _renewed(
        self, client: Client, former: list[Breakpoint], wanted: Iterable[Message]
    ) -> list[Breakpoint]:
        left = list(former)
        found = []
        for one in wanted:
            same = next((old for old in left if old.same_as(one)), None)
            if same is None:
                same = Breakpoint(next(self._ids), client, dict(one))
            else:
                left.remove(same)
            found.append(same)
        return found

    def forget(self, client: Client) -> tuple[list[str], bool, bool]:
        """A client leaves. Tells the files, and whether functions and exceptions, have changed."""
        paths = [path for path, owners in self._sources.items() if owners.pop(client, None)]
        functions = bool(self._functions.pop(client, None))
        exceptions = bool(self._exceptions.pop(client, None))
        return paths, functions, exceptions

    def give(self, old: Client, new: Client) -> None:
        """All that `old` wanted is `new`'s from now on, beside what that wants itself."""
        for owners in self._sources.values():
            self._append(owners, old, new)
        self._append(self._functions, old, new)
        if old in self._exceptions:
            self._exceptions.setdefault(new, self._exceptions.pop(old))

    def _append(self, owners: dict[Client, list[Breakpoint]], old: Client, new: Client) -> None:
        moved = owners.pop(old, [])
        for one in moved:
            one.client = new
        if moved:
            owners.setdefault(new, []).extend(moved)

    def drop(self, path: str, ids: set[int], keep: list[Any]) -> list[Breakpoint]:
        """Remove those of `ids` in a file whose line is not in `keep`; returns them.

        The line may be the one that was asked for, or the one where the debugger has set it.
        """
        gone = []
        for client, found in list(self._sources.get(path, {}).items()):
            dropped = [
                one
                for one in found
                if one.id in ids and one.place not in keep and one.line not in keep
            ]
            gone += dropped
            left = [one for one in found if one not in dropped]
            self._sources[path][client] = left
            if not left:
                del self._sources[path][client]
        return gone

    # -- what the debugger is to set -----------------------------------------------------------

    def paths(self) -> list[str]:
        """Files that somebody has breakpoints in."""
        return [path for path, owners in self._sources.items() if any(owners.values())]

    def of(self, client: Client) -> dict[str, list[Breakpoint]]:
        """A client's breakpoints by file."""
        return {
            path: owners[client] for path, owners in self._sources.items() if owners.get(client)
        }

    def functions_of(self, client: Client) -> list[Breakpoint]:
        """A client's function breakpoints."""
        return list(self._functions.get(client, ()))

    def exceptions_of(self, client: Client) -> Message:
        """What a client has asked of exceptions."""
        return self._exceptions.get(client, {})

    def in_source(self, path: str) -> Merged:
        """All clients' breakpoints in a file."""
        return self._merged(self._sources.get(path, {}).values(), path)

    def in_functions(self) -> Merged:
        """All clients' function breakpoints."""
        return self._merged(self._functions.values(), None)

    @property
    def any_functions(self) -> bool:
        return any(self._functions.values())

    def _merged(self, lists: Iterable[list[Breakpoint]], path: str | None) -> Merged:
        places: dict[Any, list[Breakpoint]] = {}
        for one in itertools.chain.from_iterable(lists):
            places.setdefault(one.place, []).append(one)
        merged = Merged([], [], path, next(self._numbers))
        for owners in places.values():
            merged.wanted.append(self._one(owners))
            merged.owners.append(owners)
        return merged

    def _one(self, owners: list[Breakpoint]) -> Message:
        first = owners[0]
        key = "line" if "line" in first.wanted else "name"
        if first.plain and all(first.same_as(other.wanted) for other in owners[1:]):
            return dict(first.wanted)
        # All else is decided here: at functions debugpy neither counts nor logs, and an interrupt
        # of the code is lost in its log messages, and ends the tracing in its conditions.
        wanted: Message = {key: first.place}
        if not all(one.plain for one in owners):  # else all of them mean each stop
            wanted["condition"] = self._decide(owners)
        return wanted

    def exceptions(self) -> Message:
        """Arguments of the setExceptionBreakpoints request that serves all clients."""
        filters: set[str] = set()
        options: dict[str, str] = {}
        for wanted in self._exceptions.values():
            chosen = list(wanted.get("filters") or [])
            chosen += [f.get("filterId") for f in wanted.get("filterOptions") or []]
            if wanted.get("exceptionOptions"):
                _add_options(options, wanted["exceptionOptions"])
            else:
                filters.update(name for name in chosen if name in FILTERS)
        if not options:
            return {"filters": sorted(filters)}
        for name in filters:
            _strengthen(options, EVERYTHING, FILTERS[name])
        return {"filters": [], "exceptionOptions": _as_options(options)}

    # -- what the debugger says ----------------------------------------------------------------

    def answered(self, merged: Merged, answers: list[Message]) -> list[Breakpoint]:
        """The debugger has set `merged`; returns the breakpoints whose state has changed."""
        if merged.number < self._answered.get(merged.path, 0) or len(answers) < len(merged.wanted):
            return []  # it has set something else since then, or could not set this
        self._answered[merged.path] = merged.number
        self._backend_ids[merged.path] = ids = {}
        changed = []
        for owners, answer in zip(merged.owners, answers, strict=False):
            if answer.get("id") is not None:
                ids[answer["id"]] = owners
            changed += self._told(self._wanted(owners), answer)
        return changed

    def event(self, answer: Message) -> list[Breakpoint]:
        """The debugger has changed its mind about a breakpoint; returns whose it is."""
        owners = self.behind([answer.get("id", -1)])
        self._told(owners, answer)
        return owners

    def _told(self, owners: list[Breakpoint], answer: Message) -> list[Breakpoint]:
        state = {key: value for key, value in answer.items() if key != "id"}
        changed = [one for one in owners if one.state != state]
        for one in changed:
            one.state = dict(state)
        return changed

    def behind(self, backend_ids: Iterable[int]) -> list[Breakpoint]:
        """The breakpoints that these ids of the debugger stand for."""
        found = []
        for number in backend_ids:
            for ids in self._backend_ids.values():
                found += self._wanted(ids.get(number, []))
        return found

    def _wanted(self, owners: list[Breakpoint]) -> list[Breakpoint]:
        """Those of `owners` that nobody has taken back since the debugger set them."""
        lists = (*(own for one in self._sources.values() for own in one.values()),)
        left = set(itertools.chain(*lists, *self._functions.values()))
        return [one for one in owners if one in left]

    def debugger_gone(self) -> None:
        """Its ids mean nothing any more."""
        self._backend_ids.clear()
        self._answered.clear()


def _add_options(options: dict[str, str], wanted: list[Message]) -> None:
    for option in wanted:
        path = option.get("path") or []
        names = path[1].get("names", []) if len(path) > 1 else [EVERYTHING]
        if path and EVERYTHING not in (path[0].get("names") or []):
            continue
        for name in names:
            _strengthen(options, name, str(option.get("breakMode", "never")))


def _strengthen(options: dict[str, str], name: str, mode: str) -> None:
    former = options.get(name, "never")
    if mode in MODES and MODES.index(mode) > MODES.index(former):
        options[name] = mode


def _as_options(options: dict[str, str]) -> list[Message]:
    return [
        {
            "path": [{"names": [EVERYTHING]}] + ([] if name == EVERYTHING else [{"names": [name]}]),
            "breakMode": mode,
        }
        for name, mode in sorted(options.items())
    ]
