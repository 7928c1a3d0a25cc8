"""Subshells as people see them: a snapshot with methods that act on the living one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ipyext.errors import SubshellNotFoundError
from ipyext.shells.child import ChildShell
from ipyext.shells.engine import Engine
from ipyext.shells.interrupts import Blocked
from ipyext.shells.jobs import Job
from ipyext.shells.shell import Shell


@dataclass(frozen=True)
class Subshell:
    """A subshell as it was when it was asked for; the methods act on the living one.

    Attributes:
        id: JEP 91's subshell_id; None for the parent subshell (main).
        name: its name, or None.
        state: ``"idle"``, ``"busy"``, ``"busy with a task"`` (its cell, if one runs, awaits, and
            a task that a cell has started does not), ``"sleeping"``, ``"waiting for"`` input, main,
            a job or the debugger, ``"stopped by the debugger"``, ``"zombie"`` (deleted, but its
            code does not end), or a busy shell's trouble with an interrupt.
        seconds: how long it has been in that state.
        running: the code that runs, or an empty string.
        queued: requests waiting.
        executed: cells run so far.
        thread: the name of its thread.
    """

    id: str | None
    name: str | None
    state: str
    seconds: float
    running: str
    queued: int
    executed: int
    thread: str
    _engine: Engine = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """Name, id, or ``"main"``."""
        return self.name or self.id or "main"

    def run(self, code: str) -> Job:
        """Run `code` there, as ``%%subshell NAME --detach`` does, and return at once.

        Raises:
            SubshellNotFoundError: it was deleted, or it is the parent subshell.
        """
        return self._engine.launcher.submit(str(self._child().id), code)

    def inputs(self) -> list[str]:
        """What was run there with history, oldest first. Same errors as `run`."""
        history = self._history()
        return [] if history is None else list(history.input_hist_raw[1:])

    def results(self) -> dict[int, object]:
        """Results of its cells by execution count: its `Out`. Same errors as `run`."""
        history = self._history()
        return {} if history is None else dict(history.output_hist)

    def _history(self) -> Any | None:
        if self.id is None:
            return self._engine.host.main.history_manager
        return self._child().history

    def interrupt(self) -> list[Blocked]:
        """Raise KeyboardInterrupt in what runs there. Same errors as `run`, but main can be.

        Returns an entry if an earlier interrupt has not reached it yet: it is in native code.
        """
        if self.id is None:
            self._engine.interrupts.main()
            return []
        return self._engine.interrupts.child(self._child())

    def rename(self, name: str) -> Subshell:
        """Give it another name and return it as it is then.

        Raises:
            SubshellNameError: the name is taken or cannot be used.
            SubshellNotFoundError: see `run`.
        """
        self._engine.registry.rename(self._child(), name)
        return find(self._engine, name)

    def delete(self) -> None:
        """Delete it now; what runs in it gets KeyboardInterrupt. Same errors as `run`."""
        self._engine.delete(self._child())

    def _child(self) -> ChildShell:
        if self.id is None:
            raise SubshellNotFoundError("main")
        return self._engine.registry.find(self.id)


def _doing(shell: Shell) -> str:
    """What a shell is at, or stuck on."""
    if shell.waits:
        return shell.waits
    doing = "idle" if shell.current is None else "busy"
    if not isinstance(shell, ChildShell):
        return doing
    gate = shell.gate
    if gate.of_task:
        doing = "busy with a task"
    if gate.asked is None or not gate.is_open or (gate.of_task and gate.asked < gate.since):
        return doing
    if (blocked := gate.blocked) is not None:
        return f"in native code, interrupted {blocked:.0f} s ago"
    return f"{doing}, ignored an interrupt {time.monotonic() - gate.asked:.0f} s ago"


def describe(engine: Engine, shell: Shell, zombie: bool = False) -> Subshell:
    work, state = shell.current, _doing(shell)
    thread = shell.thread.name if isinstance(shell, ChildShell) else "MainThread"
    since = shell.since
    if work is None and state != "idle" and isinstance(shell, ChildShell):
        since = max(since, shell.gate.since)
    return Subshell(
        id=shell.id,
        name=shell.name,
        state="zombie" if zombie else state,
        seconds=time.monotonic() - since,
        running="" if work is None else work.code,
        queued=shell.queued,
        executed=shell.executed,
        thread=thread,
        _engine=engine,
    )


def everyone(engine: Engine) -> list[Subshell]:
    """All subshells: the parent first, then the children by age, then zombies."""
    return [
        describe(engine, engine.parent),
        *(describe(engine, child) for child in engine.registry.all()),
        *(describe(engine, child, zombie=True) for child in engine.registry.zombies()),
    ]


def find(engine: Engine, name: str) -> Subshell:
    """The subshell with that name or id; ``"main"`` is the parent.

    Raises:
        SubshellNotFoundError: there is none.
    """
    return describe(engine, engine.parent if name == "main" else engine.registry.find(name))


def current(engine: Engine) -> Subshell:
    """The subshell that the calling code runs in; main for lines answered beside a busy main."""
    shell = engine.current_shell()
    helps = shell is engine.helpers.get("service")
    return describe(engine, engine.parent if helps else shell)
