"""What people are shown of the debugger: plain data."""

from __future__ import annotations

from dataclasses import dataclass

from ipyext.debug.stacks import Frame

WITH_OTHERS = "with the others"  # a breakpoint stops all threads, and another one came by


@dataclass(frozen=True)
class Client:
    """Somebody who debugs this kernel, or has a connection and may begin to.

    Attributes:
        name: for people: a Jupyter session, the address of a TCP client, ``this kernel``.
        kind: ``"Jupyter"``, ``"TCP"``, or ``"Python"`` for `Debugger` and ``%debugctl``.
        program: what it calls itself, such as ``vscode``; empty if it has not said.
        state: ``"attached"`` if it debugs.
        breakpoints: how many of its own it has.
    """

    name: str
    kind: str
    program: str
    state: str
    breakpoints: int


@dataclass(frozen=True)
class Thread:
    """A thread that runs people's code.

    Attributes:
        id: its number in the Debug Adapter Protocol.
        name: ``main``, ``subshell NAME``, or what Python calls it.
        shell: the name or id of the shell whose cells it runs; None for other threads.
        stopped: why it has stopped, such as ``breakpoint``, or `WITH_OTHERS`; None if it runs.
    """

    id: int
    name: str
    shell: str | None
    stopped: str | None

    @property
    def label(self) -> str:
        """What ``%debugctl`` takes for it."""
        return self.shell or self.name


@dataclass(frozen=True)
class Stop:
    """Where a thread has stopped.

    Attributes:
        thread: the thread.
        frames: its stack, innermost first; internal frames are left out.
        text: more about it, such as the exception; often empty.
    """

    thread: Thread
    frames: tuple[Frame, ...]
    text: str = ""

    def as_text(self) -> str:
        """As in a traceback."""
        lines = [f"{self.thread.label} has stopped: {self.thread.stopped}"]
        lines += [self.text] if self.text else []
        for frame in self.frames:
            lines += ["  " + line for line in frame.as_text().splitlines()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Breakpoint:
    """A breakpoint of this client.

    Attributes:
        number: what `Debugger.clear` takes.
        place: as it was given, with the cell or the file in full.
        verified: whether the debugger has found the place, or code before it.
        condition, hits, log: as they were given.
        message: what there is to say about it: why it is not verified, where it stands instead of
            at its line; often empty.
    """

    number: int
    place: str
    verified: bool
    condition: str | None = None
    hits: str | None = None
    log: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Variable:
    """A variable as the debugger shows it: `value` is its repr, shortened."""

    name: str
    value: str
    type: str


@dataclass(frozen=True)
class Status:
    """The debugger at one moment.

    Attributes:
        state: ``"on"``, ``"off"``, or on the way between them.
        attached: whether this client debugs.
        clients: all of them.
        stopped: the threads that are stopped, latest first.
        breakpoints: how many this client has.
        address: where TCP clients may come in; None if nothing listens.
        stop: what a breakpoint stops: its ``"thread"``, or ``"all"``.
    """

    state: str
    attached: bool
    clients: tuple[Client, ...]
    stopped: tuple[Thread, ...]
    breakpoints: int
    address: tuple[str, int] | None
    stop: str
