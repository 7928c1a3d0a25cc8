"""Detached cells: states, results, errors, cancelling, and the end of their subshell."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from ipyext.errors import JobCancelledError, JobNotDoneError, SubshellDeletedError
from ipyext.shells.jobs import DetachedCell, Job
from ipyext.shells.shell import ParentShell
from ipyext.shells.waiting import Waits, wait_for


class Child:
    """Stands for the child that runs it."""

    label = "worker"

    def __init__(self) -> None:
        self.interrupted = 0
        self.thread = threading.Thread()

    def interrupt(self) -> bool:
        self.interrupted += 1
        return True


class Output:
    def __init__(self) -> None:
        self.events: list[str] = []

    def flush_all(self) -> None:
        self.events.append("flush")

    def mute(self) -> None:
        self.events.append("mute")


def made(code: str = "\nx = 1\nx") -> tuple[DetachedCell, Job, Output]:
    output = Output()
    cell = DetachedCell(code, SimpleNamespace(output=output))  # type: ignore[arg-type]
    child: Any = Child()
    asking = ParentShell(lambda: None)

    def wait(future: Any, pause: Any, timeout: float | None) -> bool:
        return wait_for(future, pause, asking.pause, timeout)

    return cell, Job(3, child, cell, wait, Waits()), output


def result(value: Any = None, error: Any = None, before: Any = None) -> Any:
    return SimpleNamespace(result=value, error_in_exec=error, error_before_exec=before)


def run(cell: DetachedCell, outcome: Any, child: Any = None) -> Any:
    async def execute(code: str) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome() if callable(outcome) else outcome

    return asyncio.run(cell.run(child or Child(), execute))


def test_a_good_one() -> None:
    cell, job, output = made()
    assert (job.status, job.seconds, job.number, job.subshell) == ("queued", 0.0, 3, "worker")
    seen: list[str] = []

    def outcome() -> Any:
        seen.append(job.status)
        return result(42)

    run(cell, outcome)
    assert seen == ["running"]
    assert job.status == "done"
    assert job.result() == 42
    assert job.result(0) == 42
    assert job.cancel() is False
    assert job.status == "done"
    assert output.events == ["flush"]
    assert job.seconds == job.seconds


@pytest.mark.parametrize("where", ["in", "before", "raised"])
def test_a_bad_one(where: str) -> None:
    cell, job, output = made()
    error = ValueError("no")
    outcomes = {"in": result(error=error), "before": result(before=error), "raised": error}
    run(cell, outcomes[where])
    assert job.status == "failed"
    with pytest.raises(ValueError, match="no") as caught:
        job.result()
    assert caught.value is error
    assert output.events == ["flush"]


def test_cancelled_while_queued() -> None:
    cell, job, _ = made()
    assert job.cancel() is True
    assert job.status == "cancelled"
    with pytest.raises(JobCancelledError, match="Job 3 was cancelled"):
        job.result(0)
    ran: list[bool] = []
    run(cell, lambda: ran.append(True))
    assert ran == []
    assert job.status == "cancelled"


def test_cancelled_while_running() -> None:
    cell, job, _ = made()
    child = Child()

    def outcome() -> Any:
        assert job.cancel() is True
        assert child.interrupted == 1
        return result(error=KeyboardInterrupt())

    run(cell, outcome, child)
    assert job.status == "cancelled"
    with pytest.raises(JobCancelledError):
        job.result()
    assert job.cancel() is False


def test_not_done_in_time_goes_on() -> None:
    cell, job, _ = made()
    with pytest.raises(JobNotDoneError, match=r"still queued after 0 s.*job\.cancel\(\)"):
        job.result(0)
    assert isinstance(JobNotDoneError("x"), TimeoutError)

    def outcome() -> Any:
        with pytest.raises(JobNotDoneError, match="still running"):
            job.result(0)
        return result(1)

    run(cell, outcome)
    assert job.result() == 1


def test_a_timeout_of_the_cell_is_not_ours() -> None:
    """The cell raised TimeoutError itself; the job is done and failed."""
    cell, job, _ = made()
    run(cell, result(error=TimeoutError("the network")))
    assert job.status == "failed"
    with pytest.raises(TimeoutError, match="the network") as caught:
        job.result()
    assert not isinstance(caught.value, JobNotDoneError)


def test_its_subshell_is_deleted_while_it_waits() -> None:
    cell, job, output = made()
    cell.delete("worker")
    assert job.status == "failed"
    with pytest.raises(SubshellDeletedError, match="worker"):
        job.result(0)
    assert output.events == ["mute"]


def test_its_subshell_is_deleted_while_it_runs() -> None:
    cell, job, _ = made()

    def outcome() -> Any:
        cell.delete("worker")
        return result("too late")

    run(cell, outcome)
    with pytest.raises(SubshellDeletedError):
        job.result()


def test_deleted_after_the_end_keeps_its_result() -> None:
    cell, job, _ = made()
    run(cell, result(7))
    cell.delete("worker")
    assert job.result() == 7
    assert job.status == "done"


def test_deleted_after_it_was_cancelled() -> None:
    cell, job, _ = made()
    job.cancel()
    cell.delete("worker")
    with pytest.raises(JobCancelledError):
        job.result(0)


def test_many_wait_for_one() -> None:
    cell, job, _ = made()
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(job.result(10))) for _ in range(5)]
    for thread in threads:
        thread.start()
    run(cell, result("here"))
    for thread in threads:
        thread.join(10)
    assert results == ["here"] * 5


def test_repr_tells_what_it_runs() -> None:
    cell, job, _ = made("\n\n   long = 'line'" + " " * 60)
    assert repr(job) == "<Job 3 in worker: queued: long = 'line'>"
    run(cell, result())
    assert repr(job).startswith("<Job 3 in worker: done, 0.")
    assert repr(made("")[1]) == "<Job 3 in worker: queued: >"
