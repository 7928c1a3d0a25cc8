"""A cell that was detached from its launching cell."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ipyext.errors import JobCancelledError, JobNotDoneError, SubshellDeletedError
from ipyext.protocol.routing import cell_body
from ipyext.shells.child import ChildShell
from ipyext.shells.request import Request
from ipyext.shells.waiting import Pause, Waits

Execute = Callable[..., Awaitable[Any]]


class JobPause(Pause):
    """A shell's wait for a job."""

    what = "waiting for a job"


class Captured:
    """What the launching shell captures, for the cell that it waits for.

    Args:
        captures: its captures, innermost last.
        display_pub: its display publisher, which may be a capture's.
    """

    def __init__(self, captures: list[Any], display_pub: Any) -> None:
        self._captures = captures
        self._display_pub = display_pub

    @contextmanager
    def within(self, child: ChildShell) -> Iterator[None]:
        """The same captures in `child`. In its thread."""
        interactive = child.interactive
        former, interactive.display_pub = interactive.display_pub, self._display_pub
        child.captures.extend(self._captures)
        try:
            yield
        finally:
            for capture in self._captures:
                child.captures.remove(capture)
            interactive.display_pub = former


class DetachedCell:
    """A cell in a child's queue that owes nobody a reply. It prints under `request`.

    Attributes:
        code: what it runs.
        cell: the launching cell as it was typed, where all of its body is `code`.
        request: the launching cell's, for what it prints.
        future: the value of its last expression, or its error.
        capture: what takes its output, where that is not shown.
        started, ended: `time.monotonic` seconds, or None.
    """

    def __init__(self, code: str, request: Request, cell: str | None = None) -> None:
        self.code = code
        self.cell = cell
        self.request = request
        self.future: concurrent.futures.Future[object] = concurrent.futures.Future()
        self.started: float | None = None
        self.ended: float | None = None
        self.cancelled = False
        self.capture: Captured | None = None
        self._child: ChildShell | None = None

    async def run(self, child: ChildShell, execute: Execute) -> None:
        """Run it in its child's thread. `execute` runs code there, giving an ExecutionResult."""
        self._child = child  # first: from here on `cancel` interrupts it
        if not self.future.set_running_or_notify_cancel():
            return
        self.started = time.monotonic()
        try:
            with nullcontext() if self.capture is None else self.capture.within(child):
                if self.cell is None:
                    result = await execute(self.code)
                else:  # the debugger knows it by its text, as front ends do
                    result = await execute(self.cell, body=cell_body(self.cell))
        except BaseException as error:
            self._settle(error=error)
        else:
            self._settle(result.result, result.error_before_exec or result.error_in_exec)
        finally:
            self.request.output.flush_all()

    def _settle(self, value: object = None, error: BaseException | None = None) -> None:
        self.ended = time.monotonic()
        try:
            if error is None:
                self.future.set_result(value)
            else:
                self.future.set_exception(error)
        except concurrent.futures.InvalidStateError:
            pass  # its subshell was deleted meanwhile, and it was settled then

    def cancel(self) -> bool:
        """Take it off the queue, or interrupt it. False if it has ended. Any thread."""
        if not self.future.done() and self.future.cancel():
            return True
        if self.future.done() or self._child is None:
            return False
        self.cancelled = True
        return self._child.interrupt()

    def delete(self, label: str) -> None:
        """Its subshell was deleted."""
        self._settle(error=SubshellDeletedError(label))
        self.request.output.mute()


class Job:
    """A detached cell, as the person who launched it sees it.

    Every method may be called from any thread.

    Attributes:
        number: counts jobs from 1.
        subshell: name or id of the subshell that runs it.
        code: what it runs.
    """

    def __init__(
        self,
        number: int,
        child: ChildShell,
        cell: DetachedCell,
        wait: Callable[[concurrent.futures.Future[Any], Pause, float | None], bool],
        waits: Waits,
    ) -> None:
        self.number = number
        self.subshell = child.label
        self.code = cell.code
        self._child = child
        self._cell = cell
        self._wait = wait
        self._waits = waits

    @property
    def status(self) -> str:
        """``"queued"``, ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``."""
        cell = self._cell
        if not cell.future.done():
            return "queued" if cell.started is None else "running"
        if cell.cancelled or cell.future.cancelled():
            return "cancelled"
        return "done" if cell.future.exception() is None else "failed"

    @property
    def seconds(self) -> float:
        """How long it has run, in seconds."""
        cell = self._cell
        if cell.started is None:
            return 0.0
        return (cell.ended or time.monotonic()) - cell.started

    def result(self, timeout: float | None = None) -> object:
        """Wait for the end and return the value of the cell's last expression.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            JobNotDoneError: it did not end in time, and goes on; or it waits for the very cell
                that asks.
            JobCancelledError: it was cancelled.
            KeyboardInterrupt: the shell that waits was interrupted; the job goes on.
            Exception: what the cell raised.
        """
        cancelled = JobCancelledError(f"Job {self.number} was cancelled.")
        future = self._cell.future
        thread, waits = self._child.thread, self._waits
        # The wait first: of two that wait for each other, the later one sees it.
        with waits.on(thread) if timeout is None else nullcontext():
            if not future.done() and waits.leads_here(thread):
                raise JobNotDoneError(
                    f"Job {self.number} is {self.status} in subshell {self.subshell}, which waits "
                    "for this very code, so waiting for it here would never end. Wait in another "
                    "subshell."
                )
            done = self._wait(future, JobPause(), timeout)
        if not done:
            raise JobNotDoneError(
                f"Job {self.number} is still {self.status} after {timeout} s. "
                "Wait longer, or stop it with job.cancel()."
            )
        try:
            error = future.exception()
        except concurrent.futures.CancelledError:
            raise cancelled from None
        if self._cell.cancelled:
            raise cancelled from error
        return self._cell.future.result()

    def cancel(self) -> bool:
        """Take it off the queue, or interrupt it. False if it had ended already."""
        return self._cell.cancel()

    def __repr__(self) -> str:
        first = next((line for line in self.code.splitlines() if line.strip()), "")
        when = f", {self.seconds:.1f} s" if self._cell.started is not None else ""
        return f"<Job {self.number} in {self.subshell}: {self.status}{when}: {first.strip()[:40]}>"
