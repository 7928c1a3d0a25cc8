"""Breakpoints, steps and variables in every shell."""

from __future__ import annotations

import base64

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

SHARED = "import threading\ngo = threading.Event()"


def run_to(
    kernel: Wire, debugger: JupyterDap, code: str, line: int, where: str | None = None
) -> tuple[str, int]:
    """Run a cell to a breakpoint; returns its message id and the thread that stopped."""
    debugger.set_breakpoints(debugger.cell(code), line)
    debugger.forget()
    running = kernel.send_execute(code, subshell=where)
    return running, debugger.wait_event("stopped")["body"]["threadId"]


def finish(kernel: Wire, debugger: JupyterDap, running: str, thread: int) -> None:
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


FUNCTION = """\
def double(n):
    result = n * 2
    return result
a = double(4)
b = double(a)
b
"""


def test_steps(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    running, thread = run_to(kernel, debugger, FUNCTION, 4, where)
    lines = []
    for command in ("stepIn", "next", "stepOut", "next"):
        debugger.forget()
        debugger.do(command, threadId=thread)
        debugger.wait_event("continued")
        debugger.wait_event("stopped")
        top = debugger.frames(thread)[0]
        lines.append((top["name"], top["line"]))
    assert lines == [("double", 2), ("double", 3), ("<module>", 4), ("<module>", 5)], lines
    finish(kernel, debugger, running, thread)


def test_jupyterlab_sees_two_stops_one_after_the_other(
    kernel: Wire, debugger: JupyterDap, child: str
) -> None:
    first, main = run_to(kernel, debugger, FUNCTION, 2)
    debugger.forget()
    second = kernel.send_execute("double(2)", subshell=child)
    other = debugger.wait_event("stopped")["body"]["threadId"]
    assert other != main
    debugger.set_breakpoints(debugger.cell(FUNCTION))
    debugger.forget()
    debugger.do("continue", threadId=1)  # what JupyterLab says, whichever it shows
    assert debugger.wait_event("continued")["body"]["threadId"] == other
    assert debugger.wait_event("stopped")["body"]["threadId"] == main
    assert kernel.wait(second)[0].result == "4"
    debugger.do("continue", threadId=1)
    assert kernel.wait(first)[0].result == "16"


def test_breakpoint_in_a_function_of_another_cell(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    definition = "def triple(n):\n    result = n * 3\n    return result"
    kernel.execute(definition)
    debugger.set_breakpoints(debugger.cell(definition), 3)
    running = kernel.send_execute("triple(5)", subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    assert debugger.locals(debugger.frames(thread)[0]["id"])["result"] == "15"
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "15"


def test_breakpoint_in_a_thread_that_a_cell_starts(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    code = (
        "import threading\n"
        "def work():\n"
        "    value = 1\n"
        "    return value\n"
        "t = threading.Thread(target=work, name='mine')\n"
        "t.start()\n"
        "t.join()\n"
    )
    running, thread = run_to(kernel, debugger, code, 4, where)
    assert debugger.names()["mine"] == thread
    finish(kernel, debugger, running, thread)


def test_variables(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    code = "def scale(n, by):\n    items = [n, by]\n    return n * by\nprint(scale(2, 3))\n"
    running, thread = run_to(kernel, debugger, code, 3, where)
    frame = debugger.frames(thread)[0]["id"]
    assert debugger.locals(frame)["items"] == "[2, 3]"
    scopes = debugger.do("scopes", frameId=frame)["scopes"]
    reference = scopes[0]["variablesReference"]
    debugger.do("setVariable", variablesReference=reference, name="n", value="7")
    assert debugger.do("evaluate", expression="n + by", frameId=frame)["result"] == "10"
    wrong = debugger.ask("evaluate", expression="nothing", frameId=frame, context="watch")
    assert not wrong["success"]
    found = debugger.do("completions", text="ite", column=4, frameId=frame)["targets"]
    assert "items" in [one["label"] for one in found]
    rich = debugger.do("richInspectVariables", variableName="items", frameId=frame)
    assert rich["data"]["text/plain"] == "[2, 3]"  # of before `n` was set
    copy = {"srcVariableName": "items", "srcFrameId": frame}
    for name in ("class", "a.b", ""):
        assert not debugger.ask("copyToGlobals", dstVariableName=name, **copy)["success"]
    debugger.do("copyToGlobals", dstVariableName="kept", **copy)
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].text() == "21\n"
    assert kernel.execute("kept").result == "[2, 3]"


def test_a_stopped_shell_stops_no_other(kernel: Wire, debugger: JupyterDap) -> None:
    kernel.execute(SHARED)
    first, second = kernel.create("first"), kernel.create("second")
    running, thread = run_to(kernel, debugger, "x = 1\nx = 2\nx = 3", 2, first)
    assert kernel.execute("1 + 1").result == "2"
    assert kernel.execute("2 + 2", subshell=second).result == "4"
    assert kernel.request("complete_request", {"code": "thread", "cursor_pos": 6}).status == "ok"
    kernel.delete(second)
    code = "while not go.is_set(): pass"
    looping = kernel.begin(code)
    kernel.control("interrupt_request")
    assert kernel.wait(looping)[0].content["ename"] == "KeyboardInterrupt"
    assert debugger.names() != {}
    finish(kernel, debugger, running, thread)


def test_names_of_threads(kernel: Wire, debugger: JupyterDap) -> None:
    """Those that run people's code, and no others."""
    kernel.create("worker")
    kernel.execute("import threading; end = threading.Event()")
    kernel.execute("own = threading.Thread(target=end.wait, name='own'); own.start()")
    assert set(debugger.names()) == {"main", "subshell worker", "own"}
    kernel.execute("end.set(); own.join()")
    assert set(debugger.names()) == {"main", "subshell worker"}


@pytest.mark.parametrize("blank", ["", "\n\n"], ids=["", "below blank lines"])
@pytest.mark.parametrize("magic", ["time", "timeit -n1 -r1", "capture found", "prun -q"])
def test_cell_magic(
    kernel: Wire, debugger: JupyterDap, where: str | None, magic: str, blank: str
) -> None:
    code = f"{blank}%%{magic}\nx = 1\ny = x + 1\nprint(y)"
    line = 3 + len(blank)
    running, thread = run_to(kernel, debugger, code, line, where)
    top = debugger.frames(thread)[0]
    assert (top["line"], top["source"]["path"]) == (line, debugger.cell(code))
    debugger.forget()
    debugger.do("next", threadId=thread)
    debugger.wait_event("stopped")
    assert debugger.frames(thread)[0]["line"] == line + 1
    finish(kernel, debugger, running, thread)


@pytest.mark.parametrize("outer", ["subshell look", "subshell look --detach", "capture found"])
@pytest.mark.parametrize("magic", ["time", "timeit -n1 -r1", "capture found", "prun -q"])
def test_cell_magic_below_another(
    kernel: Wire, debugger: JupyterDap, outer: str, magic: str
) -> None:
    code = f"%%{outer}\n%%{magic}\nx = 1\ny = x + 1\nprint(y)"
    running, thread = run_to(kernel, debugger, code, 4)
    top = debugger.frames(thread)[0]
    assert (top["line"], top["source"]["path"]) == (4, debugger.cell(code))
    finish(kernel, debugger, running, thread)


@pytest.mark.parametrize("code", ["while True: pass", "while True: time.sleep(0.01)"])
def test_loop_on_one_line(kernel: Wire, debugger: JupyterDap, where: str | None, code: str) -> None:
    kernel.execute("import time")
    running = kernel.begin(code, subshell=where)
    begun = f"print('begun')\n{code}"
    path = debugger.cell(begun)
    debugger.forget()
    assert debugger.set_breakpoints(path, 2)[0]["verified"]
    for count in (1, 2):
        thread = debugger.wait_event("stopped", count)["body"]["threadId"]
        assert debugger.frames(thread)[0]["line"] == 2
        debugger.do("continue", threadId=thread)
    debugger.wait_event("stopped", 3)
    debugger.set_breakpoints(path, {"line": 2, "condition": "False"})
    debugger.do("continue", threadId=thread)
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert len(debugger.events("stopped")) == 3


def test_leading_blank_lines(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    running, thread = run_to(kernel, debugger, "\n\nx = 1\ny = 2\n", 4, where)
    assert debugger.frames(thread)[0]["line"] == 4
    finish(kernel, debugger, running, thread)


def test_cell_of_a_named_subshell(kernel: Wire, debugger: JupyterDap) -> None:
    code = "%%subshell work\nx = 1\ny = 2\n"
    running, thread = run_to(kernel, debugger, code, 3)
    assert debugger.frames(thread)[0]["line"] == 3
    assert debugger.names()["subshell work"] == thread
    finish(kernel, debugger, running, thread)


def test_edited_and_run_again(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    for code in ("x = 1\ny = 2\nz = 3", "x = 1\ny = 22\nz = 3", "x = 1\ny = 2\nz = 3"):
        running, thread = run_to(kernel, debugger, code, 2, where)
        finish(kernel, debugger, running, thread)


def test_awaiting_cell(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    code = "import asyncio\nawait asyncio.sleep(0)\nx = 1\nawait asyncio.sleep(0)\nx"
    running, thread = run_to(kernel, debugger, code, 3, where)
    debugger.forget()
    debugger.do("next", threadId=thread)
    debugger.wait_event("stopped")
    assert debugger.frames(thread)[0]["line"] == 4
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "1"


def test_conditions_counts_and_messages(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    code = "total = 0\nfor i in range(10):\n    total += i\ntotal"
    path = debugger.cell(code)
    debugger.set_breakpoints(path, {"line": 3, "condition": "i == 7"})
    debugger.forget()
    running = kernel.send_execute(code, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    frame = debugger.frames(thread)[0]["id"]
    assert debugger.do("evaluate", expression="i", frameId=frame)["result"] == "7"
    finish(kernel, debugger, running, thread)
    debugger.set_breakpoints(path, {"line": 3, "logMessage": "i is {i}"})
    debugger.forget()
    assert kernel.execute(code, subshell=where).status == "ok"
    kernel.until(lambda: "i is 9\n" in debugger.said(), what="the last message")
    assert debugger.said() == "".join(f"i is {i}\n" for i in range(10))
    assert debugger.do("debugInfo")["breakpoints"] == [
        {"source": path, "breakpoints": [{"line": 3, "logMessage": "i is {i}"}]}
    ]


def test_uncaught(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    debugger.do("setExceptionBreakpoints", filters=["uncaught"])
    code = "def fail(n):\n    return 1 / n\nfail(0)"
    debugger.cell(code)
    running = kernel.send_execute(code, subshell=where)
    stopped = debugger.wait_event("stopped")["body"]
    assert stopped["reason"] == "exception"
    top = debugger.frames(stopped["threadId"])[0]
    assert (top["name"], top["line"]) == ("fail", 2)
    info = debugger.do("exceptionInfo", threadId=stopped["threadId"])
    assert info["exceptionId"] == "ZeroDivisionError"
    debugger.do("continue", threadId=stopped["threadId"])
    assert kernel.wait(running)[0].content["ename"] == "ZeroDivisionError"


def test_inspect_without_a_stop(kernel: Wire, debugger: JupyterDap) -> None:
    kernel.execute("numbers = [1, 2, 3]")
    found = {v["name"]: v for v in debugger.do("inspectVariables")["variables"]}
    assert found["numbers"]["value"] == "[1, 2, 3]"
    inner = debugger.do("variables", variablesReference=found["numbers"]["variablesReference"])
    items = [v["value"] for v in inner["variables"] if v["name"].isdigit()]
    assert items == ["1", "2", "3"]
    rich = debugger.do("richInspectVariables", variableName="numbers")
    assert rich["data"]["text/plain"] == "[1, 2, 3]"
    modules = debugger.do("modules", startModule=2, moduleCount=3)
    assert len(modules["modules"]) == 3
    assert modules["totalModules"] > 100


def test_pages_of_modules(kernel: Wire, debugger: JupyterDap) -> None:
    """Pages make up the whole, whatever their size; odd ones are empty or refused."""
    everything = debugger.do("modules")
    total = everything["totalModules"]
    pages: list[object] = []
    for start in range(0, total, 100):
        pages += debugger.do("modules", startModule=start, moduleCount=100)["modules"]
    assert pages == everything["modules"]
    assert len(pages) == total
    assert debugger.do("modules", startModule=total, moduleCount=5)["modules"] == []
    assert debugger.do("modules", startModule=total - 1)["modules"] == pages[-1:]
    for wrong in ({"startModule": -1}, {"moduleCount": -1}, {"startModule": "one"}):
        response = debugger.ask("modules", **wrong)
        assert not response["success"]
        assert response["message"].startswith("modules: ")


RICH = """\
class Picture:
    def _repr_html_(self): return "<b>7</b>"
    def _repr_png_(self): return b"\\x89PNG\\r\\n\\x1a\\nrest"
def show(n):
    picture = Picture()
    return n
show(7)
"""


def test_hovers_and_pictures_in_a_stop(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    running, thread = run_to(kernel, debugger, RICH, 6, where)
    frame = debugger.frames(thread)[0]["id"]
    hover = {"frameId": frame, "context": "hover"}
    assert debugger.do("evaluate", expression="n", **hover)["result"] == "7"
    nothing = debugger.ask("evaluate", expression="not_there", **hover)
    assert not nothing["success"]
    rich = debugger.do("richInspectVariables", variableName="picture", frameId=frame)
    assert rich["data"]["text/html"] == "<b>7</b>"
    assert base64.b64decode(rich["data"]["image/png"]) == b"\x89PNG\r\n\x1a\nrest"
    for name in ("special variables", "function variables"):  # what JupyterLab asks of groups
        rich = debugger.do("richInspectVariables", variableName=name, frameId=frame)
        assert rich["data"] == {}
    finish(kernel, debugger, running, thread)


def test_what_needs_a_stop(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """Once the thread runs its frames are gone, and so are copies out of them."""
    running, thread = run_to(kernel, debugger, RICH, 6, where)
    frame = debugger.frames(thread)[0]["id"]
    reference = debugger.do("scopes", frameId=frame)["scopes"][0]["variablesReference"]
    response = debugger.ask("pause", threadId=thread)
    assert not response["success"]
    assert "stopped already" in response["message"]
    finish(kernel, debugger, running, thread)
    copy = {"srcVariableName": "n", "dstVariableName": "copied", "srcFrameId": frame}
    look = {"variablesReference": reference}
    for command, arguments in (("copyToGlobals", copy), ("variables", look)):
        response = debugger.ask(command, **arguments)
        assert not response["success"], response
        assert response["message"]
    assert kernel.execute("'copied' in globals()").result == "False"


def test_raised(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    debugger.do("setExceptionBreakpoints", filters=["raised"])
    code = "def look(d):\n    return d['b']\ntry:\n    look({})\nexcept KeyError:\n    pass\n'end'"
    debugger.cell(code)
    debugger.forget()
    running = kernel.send_execute(code, subshell=where)
    stops = 0
    while not kernel.answers[running].idle:
        count = stops + 1
        kernel.until(
            lambda: len(debugger.events("stopped")) >= count or kernel.answers[running].idle,  # noqa: B023
            what="a stop or the end",
        )
        found = debugger.events("stopped")[stops:]
        if found:
            stops += 1
            body = found[0]["body"]
            assert body["reason"] == "exception"
            assert debugger.frames(body["threadId"])[-1]["source"]["path"] == debugger.cell(code)
            debugger.do("continue", threadId=body["threadId"])
    assert stops >= 1
    assert kernel.wait(running)[0].result == "'end'"


@pytest.mark.parametrize("end", ["", "\n"])
def test_detached_cell(kernel: Wire, debugger: JupyterDap, end: str) -> None:
    code = f"\n%%subshell work --detach\nx = 1\ny = 2{end}"
    running, thread = run_to(kernel, debugger, code, 4)
    top = debugger.frames(thread)[0]
    assert (top["line"], top["source"]["path"]) == (4, debugger.cell(code))
    assert kernel.wait(running)[0].status == "ok"
    debugger.do("continue", threadId=thread)
    assert kernel.execute("%%subshell work\nprint(y)").text() == "2\n"


@pytest.mark.parametrize("command", ["next", "stepIn", "stepOut"])
def test_step_past_the_end_of_a_cell(
    kernel: Wire, debugger: JupyterDap, where: str | None, command: str
) -> None:
    running, thread = run_to(kernel, debugger, "x = {}\nx['a'] = 1\nx", 3, where)
    debugger.forget()
    debugger.do(command, threadId=thread)
    answer = kernel.answers[running]
    kernel.until(lambda: answer.replies or debugger.events("stopped"), what="the end")
    assert debugger.events("stopped") == []
    assert kernel.wait(running)[0].result == "{'a': 1}"
    assert kernel.execute("1 + 1", subshell=where).result == "2"
    assert debugger.events("stopped") == []


def test_two_ask_at_once_for_the_commands_of_a_thread(kernel: Wire, debugger: JupyterDap) -> None:
    """Else the first step of a thread that has just stopped gets lost now and then."""
    kernel.execute(
        """
import pydevd, threading
debugger = pydevd.get_global_debugger()
ask, table = debugger.get_internal_queue_and_event, debugger._cmd_queue
found, make = [], table.default_factory
def meanwhile():
    table.default_factory = make
    other = threading.Thread(target=lambda: found.append(ask("some thread")[0]))
    other.start(); other.join()
    return make()
table.default_factory = meanwhile
found.append(ask("some thread")[0])
table.default_factory = make
"""
    )
    assert kernel.execute("len(found), found[0] is found[1]").result == "(2, True)"
