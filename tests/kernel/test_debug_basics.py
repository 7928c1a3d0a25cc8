"""The debugger on the control channel, as JupyterLab uses it."""

from __future__ import annotations

import re
from typing import Any

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


def name(frame: dict[str, Any]) -> str:
    """IPython 7.33 to 8.4 call the statements of a cell after their first line."""
    return re.sub(r"<cell line: \d+>", "<module>", frame["name"])


def test_start_while_main_loops(kernel: Wire, lab: JupyterDap, child: str) -> None:
    running = kernel.send_execute(LOOP)
    kernel.wait_for_text(running, "looping")
    lab.attach()
    path = lab.cell(LOOP)
    lab.set_breakpoints(path, 3)
    stopped = lab.wait_event("stopped")["body"]
    assert stopped["reason"] == "breakpoint"
    frames = lab.frames(stopped["threadId"])
    assert [name(f) for f in frames] == ["work", "<module>"], frames
    assert frames[0]["line"] == 3
    assert frames[0]["source"]["path"] == path
    values = lab.locals(frames[0]["id"])
    assert int(values["m"]) == int(values["n"]) + 1
    lab.set_breakpoints(path)
    lab.do("continue", threadId=stopped["threadId"])
    lab.wait_event("continued")
    lab.do("disconnect")
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(running)[0].status == "ok"


def test_breakpoint_in_a_child(kernel: Wire, lab: JupyterDap, child: str) -> None:
    lab.attach()
    code = "a = 1\nb = a + 1\nc = b + 1\nc"
    path = lab.cell(code)
    lab.set_breakpoints(path, 3)
    running = kernel.send_execute(code, subshell=child)
    stopped = lab.wait_event("stopped")["body"]
    assert kernel.execute("1 + 1").result == "2"  # main goes on
    frames = lab.frames(stopped["threadId"])
    assert [(name(f), f["line"]) for f in frames] == [("<module>", 3)]
    assert stopped["threadId"] == lab.do("threads")["threads"][0]["id"]
    lab.do("continue", threadId=stopped["threadId"])
    assert kernel.wait(running)[0].result == "3"
    lab.do("disconnect")


def test_a_thread_is_started_without_a_warning(kernel: Wire, debugger: JupyterDap) -> None:
    code = "import threading\nt = threading.Thread(target=print, args=('hi',))\nt.start()\nt.join()"
    answer = kernel.execute(code)
    assert answer.text() == "hi\n"
    assert answer.text("stderr") == ""
