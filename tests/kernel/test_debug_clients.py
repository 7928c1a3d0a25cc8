"""Several clients debug one kernel; none of them disturbs another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import KernelProcess, Wire

CODE = "total = 0\nfor i in range(6):\n    total += i\n    last = i\ntotal"


@pytest.fixture
def other(process: KernelProcess, debugger: JupyterDap) -> JupyterDap:
    """A second client that debugs, with a connection of its own."""
    found = JupyterDap(process.client())
    found.attach()
    return found


def lines_until_end(kernel: Wire, debugger: JupyterDap, code: str = CODE) -> list[int]:
    """Run a cell, continue after every stop; the lines where it stopped."""
    debugger.forget()
    running = kernel.send_execute(code)
    lines: list[int] = []
    while True:
        count = len(lines) + 1
        kernel.until(
            lambda: len(debugger.events("stopped")) >= count or kernel.answers[running].idle,  # noqa: B023
            what="a stop or the end",
        )
        stops = debugger.events("stopped")
        if len(stops) < count:
            assert kernel.wait(running)[0].result == "15"
            return lines
        thread = stops[-1]["body"]["threadId"]
        lines.append(debugger.frames(thread)[0]["line"])
        debugger.do("continue", threadId=thread)


def test_merged_breakpoints(kernel: Wire, debugger: JupyterDap, other: JupyterDap) -> None:
    path = debugger.cell(CODE)
    mine = debugger.set_breakpoints(path, {"line": 3, "condition": "i == 1"})
    theirs = other.set_breakpoints(path, {"line": 3, "condition": "i == 4"}, 5)
    assert [b["line"] for b in mine] == [3]
    assert [b["line"] for b in theirs] == [3, 5]
    assert not {b["id"] for b in mine} & {b["id"] for b in theirs}
    assert lines_until_end(kernel, debugger) == [3, 3, 5]
    other.do("disconnect")
    assert lines_until_end(kernel, debugger) == [3]


def test_hit_counts_are_each_clients_own(
    kernel: Wire, debugger: JupyterDap, other: JupyterDap
) -> None:
    path = debugger.cell(CODE)
    debugger.set_breakpoints(path, {"line": 3, "hitCondition": "2"})
    other.set_breakpoints(path, {"line": 3, "logMessage": "i={i}"})
    assert lines_until_end(kernel, debugger) == [3]
    other.wire.until(lambda: "i=5\n" in other.said(), what="the last message")


def test_late_joiner_sees_the_stop(
    process: KernelProcess, kernel: Wire, debugger: JupyterDap
) -> None:
    debugger.set_breakpoints(debugger.cell(CODE), 4)
    debugger.forget()
    running = kernel.send_execute(CODE)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    late = JupyterDap(process.client())
    late.attach()
    assert late.wait_event("initialized")
    assert late.wait_event("stopped")["body"]["threadId"] == thread
    assert late.do("debugInfo")["stoppedThreads"] == [thread]
    assert late.frames(thread)[0]["line"] == 4
    late.do("disconnect")
    assert debugger.frames(thread)[0]["line"] == 4
    debugger.set_breakpoints(debugger.cell(CODE))
    debugger.do("continue", threadId=thread)
    kernel.wait(running)


def test_page_reload_while_stopped(
    process: KernelProcess, kernel: Wire, debugger: JupyterDap
) -> None:
    page = process.client()
    first = JupyterDap(page)
    first.attach()
    debugger.do("disconnect")
    path = first.cell(CODE)
    first.set_breakpoints(path, {"line": 3, "condition": "i == 2", "hitCondition": ""})
    first.forget()
    running = kernel.send_execute(CODE)
    thread = first.wait_event("stopped")["body"]["threadId"]
    process.clients.remove(page)
    page.close()
    again = JupyterDap(process.client())
    info = again.do("debugInfo")
    assert info["isStarted"]
    assert info["stoppedThreads"] == [thread]
    assert info["breakpoints"][0]["breakpoints"][0]["condition"] == "i == 2"
    assert again.frames(thread)[0]["line"] == 3
    again.set_breakpoints(path)
    again.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "15"
    assert again.do("debugInfo")["breakpoints"] == []
    again.do("disconnect")
    assert not again.do("debugInfo")["isStarted"]


def test_a_client_that_dies_is_cleaned_up(
    process: KernelProcess, kernel: Wire, debugger: JupyterDap
) -> None:
    kernel.execute("import ipyext.extension as e; e.active().engine.debug.router.linger = 0.0")
    page = process.client()
    dying = JupyterDap(page)
    dying.attach()
    dying.set_breakpoints(dying.cell(CODE), 3)
    process.clients.remove(page)
    page.close()
    kernel.execute(
        "import threading\n"
        "debug = e.active().engine.debug\n"
        "r = debug.router\n"
        "gone = threading.Event()\n"
        "def look():\n"
        "    if len(r.core.attached) < 2: gone.set()\n"
        "debug.in_router(lambda: r.on_change(look)); debug.call(look)\n"
        "assert gone.wait(10)"
    )
    assert lines_until_end(kernel, debugger) == []


def test_attach_again(kernel: Wire, debugger: JupyterDap) -> None:
    for _ in range(3):
        debugger.do("disconnect")
        assert not debugger.do("debugInfo")["isStarted"]
        debugger.attach()
        debugger.set_breakpoints(debugger.cell(CODE), 5)
        assert lines_until_end(kernel, debugger) == [5]


def test_each_client_is_told_its_own_breakpoints(
    kernel: Wire, debugger: JupyterDap, new_editor: Callable[[], TcpDap]
) -> None:
    """Those that wanted the stop, of all that clients have set in that line."""
    editor, logger = new_editor(), new_editor()
    for client in (editor, logger):
        client.attach()
        client.do("configurationDone")
    path = debugger.cell(CODE)
    wanted = {"line": 3, "condition": "i == 1"}
    mine = debugger.set_breakpoints(path, wanted)[0]["id"]
    source = {"source": {"path": path}}
    wishes = [{"line": 3, "hitCondition": "% 2"}, {"line": 3, "condition": "i > 3"}]
    found = editor.do("setBreakpoints", **source, breakpoints=wishes)["breakpoints"]
    even, high = (one["id"] for one in found)
    logs = [{"line": 3, "logMessage": "{i}"}]
    logger.do("setBreakpoints", **source, breakpoints=logs)
    running = kernel.send_execute(CODE)
    expected = [([mine], [even]), ([], [even]), ([], [high]), ([], [even, high])]
    for count, (ours, theirs) in enumerate(expected, 1):
        event = debugger.wait_event("stopped", count)["body"]
        assert event.get("hitBreakpointIds", []) == ours
        assert editor.event("stopped", count).get("hitBreakpointIds", []) == theirs
        assert "hitBreakpointIds" not in logger.event("stopped", count)
        debugger.do("continue", threadId=event["threadId"])
    assert kernel.wait(running)[0].result == "15"
