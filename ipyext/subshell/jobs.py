"""A cell that was detached from its launching cell."""

from __future__ import annotations

import threading
import time
from typing import Any

from ipyext.errors import JobCancelledError, JobNotDoneError, SubshellDeletedError
from ipyext.subshell.child import ChildShell
from ipyext.subshell.request import Request


class Job:
    """A detached cell. Its output goes to the cell that launched it.

    Attributes:
        number: counts jobs from 1.
        subshell: name or id of the subshell that runs it.
        code: what it runs.
    """

    def __init__(self, number: int, subshell: str, code: str) -> None:
        self.number = number
        self.subshell = subshell
        self.code = code
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._started: float | None = None
        self._ended: float | None = None
        self._cancelled = False
        self._value: object = None
        self._error: BaseException | None = None
        self._cancel: Any = None

    @property
    def status(self) -> str:
        """``"queued"``, ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``."""
        if not self._done.is_set():
            return "queued" if self._started is None else "running"
        if self._cancelled:
            return "cancelled"
        return "done" if self._error is None else "failed"

    @property
    def seconds(self) -> float:
        """How long it has run, in seconds."""
        if self._started is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._started

    def result(self, timeout: float | None = None) -> object:
        """Wait for the end and return the value of the cell's last expression.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            JobNotDoneError: it did not end in time. It goes on.
            JobCancelledError: it was cancelled.
            Exception: what the cell raised.
        """
        if not self._done.wait(timeout):
            raise JobNotDoneError(
                f"Job {self.number} is still {self.status} after {timeout} s. "
                "Wait longer, or stop it with job.cancel()."
            )
        if self._cancelled:
            raise JobCancelledError(f"Job {self.number} was cancelled.") from self._error
        if self._error is not None:
            raise self._error
        return self._value

    def cancel(self) -> bool:
        """Take it off the queue, or interrupt it. False if it had ended already. Any thread."""
        with self._lock:
            if self._done.is_set():
                return False
            self._cancelled = True
            running = self._started is not None
        if running:
            self._cancel()
        else:
            self._end()
        return True

    def _end(self, value: object = None, error: BaseException | None = None) -> None:
        with self._lock:
            if self._done.is_set():
                return
            self._value, self._error = value, error
            self._ended = time.monotonic()
            self._done.set()

    def _begin(self, cancel: Any) -> bool:
        with self._lock:
            if self._done.is_set():
                return False
            self._started = time.monotonic()
            self._cancel = cancel
            return True

    def __repr__(self) -> str:
        first = next((line for line in self.code.splitlines() if line.strip()), "")
        when = f", {self.seconds:.1f} s" if self._started is not None else ""
        return f"<Job {self.number} in {self.subshell}: {self.status}{when}: {first.strip()[:40]}>"


class DetachedCell:
    """A job as an item of a child's queue. Prints under the launching request; replies to nobody."""

    type = "execute_request"

    def __init__(self, job: Job, launcher: Request | None, request: Request) -> None:
        self.job = job
        self.launcher = launcher
        self.request = request

    @property
    def code(self) -> str:
        return self.job.code

    async def run(self, child: ChildShell, execute: Any) -> None:
        """Run it in its child's thread. `execute` runs code there and gives an ExecutionResult."""
        if not self.job._begin(child.interrupt):
            return
        result = None
        try:
            result = await execute(self.job.code)
        except BaseException as error:
            self.job._end(error=error)
        else:
            self.job._end(result.result, result.error_before_exec or result.error_in_exec)
        finally:
            self.request.output.flush_all()

    def delete(self, label: str) -> None:
        """Its subshell was deleted."""
        self.job._end(error=SubshellDeletedError(label))
        self.request.output.mute()
