"""Starts cells that go on by themselves: `%%subshell --detach`, and `Subshell.run`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipyext.protocol.routing import cell_body
from ipyext.shells.child import ChildShell
from ipyext.shells.jobs import Captured, DetachedCell, Job
from ipyext.shells.request import Request
from ipyext.shells.shell import Place

if TYPE_CHECKING:
    from ipyext.shells.engine import Engine


class Launcher:
    """Queues cells in children for the code that calls it.

    Attributes:
        jobs: all that were started, oldest first.
    """

    def __init__(self, engine: Engine) -> None:
        self.jobs: list[Job] = []
        self._engine = engine
        self._numbers = itertools.count(1)

    def detach(self, name: str | None, code: str, made: Callable[[Job], None]) -> Job:
        """As `submit`, for a cell that may have a place in the child's queue since it came in.

        `made` is told of the job before it is queued, so before it runs.
        """
        request = self._engine.current_request()
        place = None if request is None else request.place
        return self._queue(self._child(name), code, place=place, made=made)

    def submit(self, name: str | None, code: str, captured: Any | None = None) -> Job:
        """Queue a cell in a child (made on demand) and return at once. Any shell's thread.

        Where `captured`, the calling shell's InteractiveShell, is given, what it captures at the
        moment gets the cell's output as well.
        """
        return self._queue(self._child(name), code, captured)

    def _child(self, name: str | None) -> ChildShell:
        registry = self._engine.registry
        return registry.create(ephemeral=True) if name is None else registry.named(name)

    def _queue(
        self,
        child: ChildShell,
        code: str,
        captured: Any = None,
        place: Place | None = None,
        made: Callable[[Job], None] = lambda job: None,
    ) -> Job:
        engine = self._engine
        caller, parent = engine.contexts.current(), engine.parent
        message = parent.message(engine.host.main) if caller is None else caller.message
        idents = parent.idents if caller is None else caller.idents
        request = Request(engine.host, "shell", (), idents, message, engine.ask)
        request.shell = child
        cell = DetachedCell(code, request, self._cell_of(code))
        if captured is not None:
            captures = list(engine.current_shell().captures)
            cell.capture = Captured(captures, captured.display_pub)
        job = Job(next(self._numbers), child, cell, engine.main_calls.wait, engine.waits)
        self.jobs.append(job)
        made(job)
        engine.outputs.detached(request, child, cell.future)
        kept = place is not None and place.child is child and place.fill(cell)
        if not kept and not child.put(cell):
            cell.delete(child.label)
        return job

    def _cell_of(self, body: str) -> str | None:
        """The calling cell, if `body` is what it wants run in a subshell."""
        cell = self._engine.current_cell()
        if cell is None or cell_body(cell) == cell:
            return None
        # IPython ends a body with a newline, whether the cell does or not.
        return cell if cell_body(cell).strip("\n") == body.strip("\n") else None
