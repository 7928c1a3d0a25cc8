"""What an interrupt does to the tracing of code that goes on after it."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

# Some thread is at the loop of the cell.
LINES = (
    "import sys\n"
    "any((f.f_code.co_name, f.f_lineno) == ('<module>', 3) and 'ipykernel' in f.f_code.co_filename"
    " for f in sys._current_frames().values())"
)


@pytest.mark.parametrize("on", ["stop", "pause", "condition", "sleeping condition", "log message"])
def test_code_that_goes_on_after_an_interrupt_is_debugged(
    kernel: Wire, debugger: JupyterDap, where: str | None, on: str
) -> None:
    code = (
        "gate, n = threading.Lock(), 0\n"
        "try:\n"
        "    while n < 1:\n"
        "        n += 0\n"
        "except KeyboardInterrupt:\n"
        "    gate = None\n"
        "with open(path) as file:\n"
        "    file.read()\n"
        "n = 2\n"
    )
    if on == "pause":  # of a loop without lines
        code = code.replace("1:\n        n += 0\n", "1: pass\n    pass\n")
        code = code.replace("threading.Lock()", "print('begun', flush=True)")
    extra = {
        "stop": {},
        "pause": {"condition": "False"},
        "condition": {"condition": "nap()"},
        "sleeping condition": {"condition": "nap(100)"},  # its interrupt ends a wait
        "log message": {"logMessage": "{nap()}"},
    }
    kernel.execute(
        "import os, tempfile, threading, time\n"
        "path = os.path.join(tempfile.mkdtemp(), 'fifo')\n"
        "os.mkfifo(path)\n"
        "def nap(n=0):\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(n)\n"
        "    while True: pass\n"
    )
    path = debugger.cell(code)
    debugger.set_breakpoints(path, {"line": 4, **extra[on]}, 9)
    debugger.forget()
    running = kernel.send_execute(code, subshell=where)
    if on == "pause":
        kernel.wait_for_text(running, "begun")  # which it may still be at
        look = kernel.create()
        while kernel.execute(LINES, subshell=look).result != "True":
            pass
        names = debugger.names()
        debugger.do("pause", threadId=names["main"] if where is None else names["subshell worker"])
    if on in ("stop", "pause"):
        debugger.wait_event("stopped")
    else:
        kernel.wait_for_text(running, "begun")
    kernel.control("interrupt_request")
    # It waits in line 7 now, until somebody writes.
    other = kernel.create()
    assert kernel.execute("with open(path, 'w') as file: pass", subshell=other).status == "ok"
    stop = debugger.wait_event("stopped", 2 if on in ("stop", "pause") else 1)
    thread = stop["body"]["threadId"]
    assert debugger.frames(thread)[0]["line"] == 9
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"
    assert not [e for e in debugger.events("output") if "sys.settrace" in e["body"]["output"]]
