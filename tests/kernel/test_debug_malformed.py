"""Whatever one client sends, it is answered, and nobody else's session is touched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dap import JupyterDap
from tests.wire import KernelProcess, Wire

CODE = "def f(q):\n    r = [q] * 3\n    return r\nf(5)"


@pytest.fixture
def other(process: KernelProcess) -> JupyterDap:
    """Another client that debugs."""
    found = JupyterDap(process.client())
    found.attach()
    return found


def test_malformed_requests(kernel: Wire, debugger: JupyterDap, other: JupyterDap) -> None:
    """Each of them would end debugpy's session, or never be answered."""
    path = debugger.cell(CODE)
    debugger.set_breakpoints(path, 3)
    running = kernel.send_execute(CODE)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    frame = debugger.frames(thread)[0]["id"]
    scope = debugger.do("scopes", frameId=frame)["scopes"][0]["variablesReference"]
    typed = {"frameId": frame, "text": "q", "column": 2}
    place = {"source": {"path": path}, "line": 3}
    variable = {"variablesReference": scope, "name": "q", "value": "4"}
    wrong: list[tuple[str, str, dict[str, Any]]] = [
        *(("stackTrace", "startFrame", {"threadId": thread, "startFrame": x}) for x in ("x", [1])),
        *(("stackTrace", "levels", {"threadId": thread, "levels": x}) for x in ("x", [1], {})),
        *(("completions", "column", {**typed, "column": x}) for x in ("x", None, [1], 1.5)),
        *(("completions", "line", {**typed, "line": x}) for x in ("x", {}, 1.5)),
        *(("completions", "text", {**typed, "text": x}) for x in (None, 1, ["q"])),
        *(("setVariable", "name", {**variable, "name": x}) for x in (None, 1, [])),
        *(("gotoTargets", "line", {**place, "line": x}) for x in ([1], {"a": 1}, 2**40)),
        *(("goto", "targetId", {"threadId": thread, "targetId": x}) for x in ("x", None, [1])),
        *(("source", "sourceReference", {"sourceReference": x}) for x in ("x", [1], {"a": 1})),
    ]
    for command, name, arguments in wrong:
        response = other.ask(command, **arguments)
        assert not response["success"], arguments
        assert f"{command}: {name} " in response["message"]
    # As the protocol has it, but debugpy fails on it.
    response = other.ask("setBreakpoints", source={"path": "\0.py"}, breakpoints=[{"line": 1}])
    assert not response["success"]
    assert "null" in response["message"]
    assert "breakpoints" not in response["body"]
    assert other.do("debugInfo")["breakpoints"] == [{"source": path, "breakpoints": [{"line": 3}]}]
    assert debugger.events("terminated") == []
    assert debugger.do("debugInfo")["stoppedThreads"] == [thread]
    assert debugger.locals(frame)["r"] == "[5, 5, 5]"
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "[5, 5, 5]"


def test_settings_of_all_are_nobodys(kernel: Wire, debugger: JupyterDap, other: JupyterDap) -> None:
    path = debugger.cell(CODE)
    debugger.set_breakpoints(path, 3)
    settings: list[dict[str, Any]] = [
        {"ideOS": "WINDOWS"},
        {"ideOS": "LINUX"},
        {"multiThreadsSingleNotification": True},
        {"skipSuspendOnBreakpointException": ["NameError"]},
        {"dontTraceStartPatterns": [path[:4]], "dontTraceEndPatterns": [".py"]},
    ]
    for setting in settings:
        response = other.ask("setDebuggerProperty", **setting)
        assert not response["success"]
        assert "of all clients" in response["message"]
    running = kernel.send_execute(CODE)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "[5, 5, 5]"


def test_values_that_cannot_be_set(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """debugpy says that they were."""
    path = debugger.cell(CODE)
    debugger.set_breakpoints(path, 3)
    running = kernel.send_execute(CODE, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    frame = debugger.frames(thread)[0]["id"]
    scope = debugger.do("scopes", frameId=frame)["scopes"][0]["variablesReference"]
    for value, why in {
        "(": "SyntaxError: ",
        "": "SyntaxError: ",
        "r = 1": "SyntaxError: ",
        "1 / 0": "ZeroDivisionError: division by zero",
        "nosuch": "NameError: name 'nosuch' is not defined",
    }.items():
        response = debugger.ask("setVariable", variablesReference=scope, name="r", value=value)
        assert not response["success"], value
        assert response["message"].startswith(why)
    assert debugger.locals(frame)["r"] == "[5, 5, 5]"
    found = debugger.do("setVariable", variablesReference=scope, name="r", value="[q] * 2")
    assert found["value"] == "[5, 5]"
    response = debugger.ask("exceptionInfo", threadId=thread)
    assert not response["success"]
    assert response["message"] == f"Thread {thread} has not stopped at an exception."
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "[5, 5]"
