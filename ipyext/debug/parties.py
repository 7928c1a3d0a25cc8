"""The clients of the debug router, and what the multiplexer asks to be done. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ipyext.debug.numbering import Numbering
from ipyext.debug.states import CLIENT, Client, Machine, Move

Message = dict[str, Any]


class PathMap:
    """Paths as a client sees them, and as the kernel does (`pathMappings` of attach)."""

    def __init__(self, mappings: Any = ()) -> None:
        pairs = [
            (str(one["localRoot"]), str(one["remoteRoot"]))
            for one in (mappings if isinstance(mappings, list | tuple) else ())
            if isinstance(one, dict) and one.get("localRoot") and one.get("remoteRoot")
        ]
        # The longest root first: it is the one that knows best.
        self._local = sorted(pairs, key=lambda pair: -len(pair[0]))
        swapped = [(remote, local) for local, remote in pairs]
        self._remote = sorted(swapped, key=lambda pair: -len(pair[0]))

    def to_kernel(self, value: Any) -> Any:
        """`value` with the paths of its sources as the kernel sees them."""
        return self._mapped(value, self._local) if self._local else value

    def to_client(self, value: Any) -> Any:
        """`value` with the paths of its sources as the client sees them."""
        return self._mapped(value, self._remote) if self._remote else value

    def _mapped(self, value: Any, pairs: list[tuple[str, str]]) -> Any:
        if isinstance(value, list):
            return [self._mapped(one, pairs) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: self._mapped(one, pairs) for key, one in value.items()}
        for key in ("path", "sourcePath"):
            if isinstance(found.get(key), str):
                found[key] = _moved(found[key], pairs)
        return found


def _moved(path: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        root = old.rstrip("/\\")
        if path == root or path.startswith((root + "/", root + "\\")):
            rest = path[len(root) :]
            separator = "\\" if "\\" in new and "/" not in new else "/"
            moved = new.rstrip("/\\") + rest.replace("\\", "/").replace("/", separator)
            return moved or separator
    return path


@dataclass(eq=False)
class Party:
    """A client: a Jupyter session, a TCP connection, or the magics of this kernel.

    Attributes:
        key: our number for it.
        name: for people.
        jupyter: events reach it on iopub, together with every other such client.
        echo: it is told what its expressions print.
        client_id: `clientID` of its initialize request.
        shown: ids of the breakpoints that debugInfo has told it of.
        told_on: debugInfo has told it that the debugger is on, so it may go on without attaching.
        left: it disconnected by itself.
        lingering: its connection is gone; somebody may take over for a while.
        lingers: how many `Linger` have not ended yet.
        attaching: its attach request, while the debugger starts.
        missed: threads that stopped before it attached, which it has not been told.
        maps: files whose lines it has said to be those of cells.
        open: requests that have not been answered: ours by identity, and as it came.
    """

    key: int
    name: str
    jupyter: bool
    machine: Machine[Client, Move] = field(default_factory=lambda: Machine(CLIENT, Client.NEW))
    paths: PathMap = field(default_factory=PathMap)
    numbering: Numbering = field(default_factory=Numbering)
    arguments: Message = field(default_factory=dict)
    echo: bool = True
    client_id: str | None = None
    shown: set[int] = field(default_factory=set)
    told_on: bool = False
    left: bool = False
    lingering: bool = False
    lingers: int = 0
    attaching: Message | None = None
    missed: set[int] = field(default_factory=set)
    maps: set[str] = field(default_factory=set)
    open: dict[int, tuple[Message, Message]] = field(default_factory=dict)
    seq: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def state(self) -> Client:
        return self.machine.state

    @property
    def attached(self) -> bool:
        return self.state is Client.ATTACHED

    @property
    def options(self) -> Message:
        """What it asked debugpy for when it attached."""
        kinds = {"justMyCode": bool, "showReturnValue": bool, "variablePresentation": dict}
        found = {
            name: self.arguments[name]
            for name, kind in kinds.items()
            if isinstance(self.arguments.get(name), kind)
        }
        if shown := found.get("variablePresentation"):
            texts = {key: one for key, one in shown.items() if isinstance(one, str)}
            found["variablePresentation"] = texts
        return found

    @property
    def adopts(self) -> bool:
        """It takes debugInfo's breakpoints for its own and sends them again, as JupyterLab does."""
        return self.jupyter and self.client_id in (None, "jupyterlab")


@dataclass
class Reply:
    """Send a response to a client."""

    party: Party
    request: Message
    response: Message


@dataclass
class Tell:
    """Send an event to a client that is alone on its connection."""

    party: Party
    event: Message


@dataclass
class Publish:
    """Send an event on iopub. `party` is who it is meant for; None for all."""

    party: Party | None
    event: Message


@dataclass
class Forward:
    """Send a request to debugpy; `seconds` is the time that it has for its answer."""

    request: Message
    seconds: float | None


@dataclass
class Local:
    """Answer this request by `Multiplexer.answer`; debugpy is not needed."""

    party: Party
    request: Message


@dataclass
class Linger:
    """Call `Multiplexer.expire` for this client in a while."""

    party: Party


@dataclass
class Start:
    """Import debugpy and have it connect."""


@dataclass
class Stop:
    """Take debugpy off."""


Action = Reply | Tell | Publish | Forward | Local | Linger | Start | Stop


class Environment(Protocol):
    """What the multiplexer has to know of the kernel."""

    def threads(self) -> list[Message]:
        """The threads that people see (DAP Thread): those of shells under the shells' names."""

    def info(self) -> Message:
        """What debugInfo says of names of cells."""

    def attach_options(self) -> Message:
        """Rules and options for debugpy's attach request."""

    def turned_down(self, thread: int) -> frozenset[int]:
        """Ids of the breakpoints at the place of this thread's new stop that did not want it."""

    def same_file(self, one: str, other: str) -> bool:
        """Whether two paths are of one file."""

    def never_hit(self, path: str, line: int) -> str | None:
        """Why no code comes by that line of a file, for a person; None if some may."""


Then = Callable[[Message], None]
