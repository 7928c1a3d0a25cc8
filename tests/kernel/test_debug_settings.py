"""IPyExt.debug_stop: what a breakpoint stops."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

COUNTING = "count = 0\nwhile not go.is_set():\n    count += 1"
CODE = "x = 1\nx = 2\nx = 3"


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_stop_all(kernel: Wire, child: str, when: str) -> None:
    debugger = JupyterDap(kernel)
    other, third = kernel.create(), kernel.create()
    if when == "before":
        kernel.execute("%config IPyExt.debug_stop = 'all'")
    debugger.attach()
    if when == "meanwhile":
        kernel.execute("%config IPyExt.debug_stop = 'all'")
    debugger.set_breakpoints(debugger.cell(CODE), 2)
    looping = kernel.begin(COUNTING, subshell=child)
    running = kernel.send_execute(CODE, subshell=other)
    stopped = debugger.wait_event("stopped")["body"]
    assert stopped["allThreadsStopped"]
    thread = stopped["threadId"]
    assert debugger.frames(thread)[0]["line"] == 2
    # What counts stands still, and is seen from outside of every shell.
    first = debugger.do("evaluate", expression="count")["result"]
    again = [debugger.do("evaluate", expression="count")["result"] for _ in range(20)]
    assert set(again[5:]) == {again[5]}, (first, again)
    body = debugger.do("continue", threadId=thread)
    assert body["allThreadsContinued"]
    assert kernel.wait(running)[0].status == "ok"
    kernel.execute("go.set()", subshell=third)
    assert kernel.wait(looping)[0].status == "ok"


def test_one_stops_by_default(kernel: Wire, child: str) -> None:
    debugger = JupyterDap(kernel)
    debugger.attach()
    debugger.set_breakpoints(debugger.cell(CODE), 2)
    looping = kernel.begin(COUNTING, subshell=child)
    running = kernel.send_execute(CODE)
    stopped = debugger.wait_event("stopped")["body"]
    assert not stopped["allThreadsStopped"]
    first = int(debugger.do("evaluate", expression="count")["result"])
    kernel.execute(f"while count <= {first}: pass", subshell=kernel.create())
    debugger.do("continue", threadId=stopped["threadId"])
    kernel.wait(running)
    kernel.execute("go.set()")
    assert kernel.wait(looping)[0].status == "ok"


def test_a_wrong_value_is_refused(kernel: Wire) -> None:
    answer = kernel.execute("%config IPyExt.debug_stop = 'some'")
    assert "'thread'" in answer.text("stderr")
    assert kernel.execute("%config IPyExt.debug_stop").result == "'thread'"
