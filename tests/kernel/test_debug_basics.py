"""The debugger on the control channel, as JupyterLab uses it."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

LOOP = """\
def work(n):
    m = n + 1
    return m
total = 0
print("looping", flush=True)
while not go.is_set():
    total = work(total)
"""


@pytest.fixture
def debugger(kernel: Wire) -> JupyterDap:
    return JupyterDap(kernel)


def test_start_while_main_loops(kernel: Wire, debugger: JupyterDap, child: str) -> None:
    running = kernel.send_execute(LOOP)
    kernel.wait_for_text(running, "looping")
    debugger.attach()
    path = debugger.cell(LOOP)
    debugger.set_breakpoints(path, 3)
    stopped = debugger.wait_event("stopped")["body"]
    assert stopped["reason"] == "breakpoint"
    frames = debugger.frames(stopped["threadId"])
    assert [f["name"] for f in frames] == ["work", "<module>"], frames
    assert frames[0]["line"] == 3
    assert frames[0]["source"]["path"] == path
    values = debugger.locals(frames[0]["id"])
    assert int(values["m"]) == int(values["n"]) + 1
    debugger.set_breakpoints(path)
    debugger.do("continue", threadId=stopped["threadId"])
    debugger.wait_event("continued")
    debugger.do("disconnect")
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(running)[0].status == "ok"


def test_breakpoint_in_a_child(kernel: Wire, debugger: JupyterDap, child: str) -> None:
    debugger.attach()
    code = "a = 1\nb = a + 1\nc = b + 1\nc"
    path = debugger.cell(code)
    debugger.set_breakpoints(path, 3)
    running = kernel.send_execute(code, subshell=child)
    stopped = debugger.wait_event("stopped")["body"]
    assert kernel.execute("1 + 1").result == "2"  # main goes on
    frames = debugger.frames(stopped["threadId"])
    assert [(f["name"], f["line"]) for f in frames] == [("<module>", 3)]
    assert stopped["threadId"] == debugger.do("threads")["threads"][0]["id"]
    debugger.do("continue", threadId=stopped["threadId"])
    assert kernel.wait(running)[0].result == "3"
    debugger.do("disconnect")
