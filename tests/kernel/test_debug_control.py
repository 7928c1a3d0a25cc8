"""G3 for the debugger: nothing on control waits for debugpy or for code that it runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

CODE = "import threading\ngo = threading.Event()\nx = 1\nx = 2"


@pytest.fixture
def stopped(kernel: Wire) -> tuple[JupyterDap, int, str]:
    """A debugger that has stopped main: the client, the thread and the cell."""
    debugger = JupyterDap(kernel)
    debugger.attach()
    debugger.set_breakpoints(debugger.cell(CODE), 4)
    running = kernel.send_execute(CODE)
    return debugger, debugger.wait_event("stopped")["body"]["threadId"], running


def test_slow_evaluate(kernel: Wire, stopped: tuple[JupyterDap, int, str]) -> None:
    debugger, thread, running = stopped
    frame = debugger.frames(thread)[0]["id"]
    slow = debugger.begin("evaluate", expression="go.wait(60)", frameId=frame)
    assert kernel.control("create_subshell_request")["status"] == "ok"
    assert debugger.do("threads")["threads"]
    assert debugger.do("inspectVariables")["variables"]
    assert kernel.answers[slow].replies == 0
    kernel.execute("go.set()", subshell=kernel.create())
    assert debugger.end(slow)["body"]["result"] == "True"
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_evaluate_outside_of_frames(kernel: Wire) -> None:
    debugger = JupyterDap(kernel)
    debugger.attach()
    kernel.execute("import threading; go = threading.Event(); n = 20")
    slow = debugger.begin("evaluate", expression="go.wait(60)")
    assert debugger.do("evaluate", expression="n + 1")["result"] == "21"
    assert kernel.control("interrupt_request")["status"] == "ok"
    kernel.execute("go.set()")
    assert debugger.end(slow)["success"]
    response = debugger.ask("evaluate", expression="n +")
    assert not response["success"]
    assert "SyntaxError" in response["message"]


ENDS = [
    "import sys; sys.exit()",
    "raise KeyboardInterrupt",
    "raise GeneratorExit('why')",
    "next(iter(()))",
]


@pytest.mark.parametrize("expression", ENDS)
def test_an_evaluation_that_raises_what_ends_threads(kernel: Wire, expression: str) -> None:
    debugger = JupyterDap(kernel)
    debugger.attach()
    found = debugger.ask("evaluate", expression=expression, context="repl")
    assert found["success"] is False
    assert re.search("SystemExit|KeyboardInterrupt|GeneratorExit: why|StopIteration", str(found))
    assert debugger.do("debugInfo")["isStarted"]


def test_a_repr_that_ends_threads(kernel: Wire) -> None:
    kernel.execute("class Ends:\n def __repr__(self): raise SystemExit\nends = Ends()")
    debugger = JupyterDap(kernel)
    debugger.ask("richInspectVariables", variableName="ends")
    assert debugger.do("debugInfo")["isStarted"] is False


def test_continue_of_a_thread_that_runs(kernel: Wire, stopped: tuple[JupyterDap, int, str]) -> None:
    debugger, thread, running = stopped
    kernel.control("interrupt_request")
    kernel.wait(running)
    debugger.wait_event("continued")
    for command in ("continue", "next", "stepIn", "stepOut", "stackTrace"):
        response = debugger.ask(command, threadId=thread)
        assert not response["success"]
        assert "not stopped" in response["message"]
    assert not debugger.ask("continue", threadId=99)["success"]
    assert kernel.control("kernel_info_request")["status"] == "ok"


WRONG: list[Any] = [
    {},
    {"type": "request"},
    {"type": "request", "seq": 1},
    {"type": "request", "seq": 1, "command": "initialise"},
    {"type": "request", "seq": "x", "command": "threads"},
    {"type": "request", "seq": 1, "command": "attach", "arguments": []},
    {"type": "request", "seq": 1, "command": "setBreakpoints", "arguments": {}},
    {"type": "request", "seq": 1, "command": "dumpCell", "arguments": {}},
    {"type": "request", "seq": 1, "command": "evaluate", "arguments": {}},
    {"type": "request", "seq": 1, "command": "source", "arguments": {"source": 5}},
    {"type": "request", "seq": 1, "command": "richInspectVariables"},
    {"type": "request", "seq": 1, "command": "_local", "arguments": {}},
]
TOO_EARLY = [
    {"type": "request", "seq": 1, "command": "attach"},
    {"type": "request", "seq": 1, "command": "threads"},
]


@pytest.mark.parametrize("request_", WRONG + TOO_EARLY, ids=repr)
def test_wrong_requests_get_an_error(kernel: Wire, request_: Any) -> None:
    refused(kernel, request_)


@pytest.mark.parametrize("request_", WRONG, ids=repr)
def test_wrong_requests_in_a_session(kernel: Wire, debugger: JupyterDap, request_: Any) -> None:
    refused(kernel, request_)
    assert debugger.do("threads")["threads"]


def refused(kernel: Wire, request_: Any) -> None:
    """Each gets an answer that says that it failed, and why."""
    msg_id = kernel.send("debug_request", request_, channel="control")
    content = kernel.wait(msg_id)[0].content
    if "success" in content:
        assert not content["success"]
        assert content["message"]
    else:  # refused before it came to the debugger
        assert content["status"] == "error"
        assert content["evalue"]


def test_debugpy_dies(kernel: Wire, stopped: tuple[JupyterDap, int, str]) -> None:
    debugger, thread, running = stopped
    kernel.execute(
        "import ipyext.extension as e\n"
        "r = e.active().engine.debug.router\n"
        "import socket\n"
        "r.debugpy._py_db._client_socket.shutdown(socket.SHUT_RDWR)",
        subshell=kernel.create(),
    )
    debugger.wait_event("terminated")
    assert kernel.wait(running)[0].status == "ok"
    assert not debugger.ask("stackTrace", threadId=thread)["success"]
    debugger.attach()
    assert debugger.do("threads")["threads"]
