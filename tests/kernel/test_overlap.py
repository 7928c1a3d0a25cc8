"""Cells that overlap in time, very many of them: nothing piles up in the process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire import Wire

CELLS = 20_000
IN_FLIGHT = 100


@pytest.mark.fault
@pytest.mark.timeout(600)
def test_printing_cells_of_four_shells(kernel: Wire) -> None:
    """IPython 9 wraps `sys.stdout.write` per cell; cells that overlap left the wrappers behind."""
    kernel.execute("import sys")
    shells = [None, *(kernel.create() for _ in range(3))]
    waiting: list[tuple[str, int]] = []

    def settle() -> None:
        msg_id, number = waiting.pop(0)
        (answer,) = kernel.wait(msg_id)
        assert answer.status == "ok", (number, answer.content)
        assert answer.text() == f"{number} begins\n{number} ends\n"
        # G1 is checked as we go: thousands of answers are not kept.
        assert answer.states == ["busy", "idle"]
        assert answer.replies == 1
        kernel.forget(msg_id)

    for number in range(CELLS):
        code = f"print({number}, 'begins')\nprint({number}, 'ends')"
        waiting.append((kernel.send_execute(code, subshell=shells[number % 4]), number))
        if len(waiting) > IN_FLIGHT:
            settle()
    while waiting:
        settle()

    def whatever_follows(shell: Any) -> None:
        assert kernel.execute("print('out')", subshell=shell).text() == "out\n"
        shown = kernel.execute("print('err', file=sys.stderr)", subshell=shell)
        assert shown.text("stderr") == "err\n"
        failed = kernel.execute("1/0", subshell=shell, stop_on_error=False)
        assert [e["ename"] for e in failed.of("error")] == ["ZeroDivisionError"]

    for shell in shells:
        whatever_follows(shell)
