"""%debugctl, ipyext.debugger(), and the port for editors."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import Answer, KernelProcess, Wire

Connect = Callable[[str, int], TcpDap]
LOOP = """\
def work(n):
    m = n + 1
    return m
total = 0
print("looping", flush=True)
while not go.is_set():
    total = work(total)
"""


def said(answer: Answer) -> str:
    """What a refused magic says, wherever it says it."""
    return answer.text("stderr") + str(answer.content.get("evalue", ""))


def shown(kernel: Wire, code: str, subshell: str | None = None) -> str:
    """What a cell shows or prints; it must go well."""
    answer = kernel.execute(code, subshell=subshell)
    assert answer.status == "ok", said(answer)
    return "\n".join([answer.text(), *answer.shown])


@pytest.fixture
def looping(kernel: Wire, child: str) -> Iterator[str]:
    """Main runs `LOOP`; its cell's name, such as In[3]. It ends with the test."""
    running = kernel.send_execute(LOOP)
    kernel.wait_for_text(running, "looping")
    count = kernel.answers[running].of("execute_input")[0]["execution_count"]
    yield f"In[{count}]"
    kernel.execute("%debugctl stop", subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(running)[0].status == "ok"


@pytest.fixture
def debugging(kernel: Wire, looping: str) -> str:
    """The same with the debugger on."""
    assert "The debugger is on." in shown(kernel, "%debugctl start")
    return looping


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects editors, which hang up at the end of the test."""
    editors: list[TcpDap] = []

    def connected(host: str, port: int) -> TcpDap:
        editors.append(TcpDap(host, port))
        return editors[-1]

    yield connected
    for editor in editors:
        editor.close()


# -- running ---------------------------------------------------------------------------------------


def test_a_cell_that_several_shells_ran_is_called_after_the_one_that_has_stopped(
    kernel: Wire, child: str
) -> None:
    kernel.create("worker")
    code = "if go.is_set(): breakpoint()\n'ran'"
    assert shown(kernel, "%%subshell worker\npass") == ""
    for shell in (None, child, kernel.shells()[1]):
        assert kernel.execute(code, subshell=shell).result == "'ran'"
    shown(kernel, "%debugctl start\ngo.set()")
    running = kernel.send_execute(code, subshell=kernel.shells()[1])
    stop = "import ipyext\nipyext.debugger().wait_stopped(30).frames[0].cell"
    assert kernel.execute(stop).result == "'worker/In[3]'"
    assert "worker/In[3]:1" in shown(kernel, "%debugctl where")
    shown(kernel, "%debugctl stop")
    assert kernel.wait(running)[0].result == "'ran'"


def test_pause_where_step_and_continue(kernel: Wire, debugging: str) -> None:
    text = shown(kernel, "%debugctl pause")
    assert "main has stopped" in text
    assert f"{debugging}:" in text
    where = kernel.execute("# where is it?\n%debugctl where\n")
    assert re.search(r"^->  +\d+  ", where.shown[0], re.M)
    page = where.of("display_data")[0]["data"]["text/html"]
    assert "<span style=" in page
    assert "→" in page
    assert "main" in shown(kernel, "%debugctl")
    for action in ("next", "step"):
        assert "main has stopped" in shown(kernel, f"%debugctl {action}")
    assert "main goes on." in shown(kernel, "%debugctl continue")
    assert "No thread is stopped" in said(kernel.execute("%debugctl where"))
    assert "The debugger is off" in shown(kernel, "%debugctl stop")


def test_steps_go_into_and_over_and_out_of_calls(kernel: Wire, debugging: str) -> None:
    shown(kernel, f"%debugctl break {debugging}:7")
    wait_for_stop(kernel)
    shown(kernel, "%debugctl clear --all")
    assert f"{debugging}:2 in work" in shown(kernel, "%debugctl step")
    assert f"{debugging}:3 in work" in shown(kernel, "%debugctl next main")
    assert f"{debugging}:7 in <module>" in shown(kernel, "%debugctl finish")
    assert f"{debugging}:6 in <module>" in shown(kernel, "%debugctl next")


def wait_for_stop(kernel: Wire) -> str:
    """Wait in the cell that asks, by the Python interface; returns where main is."""
    code = """%%subshell watch
import ipyext
found = ipyext.debugger().wait_stopped(timeout=30)
"""
    assert kernel.execute(code).status == "ok"
    return shown(kernel, "%debugctl where")


def test_a_condition_in_a_cell_that_runs(kernel: Wire, debugging: str) -> None:
    said_ = shown(kernel, f"%debugctl break {debugging}:3 if n > 500 and n % 100 == 7")
    assert f"Breakpoint 1 at {debugging}:3." in said_
    assert f"{debugging}:3 in work" in wait_for_stop(kernel)
    values = shown(kernel, "%debugctl locals")
    n = int(re.search(r"^n +int +(\d+)$", values, re.M)[1])  # type: ignore[index]
    assert n > 500
    assert n % 100 == 7
    assert shown(kernel, "%debugctl eval m - n").strip() == "1"
    assert shown(kernel, "%debugctl eval m = 0").strip() == ""
    assert shown(kernel, "%debugctl eval [m] * 2").strip() == "[0, 0]"
    assert "ZeroDivisionError" in said(kernel.execute("%debugctl eval 1 / 0"))
    table = shown(kernel, "%debugctl breakpoints")
    assert f"{debugging}:3" in table
    assert "n > 500 and n % 100 == 7" in table
    assert shown(kernel, f"%debugctl clear {debugging}:3").strip() == "Removed 1 breakpoint."
    assert f"{debugging}:3" not in shown(kernel, "%debugctl breakpoints")


def test_log_messages_appear_under_the_cell_that_asked(
    kernel: Wire, debugging: str, child: str
) -> None:
    for place in (f"{debugging}:3", "work"):
        asked = kernel.send_execute(f"%debugctl break {place} hits % 1000 log n is {{n}}.")
        kernel.wait(asked)
        kernel.wait_for_text(asked, "n is ")
        assert shown(kernel, "%debugctl clear 1" if place != "work" else "%debugctl clear work")
    assert kernel.execute("total > 0", subshell=child).result == "True"


def test_a_function_and_exceptions(kernel: Wire, child: str) -> None:
    kernel.execute("def fail(x):\n    raise ValueError(x)\n\ndef other(): pass")
    shown(kernel, "%debugctl start\n%debugctl exceptions uncaught\n%debugctl break other")
    running = kernel.send_execute("other(); fail('bad')", subshell=child)
    assert "in other" in wait_for_stop(kernel)
    shown(kernel, "%debugctl continue")
    text = wait_for_stop(kernel)
    assert "in fail" in text
    assert "bad" in text
    shown(kernel, "%debugctl exceptions none\n%debugctl continue --all\n%debugctl stop")
    assert kernel.wait(running)[0].content["ename"] == "ValueError"


def test_a_detached_cell_is_one_of_main(kernel: Wire) -> None:
    kernel.execute("import threading; go = threading.Event()")
    code = "%%subshell worker --detach\nn = 0\nwhile not go.wait(0.01):\n    n += 1"
    launched = kernel.execute(code).of("execute_input")[0]["execution_count"]
    shown(kernel, "%debugctl start")
    shown(kernel, f"%debugctl break In[{launched}]:4")
    assert f"In[{launched}]:4 in <module>" in wait_for_stop(kernel)
    assert "worker goes on." in shown(kernel, "%debugctl clear --all\n%debugctl continue worker")
    kernel.execute("go.set()")


def test_a_child_stops_and_main_goes_on(kernel: Wire) -> None:
    kernel.create("worker")
    shown(kernel, "%debugctl start")
    child = kernel.shells()[0]
    code = "a = 1\nb = 2\nc = 3"
    kernel.execute(code, subshell=child)
    shown(kernel, "%debugctl break worker/In[1]:2")
    running = kernel.send_execute(code, subshell=child)
    assert "worker/In[2]:2 in <module>" in wait_for_stop(kernel)
    assert "worker/In[2]:3" in shown(kernel, "%debugctl next worker")
    assert kernel.execute("a, b").result == "(1, 2)"
    assert "main is not stopped" in said(kernel.execute("%debugctl where main"))
    assert "worker goes on." in shown(kernel, "%debugctl continue worker")
    assert kernel.wait(running)[0].status == "ok"
    assert "worker runs no cell" in said(kernel.execute("%debugctl pause worker"))
    shown(kernel, "%debugctl stop")


def test_from_a_child_shell(kernel: Wire, looping: str, child: str) -> None:
    for line in ("start", "pause", "where", "next", "continue", "status", "threads", "stop"):
        shown(kernel, f"%debugctl {line}", subshell=child)


def test_main_cannot_pause_itself(kernel: Wire) -> None:
    answer = kernel.execute("%debugctl start\n%debugctl pause")
    assert "running this very call" in said(answer)
    shown(kernel, "%debugctl stop")


# -- looking without a debugger --------------------------------------------------------------------


def test_stacks_while_main_loops(kernel: Wire, looping: str) -> None:
    text = shown(kernel, "%debugctl stacks main")
    assert "main: busy" in text
    assert "<module>" in text
    assert "In[" in text
    assert "service" not in shown(kernel, "%debugctl stacks")
    assert "no subshell 'nobody'" in said(kernel.execute("%debugctl stacks nobody"))
    assert "off" in shown(kernel, "%debugctl")


def test_errors_say_what_to_do(kernel: Wire) -> None:
    for line in ("where", "pause", "break work", "locals", "eval 1", "threads", "clear --all"):
        assert "%debugctl start" in said(kernel.execute(f"%debugctl {line}")), line
    shown(kernel, "%debugctl start")
    for line, part in {
        "break In[99]:1": "There is no cell In[99] of main",
        "break nobody/In[1]:1": "no subshell 'nobody'",
        "break In[1]": "needs a line: In[1]:1",
        "break missing.py:3": "There is no file",
        "break a-b": "is no place for a breakpoint",
        "clear 99": "There is no breakpoint 99",
        "where nobody": "There is no thread 'nobody'. There are: main",
        "exceptions some": "There is no 'some'",
        "listen 192.0.2.1:0": "does not listen on 192.0.2.1",
    }.items():
        assert part in said(kernel.execute(f"%debugctl {line}")), line
    shown(kernel, "%debugctl stop")


def test_completion(kernel: Wire, child: str) -> None:
    kernel.execute(f"%subshell rename {child} helper")

    def completed(line: str) -> list[str]:
        content = {"code": line, "cursor_pos": len(line)}
        return list(kernel.request("complete_request", content).content["matches"])

    assert completed("%debugctl st") == ["status", "start", "stop", "step", "stacks"]
    assert completed("%debugctl pause ") == ["main", "helper"]
    assert completed("%debugctl exceptions ra") == ["raised"]


# -- several clients -------------------------------------------------------------------------------


def test_each_client_keeps_its_breakpoints(kernel: Wire, looping: str, child: str) -> None:
    kernel.execute("want = 0", subshell=child)
    jupyter = JupyterDap(kernel)
    jupyter.attach()
    path = jupyter.cell(LOOP)
    shown(kernel, "%debugctl start")
    shown(kernel, f"%debugctl break {looping}:3 if want == 3")
    jupyter.set_breakpoints(path, {"line": 7, "condition": "want == 7"})

    def stops_at(line: int) -> None:
        """Both clients see a stop there; then it goes on."""
        jupyter.forget()
        kernel.execute(f"want = {line}", subshell=child)
        thread = jupyter.wait_event("stopped")["body"]["threadId"]
        assert jupyter.frames(thread)[0]["line"] == line
        kernel.execute("want = 0", subshell=child)
        if "this kernel" in shown(kernel, "%debugctl clients"):
            assert f"{looping}:{line} in" in shown(kernel, "%debugctl where")
        jupyter.do("continue", threadId=thread)
        jupyter.wait_event("continued")

    stops_at(3)
    stops_at(7)
    table = shown(kernel, "%debugctl clients")
    assert "Jupyter session" in table
    assert "this kernel" in table
    assert "others still do" in shown(kernel, "%debugctl stop")
    stops_at(7)
    shown(kernel, "%debugctl start")
    shown(kernel, f"%debugctl break {looping}:2 if want == 2")
    jupyter.do("disconnect")
    kernel.execute("want = 7", subshell=child)  # nobody stops there any more
    kernel.execute("want = 2", subshell=child)
    assert f"{looping}:2 in work" in wait_for_stop(kernel)


def test_an_editor_on_the_port(kernel: Wire, looping: str, child: str, connect: Connect) -> None:
    listening = kernel.execute("%debugctl listen")
    text = listening.shown[0]
    host, port = re.search(r"Listening on (\S+):(\d+)\.", text).groups()  # type: ignore[union-attr]
    configuration = json.loads(text.partition("VS Code:\n")[2].partition("\n\n")[0])
    assert configuration["connect"] == {"host": host, "port": int(port)}
    for editor in ("nvim-dap", "PyCharm", "Emacs"):
        assert editor in text
    for again in ("", port):  # as "Run All" does
        assert text in shown(kernel, f"%debugctl listen {again}", child)
    refused = said(kernel.execute(f"%debugctl listen {int(port) - 1}", subshell=child))
    assert "%debugctl unlisten" in refused
    editor = connect(host, int(port))
    editor.attach()
    assert "vscode" in shown(kernel, "%debugctl clients")
    # The path as any client gets it: from a stack.
    thread = next(t["id"] for t in editor.do("threads")["threads"] if t["name"] == "main")
    editor.do("configurationDone")
    editor.do("pause", threadId=thread)
    editor.event("stopped")
    path = editor.do("stackTrace", threadId=thread)["stackFrames"][0]["source"]["path"]
    found = editor.do("setBreakpoints", source={"path": path}, breakpoints=[{"line": 3}])
    assert found["breakpoints"][0]["verified"], (found, path)
    editor.do("continue", threadId=thread)
    assert editor.event("stopped", 2)["reason"] == "breakpoint"
    assert editor.do("stackTrace", threadId=thread)["stackFrames"][0]["line"] == 3
    editor.send_bytes(b"Content-Length: 2\r\n\r\n??")
    assert "not JSON" in editor.event("output")["output"]
    editor.do("setBreakpoints", source={"path": path}, breakpoints=[])
    editor.do("continue", threadId=thread)
    editor.do("disconnect")
    sequence = [message["seq"] for message in editor.messages]
    assert sequence == sorted(sequence), "in the order in which they were made"
    editor.close()
    assert "No port is open." in shown(kernel, "%debugctl unlisten")
    with pytest.raises(OSError, match="refused"):
        connect(host, int(port))


def test_an_editor_that_hangs_up_leaves_nothing(
    kernel: Wire, looping: str, child: str, connect: Connect
) -> None:
    text = shown(kernel, "%debugctl listen")
    host, port = re.search(r"Listening on (\S+):(\d+)\.", text).groups()  # type: ignore[union-attr]
    editor = connect(host, int(port))
    editor.attach()
    editor.do("setFunctionBreakpoints", breakpoints=[{"name": "work"}])
    editor.do("configurationDone")
    editor.event("stopped")
    editor.close()
    code = "import ipyext\nwhile ipyext.debugger().status().state != 'off': pass"
    assert kernel.execute(code, subshell=child).status == "ok"
    before = kernel.execute("total", subshell=child).result
    watch = f"while total == {before}: pass"
    assert kernel.execute(watch, subshell=child).status == "ok"  # it runs on
    shown(kernel, "%debugctl unlisten")


# -- from Python, and settings ---------------------------------------------------------------------


def test_from_python(kernel: Wire, looping: str, child: str) -> None:
    def run(code: str) -> str | None:
        answer = kernel.execute(code, subshell=child)
        assert answer.status == "ok", answer.content
        return answer.result

    run("import ipyext\ndebugger = ipyext.debugger()")
    assert run("debugger.status().state, debugger.clients()") == "('off', [])"
    assert run("debugger.start()\ndebugger.start()\ndebugger.status().state") == "'on'"
    assert run("stop = debugger.pause()\nstop.thread.label, bool(stop.frames)") == "('main', True)"
    assert run("debugger.where().thread == debugger.threads()[0]") == "True"
    assert run("debugger.pause().thread.label") == "'main'"
    assert run("debugger.next() is not None") == "True"
    assert run("[t.label for t in debugger.continue_()]") == "['main']"
    for line in ("hits 0", "hits % 0"):
        refused = said(kernel.execute(f"%debugctl break {looping}:3 {line}", subshell=child))
        assert "hits are counted from 1" in refused
    cell = f"found = debugger.set_breakpoint('{looping}:3', condition='n > 10', hits=2)"
    assert run(f"{cell}\nfound.verified, found.condition, found.hits") == "(True, 'n > 10', '2')"
    assert run(f"debugger.set_breakpoint('{looping}:3', log='x').condition") is None
    assert run("len(debugger.breakpoints()), debugger.clear(), debugger.clear()") == "(1, 1, 0)"
    assert run("debugger.exceptions('uncaught', 'none'), debugger.exceptions()") == (
        "(('uncaught',), ('uncaught',))"
    )
    assert run("debugger.eval('total') != ''") == "True"
    host, port = ast.literal_eval(str(run("debugger.listen()")))
    assert run("debugger.status().address") == repr((host, port))
    run("debugger.unlisten()")
    assert run("debugger.stop()\ndebugger.stop()\ndebugger.status().state") == "'off'"
    answer = kernel.execute("debugger.where()", subshell=child)
    assert answer.content["ename"] == "DebuggerError"


def test_an_interrupt_ends_a_wait(kernel: Wire, child: str) -> None:
    kernel.execute("import ipyext\ndebugger = ipyext.debugger()\ndebugger.start()")
    waiting = kernel.begin("debugger.wait_stopped()", subshell=child)
    kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(waiting)[0].content["ename"] == "KeyboardInterrupt"
    kernel.execute("debugger.stop()")


def test_what_a_breakpoint_stops(kernel: Wire, debugging: str, child: str) -> None:
    assert shown(kernel, "%debugctl config").strip() == "stop=thread"
    assert shown(kernel, "%debugctl config stop=all").strip() == "stop=all"
    assert kernel.execute("%config IPyExt.debug_stop", subshell=child).result == "'all'"
    shown(kernel, "%debugctl pause")
    assert "while something is stopped" in said(kernel.execute("%debugctl config stop=thread"))
    shown(kernel, "%debugctl continue --all")
    kernel.execute("%config IPyExt.debug_stop = 'thread'", subshell=child)
    assert shown(kernel, "%debugctl config").strip() == "stop=thread"
    wrong = kernel.execute("%config IPyExt.debug_stop = 'some'", subshell=child)
    assert "expected any of" in said(wrong)


def test_unloading_ends_it(kernel: Wire) -> None:
    kernel.execute("import ipyext\ndebugger = ipyext.debugger()\ndebugger.start()")
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    answer = kernel.execute("debugger.start()")
    assert answer.content["ename"] == "DebuggerError"
    assert "%load_ext ipyext" in answer.content["evalue"]


# -- people's own calls of debugpy -----------------------------------------------------------------


def test_calls_of_debugpy_mean_our_debugger(
    kernel: Wire, looping: str, child: str, connect: Connect
) -> None:
    def run(code: str) -> str | None:
        answer = kernel.execute(code, subshell=child)
        assert answer.status == "ok", answer.content
        return answer.result

    run("import debugpy")
    address = run("debugpy.listen(0)")
    assert run("debugpy.listen(('localhost', 0))") == address
    assert run("debugpy.is_client_connected()") == "False"
    run("debugpy.debug_this_thread()")
    run("debugpy.breakpoint()")  # ignored: nobody debugs
    refused = kernel.execute("debugpy.connect(5678)", subshell=child)
    assert "%debugctl listen" in refused.content["evalue"]
    waiting = kernel.begin("debugpy.wait_for_client()\nprint('attached')", subshell=child)
    editor = connect(*ast.literal_eval(str(address)))
    editor.attach()
    assert kernel.wait(waiting)[0].text() == "begun\nattached\n"
    assert run("debugpy.is_client_connected()") == "True"
    run("debugpy.wait_for_client()\ndebugpy.debug_this_thread()")
    editor.do("configurationDone")
    stopping = kernel.send_execute("a = 1\ndebugpy.breakpoint()\nb = 2", subshell=child)
    thread = editor.event("stopped")["threadId"]
    frame = editor.do("stackTrace", threadId=thread)["stackFrames"][0]
    assert frame["name"] == "<module>"
    assert frame["line"] in (2, 3)
    editor.do("continue", threadId=thread)
    assert kernel.wait(stopping)[0].status == "ok"
    editor.do("disconnect")
    editor.close()
    shown(kernel, "%debugctl unlisten")


def test_a_wait_for_a_client_can_be_interrupted_and_cancelled(kernel: Wire, child: str) -> None:
    kernel.execute("import debugpy")
    for end in ("interrupt", "cancel"):
        waiting = kernel.begin("debugpy.wait_for_client()", subshell=child)
        if end == "interrupt":
            kernel.control("interrupt_request", {"subshell_id": child})
            assert kernel.wait(waiting)[0].content["ename"] == "KeyboardInterrupt"
        else:
            # Until it was heard: the wait may only be about to begin.
            kernel.execute("from ipyext import subshells")
            kernel.execute("while 'debugger' not in subshells()[1].state: pass")
            kernel.execute("debugpy.wait_for_client.cancel()")
            assert kernel.wait(waiting)[0].status == "ok"


def test_debugpy_is_given_back(kernel: Wire) -> None:
    kernel.execute("import debugpy\nfrom debugpy import public_api")
    same = "[getattr(debugpy, n) is getattr(public_api, n) for n in ('listen', 'connect')]"
    assert kernel.execute(same).result == "[False, False]"
    kernel.execute("%unload_ext ipyext")
    assert kernel.execute(same).result == "[True, True]"


def test_a_debugpy_that_was_not_checked(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    """All but the debugger goes on working, and a front end is not told that there is one."""
    (tmp_path / "debugpy-1.8.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: debugpy\nVersion: 1.8.0\n"
    (tmp_path / "debugpy-1.8.0.dist-info" / "METADATA").write_text(metadata)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    kernel = start_kernel(env={"PYTHONPATH": path}).client()
    kernel.execute("%load_ext ipyext")
    refused = said(kernel.execute("%debugctl start", stop_on_error=False))
    assert "debugpy is version 1.8.0, but ipyext is checked with debugpy >=" in refused
    assert "pip install --upgrade 'debugpy" in refused
    assert kernel.execute("%%subshell look\n6 * 7").result == "42"
