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
