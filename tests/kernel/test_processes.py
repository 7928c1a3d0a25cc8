"""Processes that cells start: pools in subshells, and commands that are interrupted."""

from __future__ import annotations

import pytest

from tests.conftest import LANE
from tests.wire import Answer, Wire

SHELLS = ["main", "child"]
POOL = """
import functools, multiprocessing
with multiprocessing.get_context('spawn').Pool(2) as pool_WHO:
    found_WHO = pool_WHO.map(abs, range(-20, 0))
    pool_WHO.map(functools.partial(print, flush=True), ['from WHO'] * 4)
sum(found_WHO)
"""
HELD = """
import multiprocessing
pool = multiprocessing.get_context('spawn').Pool(2)
pool.map(abs, [1, 2])
print('works', flush=True)
pool.map(time.sleep, [600, 600])
"""


def said(kernel: Wire, *answers: Answer, times: int, text: str) -> None:
    def count() -> bool:
        return sum(answer.text().count(text) for answer in answers) == times

    kernel.until(count, what="the processes' text")


@pytest.mark.parametrize("where", SHELLS)
def test_a_pool_in_one_shell(kernel: Wire, child: str, where: str) -> None:
    subshell = child if where == "child" else None
    answer = kernel.execute(POOL.replace("WHO", where), subshell=subshell)
    assert answer.result == "210"
    if LANE > 5:  # ipykernel 5 does not read the process's descriptors
        said(kernel, answer, times=4, text=f"from {where}")


def test_pools_in_main_and_a_child_at_once(kernel: Wire, child: str) -> None:
    """What the processes print cannot be told apart: it is main's, as long as main is busy."""
    cells = [
        kernel.send_execute(POOL.replace("WHO", who), subshell=where)
        for who, where in zip(SHELLS, (None, child), strict=True)
    ]
    answers = kernel.wait(*cells)
    assert [answer.result for answer in answers] == ["210", "210"]
    if LANE > 5:
        for who in SHELLS:
            said(kernel, *answers, times=4, text=f"from {who}")


def test_delete_of_a_child_with_a_busy_pool(kernel: Wire, child: str) -> None:
    running = kernel.begin(HELD, subshell=child)
    kernel.wait_for_text(running, "works")
    assert kernel.delete(child) == {"status": "ok"}
    assert kernel.wait(running)[0].content["ename"] == "SubshellDeletedError"
    answer = kernel.execute(POOL.replace("WHO", "other"), subshell=kernel.create())
    assert answer.result == "210"
    assert kernel.execute("pool.terminate(); pool.join(); 'gone'").result == "'gone'"


def test_an_interrupt_of_a_command_in_main_is_shown(kernel: Wire) -> None:
    """The command's end and the interrupt of main are one, and not two."""
    for _ in range(6):
        running = kernel.send_execute("%%bash\necho begun\nsleep 60")
        kernel.wait_for_text(running, "begun")
        kernel.control("interrupt_request")
        (answer,) = kernel.wait(running)
        (error,) = answer.of("error")
        # IPython 8 cannot show that error where it has not noticed the command's end in 0.1 s.
        assert error["ename"] == "CalledProcessError" or (
            error["ename"] == "TypeError" and "CalledProcessError" in "".join(error["traceback"])
        )
        assert "KeyboardInterrupt" not in answer.text("stderr")
