"""The output of cells, for people and tools who have missed it."""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipyext.errors import OutputNotFoundError, OutputStuckError, SubshellNotFoundError
from ipyext.host import KernelHost
from ipyext.protocol.routing import only_our_lines
from ipyext.shells.cell_output import CellOutput, snapshots
from ipyext.shells.journal import MEGABYTE, Journal
from ipyext.shells.registry import Registry
from ipyext.shells.request import Message, Request
from ipyext.shells.shell import Shell


class Outputs:
    """What cells have put out. Any thread may call any method.

    Args:
        host: the kernel.
        registry: its children.
        asking: the id of the request that the calling code works for.
        pending: the requests whose output may still wait to be sent.
    """

    def __init__(
        self,
        host: KernelHost,
        registry: Registry,
        asking: Callable[[], str],
        pending: Callable[[], list[Request]],
    ) -> None:
        self.journal = Journal(host.session.unpack)
        self._host = host
        self._registry = registry
        self._asking = asking
        self._pending = pending

    # -- what cells run, told by those who run them --------------------------------------------

    def expect(self, request: Request, shell: Shell) -> None:
        """`shell` is about to work on `request`, which has published nothing so far."""
        content = request.content
        if request.type != "execute_request" or not isinstance(content, dict):
            return
        # Cells of our lines look at things, and at output: it would be shown again, and again.
        if not content.get("silent") and not only_our_lines(request.code):
            self.journal.announce(request.msg_id, (shell.id, shell.label), request.code)

    def expect_more(self, message: Message) -> None:
        """Main works on that request, and has told its count before anybody listened."""
        header, asked = message["header"], message["content"]
        if header["msg_type"] != "execute_request" or not header["msg_id"]:
            return
        # Some versions of IPython count before a cell runs, some after it; here is what it has.
        count = getattr(self._host.main.displayhook.exec_result, "execution_count", None)
        self.journal.announce(header["msg_id"], (None, "main"), str(asked.get("code", "")), count)

    def detached(self, request: Request, shell: Shell, future: Any) -> None:
        """A cell was detached from `request`; it prints there until `future` is done."""
        msg_id, where = request.msg_id, (shell.id, shell.label)
        self._host.after_output(lambda: self.journal.add_job(msg_id, where, future))

        def ended(_: Any) -> None:
            self._host.after_output(lambda: self.journal.end_job(msg_id, future))

        future.add_done_callback(ended)

    def set_limit(self, megabytes: float) -> None:
        """Keep that much at most."""
        limit = int(megabytes * MEGABYTE)
        self._host.after_output(lambda: self.journal.set_limit(limit))

    def close(self) -> None:
        """Keep nothing any more."""
        self._host.after_output(self.journal.close)

    # -- looking -------------------------------------------------------------------------------

    @property
    def dropped(self) -> int:
        """How many cells had to go because there was too much."""
        return self.journal.dropped

    @property
    def megabytes(self) -> float:
        """How much is kept at most."""
        return self.journal.limit / MEGABYTE

    def cells(self, name: str | None = None, since: float | None = None) -> list[CellOutput]:
        """The cells with something to show, and those that run; the one that began first first.

        The calling cell is none of them.

        Args:
            name: only those of this shell, which may be deleted.
            since: only those with something newer than this, in seconds since the epoch.

        Raises:
            SubshellNotFoundError: there is none of that name, and there was none.
            OutputStuckError: it cannot be known now.
        """
        found = self._all(name)
        if since is None:
            return [cell for cell in found if cell.running or not cell.empty]
        return [cell for cell in found if cell.outputs(since)]

    def cell(self, count: int, name: str = "main") -> CellOutput:
        """The latest cell with that execution count. Errors as `cells`, and:

        Raises:
            OutputNotFoundError: nothing is kept of such a cell.
        """
        found = [cell for cell in self._all(name, counts=True) if cell.count == count]
        if not found:
            raise OutputNotFoundError(f"cell {count} of {name}", self.dropped, self.megabytes)
        return found[-1]

    def last(self, name: str | None = None) -> CellOutput:
        """That of `cells` which began last. Errors as `cell`."""
        found = self.cells(name)
        if not found:
            what = "any cell" if name is None else f"any cell of {name}"
            raise OutputNotFoundError(what, self.dropped, self.megabytes)
        return found[-1]

    def names(self) -> list[str]:
        """Names or ids of the shells whose output is kept, and of those that there are."""
        kept = [label for cell in self._all() for label in cell.shells]
        return list(dict.fromkeys(["main", *(c.label for c in self._registry.all()), *kept]))

    def request(self, msg_id: str) -> CellOutput:
        """The cell that a request ran. Errors as `cell`."""
        found = [cell for cell in self._all() if cell.msg_id == msg_id]
        if not found:
            raise OutputNotFoundError(f"request {msg_id}", self.dropped, self.megabytes)
        return found[0]

    def _all(self, name: str | None = None, *, counts: bool = False) -> list[CellOutput]:
        for request in self._pending():
            request.output.flush_all()
        journal, unpack = self.journal, self._host.session.unpack
        try:
            found: list[CellOutput] = self._host.ask_output(
                lambda: snapshots(journal.entries, unpack)
            )
        except (TimeoutError, concurrent.futures.TimeoutError):
            raise OutputStuckError from None
        asking = self._asking()
        found = [cell for cell in found if cell.msg_id != asking]
        if name is None:
            return found
        try:
            child_id = None if name == "main" else self._registry.find(name).id
        except SubshellNotFoundError:
            child_id = None  # deleted, or it never was
            if not any(cell.ran_in(name) for cell in found):
                raise
        return [cell for cell in found if cell.ran_in(name, child_id, counts=counts)]

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What the calling cell puts out within is not kept: it shows again what is."""
        msg_id = self._asking()
        _flush()
        self._host.after_output(lambda: self.journal.set_aside(msg_id, True))
        try:
            yield
        finally:
            _flush()
            self._host.after_output(lambda: self.journal.set_aside(msg_id, False))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
