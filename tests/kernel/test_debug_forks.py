"""Processes that code forks while the kernel is debugged are not debugged: nobody could go on."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

FORK = """\
import os, sys, threading
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    seen = []
    thread = threading.Thread(target=lambda: seen.append(sys.gettrace()))
    thread.start(); thread.join()
    os._exit(7 if (seen, sys.gettrace()) == ([None], None) else 8)
status = os.waitpid(pid, 0)[1]
status >> 8"""
POOL = """\
import multiprocessing
def twice(number):
    number *= 2
    return number
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map(twice, range(3))
found"""


@pytest.mark.parametrize("on_child", [False, True], ids=["main", "child"])
@pytest.mark.parametrize(
    ("code", "line", "result"), [(FORK, 5, "7"), (POOL, 3, "[0, 2, 4]")], ids=["fork", "pool"]
)
def test_a_forked_process_does_not_stop(
    kernel: Wire,
    debugger: JupyterDap,
    child: str,
    code: str,
    line: int,
    result: str,
    on_child: bool,
) -> None:
    path = debugger.cell(code)
    last = len(code.splitlines())
    assert all(one["verified"] for one in debugger.set_breakpoints(path, line, last))
    debugger.do("configurationDone")
    debugger.forget()
    running = kernel.send_execute(code, subshell=child if on_child else None)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    # The first stop is behind the fork, in the kernel itself, which is debugged as before.
    assert debugger.frames(thread)[0]["line"] == last
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].content["status"] == "ok"
    assert kernel.answers[running].result == result
    assert len(debugger.events("stopped")) == 1


ASKS = """\
import debugpy, ipyext, os
pid = os.fork()
if pid == 0:
    code = 8
    try:
        if not debugpy.is_client_connected():
            ipyext.debugger().status()
    except ipyext.errors.DebuggerError as error:
        code = 7 if "forked" in str(error) else 9
    finally:
        os._exit(code)
status = os.waitpid(pid, 0)[1]
status >> 8"""


def test_a_forked_process_is_told(kernel: Wire, debugger: JupyterDap, child: str) -> None:
    """And does not wait for a thread that it has not got."""
    for where in (None, child):
        assert kernel.execute(ASKS, subshell=where).result == "7"
