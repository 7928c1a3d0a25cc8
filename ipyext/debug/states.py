"""The states of the debugger and of its clients, as tables. Pure; the documentation draws them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Generic, TypeVar


class StateError(Exception):
    """What was asked for cannot happen in this state; the message is for a person."""


class Debugger(Enum):
    """debugpy in this kernel."""

    OFF = "off"
    STARTING = "starting"  # it is imported, and connects to us
    CONFIGURING = "configuring"  # it is told the options and the breakpoints
    ON = "on"
    STOPPING = "stopping"  # tracing ends
    STOPPING_TO_START = "stopping, then starting"  # somebody came meanwhile


class Step(Enum):
    """What happens to the debugger."""

    START = "first client attaches"
    CONNECTED = "debugpy connects"
    CONFIGURED = "configuration done"
    STOP = "last client leaves"
    STOPPED = "nothing is traced"
    LOST = "connection lost"


class Client(Enum):
    """A client of ours."""

    NEW = "new"
    INITIALIZED = "initialized"
    ATTACHING = "attaching"
    ATTACHED = "attached"
    GONE = "gone"


class Move(Enum):
    """What happens to a client."""

    INITIALIZE = "initialize"
    ATTACH = "attach"
    READY = "debugger is on"
    FAILED = "debugger fails"
    JOIN = "joins the session of its notebook"
    DISCONNECT = "disconnect"
    CLOSE = "connection closes"


DEBUGGER: Mapping[tuple[Debugger, Step], Debugger] = MappingProxyType(
    {
        (Debugger.OFF, Step.START): Debugger.STARTING,
        (Debugger.STARTING, Step.CONNECTED): Debugger.CONFIGURING,
        (Debugger.STARTING, Step.LOST): Debugger.OFF,
        (Debugger.STARTING, Step.STOP): Debugger.STOPPING,
        (Debugger.CONFIGURING, Step.CONFIGURED): Debugger.ON,
        (Debugger.CONFIGURING, Step.LOST): Debugger.STOPPING,
        (Debugger.CONFIGURING, Step.STOP): Debugger.STOPPING,
        (Debugger.ON, Step.STOP): Debugger.STOPPING,
        (Debugger.ON, Step.LOST): Debugger.STOPPING,
        (Debugger.STOPPING, Step.START): Debugger.STOPPING_TO_START,
        (Debugger.STOPPING, Step.STOPPED): Debugger.OFF,
        (Debugger.STOPPING_TO_START, Step.STOP): Debugger.STOPPING,
        (Debugger.STOPPING_TO_START, Step.STOPPED): Debugger.STARTING,
    }
)

CLIENT: Mapping[tuple[Client, Move], Client] = MappingProxyType(
    {
        (Client.NEW, Move.INITIALIZE): Client.INITIALIZED,
        (Client.NEW, Move.JOIN): Client.ATTACHED,
        (Client.INITIALIZED, Move.INITIALIZE): Client.INITIALIZED,
        (Client.INITIALIZED, Move.ATTACH): Client.ATTACHING,
        (Client.ATTACHING, Move.READY): Client.ATTACHED,
        (Client.ATTACHING, Move.FAILED): Client.NEW,
        (Client.ATTACHED, Move.INITIALIZE): Client.ATTACHED,
        (Client.ATTACHED, Move.FAILED): Client.NEW,
        **{(state, Move.DISCONNECT): Client.NEW for state in Client if state is not Client.GONE},
        **{(state, Move.CLOSE): Client.GONE for state in Client},
    }
)

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class Machine(Generic[S, E]):
    """Where one of them is. `advance` is the only way to somewhere else."""

    def __init__(self, table: Mapping[tuple[S, E], S], start: S) -> None:
        self._table = table
        self.state = start

    def advance(self, step: E) -> S:
        """Afterwards it is where the table says.

        Raises:
            StateError: there is no such way.
        """
        if (self.state, step) not in self._table:
            raise StateError(f"{step.value!r} cannot happen while it is {self.state.value!r}")
        self.state = self._table[self.state, step]
        return self.state

    def can(self, step: E) -> bool:
        """Whether `step` may happen now."""
        return (self.state, step) in self._table


def mermaid(table: Mapping[tuple[S, E], S], start: S) -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {start.name}"]
    for (state, step), target in table.items():
        lines.append(f"    {state.name} --> {target.name}: {step.value}")
    return "\n".join(lines)
