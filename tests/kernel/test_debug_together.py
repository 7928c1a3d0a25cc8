"""Many clients of every kind at once, that want different things and leave one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import KernelProcess, Wire

CODE = """\
total = 0
total += 1
total += 10
total += 100
total += 1000
total += 10000
total"""
CAUGHT = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    done = True\n"
OFF = """\
debug = ipyext.debugger()._debugging
r = debug.router
off = __import__('threading').Event()
def look():
    if r.core.machine.state.value == 'off': off.set()
debug.in_router(lambda: r.on_change(look)); debug.call(look)
off.wait(20)
"""


def good(kernel: Wire, code: str, subshell: str) -> str | None:
    """Run a cell, which must go well; its result."""
    answer = kernel.execute(code, subshell=subshell)
    assert answer.status == "ok", answer.content
    return answer.result


def test_five_at_once(
    process: KernelProcess, kernel: Wire, new_editor: Callable[[], TcpDap], child: str
) -> None:
    """Each sets a breakpoint of its own, all are told every stop, and one by one they leave."""
    notebooks = [JupyterDap(kernel), JupyterDap(process.client())]
    editors = [new_editor(), new_editor()]
    for notebook, line in zip(notebooks, (2, 3), strict=True):
        notebook.attach()
        notebook.set_breakpoints(notebook.cell(CODE), line)
    source = {"path": notebooks[0].cell(CODE)}
    for editor, line in zip(editors, (4, 5), strict=True):
        editor.attach()
        editor.do("setBreakpoints", source=source, breakpoints=[{"line": line}])
        editor.do("configurationDone")
    good(kernel, "import ipyext; d = ipyext.debugger(); d.start()", child)
    good(kernel, f"d.set_breakpoint({source['path']!r} + ':6')", child)

    told = dict.fromkeys(range(4), 0)
    there = [0, 1, 2, 3]
    lines = [2, 3, 4, 5, 6]

    def stop_of(client: int) -> int:
        told[client] += 1
        if client < 2:
            body = notebooks[client].wait_event("stopped", told[client])["body"]
        else:
            body = editors[client - 2].event("stopped", told[client])
        thread: int = body["threadId"]
        return thread

    def run() -> None:
        running = kernel.send_execute(CODE)
        for line in lines:
            assert len({stop_of(client) for client in there}) <= 1
            assert good(kernel, "d.wait_stopped(20).frames[0].line", child) == str(line)
            assert good(kernel, "len(d.resume())", child) == "1"
        assert kernel.wait(running)[0].result == "11111"

    run()
    leave: list[Callable[[], Any]] = [
        lambda: notebooks[0].do("disconnect"),
        lambda: notebooks[1].do("disconnect"),
        lambda: editors[0].do("disconnect"),
        lambda: editors[1].do("disconnect", terminateDebuggee=True),  # as VS Code's stop button
    ]
    for goes in leave:
        goes()
        there.pop(0)
        lines.pop(0)
        run()
    assert len(editors[0].messages) == len({one["seq"] for one in editors[0].messages})
    good(kernel, "d.stop()", child)
    assert good(kernel, OFF, child) == "True"
    assert kernel.execute(f"import sys\n{CODE}\nsys.gettrace()").result is None
    good(kernel, "d.unlisten()", child)


def test_filters_of_exceptions_that_differ(
    process: KernelProcess, kernel: Wire, debugger: JupyterDap
) -> None:
    """Who wants every exception gets every one; when that client leaves, only the other's stop."""
    other = JupyterDap(process.client())
    other.attach()
    debugger.do("setExceptionBreakpoints", filters=["raised"])
    other.do("setExceptionBreakpoints", filters=["uncaught"])
    running = kernel.send_execute(CAUGHT)
    stopped = debugger.wait_event("stopped")["body"]
    assert debugger.frames(stopped["threadId"])[0]["line"] == 2
    debugger.do("continue", threadId=stopped["threadId"])
    assert kernel.wait(running)[0].status == "ok"
    debugger.do("disconnect")
    other.forget()
    assert kernel.execute(CAUGHT).status == "ok"
    running = kernel.send_execute("1 / 0")
    stopped = other.wait_event("stopped")["body"]
    assert (stopped["reason"], len(other.events("stopped"))) == ("exception", 1)
    other.do("continue", threadId=stopped["threadId"])
    assert kernel.wait(running)[0].content["ename"] == "ZeroDivisionError"
    other.do("disconnect")


def test_what_a_reloaded_page_has_set(process: KernelProcess, kernel: Wire) -> None:
    """Conditions, hit counts, messages and exceptions: told by debugInfo, and still in force."""
    page = process.client()
    first = JupyterDap(page)
    first.attach()
    path = first.cell(CODE)
    wanted = [
        {"line": 3, "hitCondition": "2"},
        {"line": 4, "logMessage": "{total} so far"},
        {"line": 5, "condition": "total == 112", "hitCondition": ">= 1"},
    ]
    first.set_breakpoints(path, *wanted)
    first.do("setExceptionBreakpoints", filters=["raised"])
    process.clients.remove(page)
    page.close()
    again = JupyterDap(process.client())
    info = again.do("debugInfo")
    (found,) = info["breakpoints"]
    assert found["source"] == path
    extra = ("line", "condition", "hitCondition", "logMessage")
    kept = [{key: one[key] for key in extra if one.get(key)} for one in found["breakpoints"]]
    assert kept == wanted
    assert kernel.execute(CODE).result == "11111"
    again.wire.until(lambda: again.said() == "11 so far\n", what="the message")
    running = kernel.send_execute(CAUGHT)
    thread = again.wait_event("stopped")["body"]["threadId"]
    again.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"
    again.forget()
    running = kernel.send_execute(CODE)  # the second hit of line 3
    thread = again.wait_event("stopped")["body"]["threadId"]
    assert again.frames(thread)[0]["line"] == 3
    again.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "11111"
    again.do("disconnect")
