"""Threads that are told to stop wherever they are, and loops that are on one line."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

LOOPS = {
    "one line": "while True: pass",
    "two lines": "while True:\n    pass",
    "a call": "while not go.is_set(): pass",
    "in a function": "def run():\n    while True: pass\nrun()",
    "sleeping": "while True: time.sleep(0.01)",
    "awaiting": "while True:\n    await asyncio.sleep(0.01)",
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("where", ["main", "child"])
def test_pause_and_continue(
    kernel: Wire, debugger: JupyterDap, child: str, where: str, loop: str
) -> None:
    running = kernel.begin(LOOPS[loop], subshell=child if where == "child" else None)
    label = "main" if where == "main" else f"subshell {child}"
    thread = debugger.names()[label]
    for _ in range(3):
        debugger.forget()
        debugger.do("pause", threadId=thread)
        stopped = debugger.wait_event("stopped")["body"]
        assert (stopped["threadId"], stopped["reason"]) == (thread, "pause")
        assert debugger.frames(thread)[-1]["name"] == "<module>"
        debugger.do("continue", threadId=thread)
    kernel.control("interrupt_request")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_pause_while_idle_is_refused(kernel: Wire, debugger: JupyterDap) -> None:
    response = debugger.ask("pause", threadId=debugger.names()["main"])
    assert not response["success"]
    assert "nothing to pause" in response["message"]
    assert kernel.execute("1 + 1").result == "2"


def test_pause_of_what_is_about_to_go_on(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    """A stop is over for clients a little before its thread has left the debugger."""
    console = kernel.create("console")
    hold = (
        "import threading\n"
        "from ipyext_patches.targets import stopping as target\n"
        "held, let, fail_queued = threading.Event(), threading.Event(), target.fail_queued\n"
        "def hold(*given):\n"
        "    target.fail_queued = fail_queued\n"
        "    held.set(); let.wait(20)\n"
        "    fail_queued(*given)\n"
        "target.fail_queued = hold"
    )
    running = kernel.begin("def run():\n    while True: pass\nrun()", subshell=where)
    thread = debugger.names()["main" if where is None else "subshell worker"]
    debugger.do("pause", threadId=thread)
    debugger.wait_event("stopped")
    assert kernel.execute(hold, subshell=console).status == "ok"
    debugger.forget()
    debugger.do("continue", threadId=thread)
    debugger.wait_event("continued")
    assert kernel.execute("held.wait(20)", subshell=console).result == "True"
    debugger.do("pause", threadId=thread)
    assert kernel.execute("let.set()", subshell=console).status == "ok"
    stopped = debugger.wait_event("stopped")["body"]
    assert (stopped["threadId"], stopped["reason"]) == (thread, "pause")
    assert debugger.frames(thread)[0]["name"] == "run"
    debugger.forget()
    debugger.do("continue", threadId=thread)
    debugger.wait_event("continued")
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert debugger.events("stopped") == []


@pytest.mark.parametrize("when", ["before it is compiled", "while it is compiled"])
def test_pause_of_a_cell_that_begins(
    kernel: Wire, debugger: JupyterDap, where: str | None, when: str
) -> None:
    """It is busy, but nothing of its own code has run."""
    console = kernel.create("console")
    hold = {
        "before it is compiled": (
            "def hold(info):\n"
            "    if threading.current_thread() is not mine: return\n"
            "    begun.set(); let.wait(20)\n"
            "    get_ipython().events.unregister('pre_run_cell', hold)\n"
            "get_ipython().events.register('pre_run_cell', hold)"
        ),
        "while it is compiled": (
            "import ast\n"
            "class Hold(ast.NodeTransformer):\n"
            "    def visit(self, node):\n"
            "        if threading.current_thread() is mine:\n"
            "            get_ipython().ast_transformers.remove(self)\n"
            "            begun.set(); let.wait(20)\n"
            "        return node\n"
            "get_ipython().ast_transformers.append(Hold())"
        ),
    }[when]
    events = (
        "import threading; mine = threading.current_thread()\n"
        "begun, let = threading.Event(), threading.Event()\n"
    )
    library = f"exec(compile({hold!r}, '<frozen hold>', 'exec'))"  # no code of a person's
    assert kernel.execute(events + library, subshell=where).status == "ok"
    running = kernel.send_execute("a = 1\nb = 2\nb", subshell=where)
    assert kernel.execute("begun.wait(20)", subshell=console).result == "True"
    thread = debugger.names()["main" if where is None else "subshell worker"]
    debugger.do("pause", threadId=thread)
    assert kernel.execute("let.set()", subshell=console).status == "ok"
    stopped = debugger.wait_event("stopped")["body"]
    assert (stopped["threadId"], stopped["reason"]) == (thread, "pause")
    assert debugger.frames(thread)[0]["line"] == 1
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"
    assert kernel.execute("1 + 1", subshell=where).result == "2"


def test_a_pause_of_a_cell_that_ends(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """Its code has run already, and the next cell has nothing to do with it."""
    console = kernel.create("console")
    hold = (
        "def hold(result):\n"
        "    if threading.current_thread() is not mine: return\n"
        "    get_ipython().events.unregister('post_run_cell', hold)\n"
        "    ended.set(); let.wait(20)\n"
    )
    events = (
        "import threading; mine = threading.current_thread()\n"
        "ended, let = threading.Event(), threading.Event()\n"
        f"exec(compile({hold!r}, '<frozen hold>', 'exec'))"
    )
    assert kernel.execute(events, subshell=where).status == "ok"
    register = "get_ipython().events.register('post_run_cell', hold)"
    running = kernel.send_execute(register, subshell=where)
    assert kernel.execute("ended.wait(20)", subshell=console).result == "True"
    thread = debugger.names()["main" if where is None else "subshell worker"]
    debugger.do("pause", threadId=thread)
    assert kernel.execute("let.set()", subshell=console).status == "ok"
    assert kernel.wait(running)[0].status == "ok"
    assert kernel.execute("1 + 1", subshell=where).result == "2"
    assert debugger.events("stopped") == []
    code = "a = 1\nb = 2\nb"
    debugger.set_breakpoints(debugger.cell(code), 2)
    running = kernel.send_execute(code, subshell=where)
    stopped = debugger.wait_event("stopped")["body"]
    assert (stopped["threadId"], stopped["reason"]) == (thread, "breakpoint")
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "2"


@pytest.mark.parametrize("command", ["next", "stepIn"])
def test_steps_in_a_loop_on_one_line(
    kernel: Wire, debugger: JupyterDap, where: str | None, command: str
) -> None:
    """Each takes another round, and the loop runs on at its own pace when it is let go."""
    kernel.execute("n, end = 0, False")
    running = kernel.begin("while not end: n += 1", subshell=where)
    thread = debugger.names()["main" if where is None else "subshell worker"]
    debugger.do("pause", threadId=thread)
    debugger.wait_event("stopped")
    frame = debugger.frames(thread)[0]["id"]
    before = int(debugger.do("evaluate", expression="n", frameId=frame)["result"])
    for _ in range(4):
        debugger.forget()
        debugger.do(command, threadId=thread)
        debugger.wait_event("stopped")
        frame = debugger.frames(thread)[0]["id"]
    after = int(debugger.do("evaluate", expression="n", frameId=frame)["result"])
    assert 3 <= after - before <= 4
    console = kernel.create("console")
    debugger.do("continue", threadId=thread)
    debugger.wait_event("continued")
    debugger.forget()
    assert kernel.execute("end = True", subshell=console).status == "ok"
    assert kernel.wait(running)[0].status == "ok"
    assert debugger.events("stopped") == []
