"""breakpoint(), pdb.set_trace(), %debug and %pdb in the cells of every shell."""

from __future__ import annotations

import re

import pytest

from tests.conftest import LANE
from tests.dap import JupyterDap
from tests.wire import Answer, Wire

FUNCTION = "def f(n):\n    breakpoint()\n    return n + 1\nf(5)"


def talk(kernel: Wire, code: str, lines: list[str], where: str | None) -> Answer:
    """Run a cell and answer its prompts."""
    running = kernel.send_execute(code, subshell=where, allow_stdin=True)
    for line in lines:
        (asked,) = kernel.wait_for_input()
        assert "db" in asked["content"]["prompt"]  # (Pdb) or ipdb>
        kernel.answer_input(asked, line)
    return kernel.wait(running)[0]


def test_breakpoint_without_the_debugger(kernel: Wire, where: str | None) -> None:
    answer = talk(kernel, FUNCTION, ["p n * 100", "c"], where)
    assert "500" in answer.text()
    assert answer.result == "6"


def test_breakpoint_nobody_can_answer(kernel: Wire, where: str | None) -> None:
    """As in the stock kernel, where ipykernel 6 and 7 go on and 5 has a prompt that fails."""
    answer = kernel.execute(FUNCTION, subshell=where)
    if LANE == 5:
        assert answer.content["ename"] == "StdinNotImplementedError"
    else:
        assert (answer.status, answer.result, answer.text()) == ("ok", "6", "")
    assert kernel.execute("1 + 1", subshell=where).result == "2"


def test_breakpoint_with_the_debugger(kernel: Wire, where: str | None) -> None:
    debugger = JupyterDap(kernel)
    debugger.attach()
    debugger.forget()
    running = kernel.send_execute(FUNCTION, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    top = debugger.frames(thread)[0]
    assert (top["name"], top["source"]["path"]) == ("f", debugger.cell(FUNCTION))
    assert debugger.locals(top["id"])["n"] == "5"
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "6"
    debugger.do("disconnect")


@pytest.mark.parametrize("on", [False, True], ids=["debugger off", "debugger on"])
def test_the_environment_says_what_breakpoint_does(
    kernel: Wire, where: str | None, on: bool
) -> None:
    if on:
        assert kernel.execute("%debugctl start").status == "ok"
    kernel.execute("import os; os.environ['PYTHONBREAKPOINT'] = '0'")
    assert kernel.execute(FUNCTION, subshell=where).result == "6"
    kernel.execute("os.environ['PYTHONBREAKPOINT'] = 'builtins.print'")
    assert kernel.execute("breakpoint('printed')", subshell=where).text() == "printed\n"
    kernel.execute("del os.environ['PYTHONBREAKPOINT']")


def test_steps_out_of_a_cell_leave_our_own_code_out(kernel: Wire, where: str | None) -> None:
    code = "x = 1\nbreakpoint()\ny = 2"
    answer = talk(kernel, code, ["n", "n", "n", "n", "n", "w", "c"], where)
    assert "IPython" in answer.text()  # they have left the cell
    assert re.search(r"[/\\]ipyext(_patches)?[/\\]", answer.text()) is None
    assert answer.status == "ok"


def test_set_trace(kernel: Wire, where: str | None) -> None:
    code = FUNCTION.replace("breakpoint()", "import pdb; pdb.set_trace()")
    answer = talk(kernel, code, ["p n * 100", "c"], where)
    assert "500" in answer.text()
    assert answer.text("stderr") == ""
    assert answer.result == "6"


def test_debug_magic(kernel: Wire, where: str | None) -> None:
    kernel.execute("def g(n):\n    return n / 0\ng(7)", subshell=where)
    answer = talk(kernel, "%debug", ["p n * 100", "q"], where)
    assert "700" in answer.text()
    assert answer.text("stderr") == ""


def test_pdb_magic(kernel: Wire, where: str | None) -> None:
    kernel.execute("%pdb on", subshell=where)
    answer = talk(kernel, "def g(n):\n    return n / 0\ng(7)", ["p n * 100", "q"], where)
    assert "700" in answer.text()
    kernel.execute("%pdb off", subshell=where)
    assert kernel.execute("1 / 0", subshell=where).content["ename"] == "ZeroDivisionError"


def test_prompts_while_the_debugger_is_on(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    """Those of pdb still ask in the notebook, and the debugger stops in the cells after them."""
    test_set_trace(kernel, where)
    test_debug_magic(kernel, where)
    test_pdb_magic(kernel, where)
    assert debugger.events("stopped") == []
    code = "a = 1\nb = 2\nb"
    debugger.set_breakpoints(debugger.cell(code), 2)
    running = kernel.send_execute(code, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    assert debugger.frames(thread)[0]["line"] == 2
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "2"


def test_another_hook_is_left_alone(stock: Wire) -> None:
    stock.execute("import sys\ndef mine(*a): print('mine')\nsys.breakpointhook = mine")
    stock.execute("%load_ext ipyext")
    assert stock.execute("breakpoint()").text() == "mine\n"
    stock.execute("%unload_ext ipyext")
    assert stock.execute("sys.breakpointhook is mine").result == "True"
    stock.execute("sys.breakpointhook = sys.__breakpointhook__")


@pytest.mark.parametrize("end", ["continue", "interrupt", "step"])
@pytest.mark.parametrize(
    "code",
    [
        "breakpoint()",
        "x = 1\nbreakpoint()",
        "if True: breakpoint()",
        "import asyncio\nawait asyncio.sleep(0)\nbreakpoint()",
        "%%time\nbreakpoint()",
        "def f():\n    breakpoint()\nf()",
    ],
)
def test_breakpoint_is_the_last_that_a_cell_does(
    kernel: Wire, where: str | None, code: str, end: str
) -> None:
    """There is no next line to stop at but in the kernel's own code."""
    debugger = JupyterDap(kernel)
    debugger.attach()
    path = debugger.cell(code)
    debugger.forget()
    running = kernel.send_execute(code, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    top = debugger.frames(thread)[0]
    assert top["source"]["path"] == path
    assert "breakpoint()" in code.splitlines()[top["line"] - 1]
    if end == "interrupt":
        kernel.control("interrupt_request", {"subshell_id": where} if where else {})
        assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    else:
        debugger.do("continue" if end == "continue" else "next", threadId=thread)
        ended = kernel.answers[running]
        kernel.until(lambda: ended.reply is not None or len(debugger.events("stopped")) > 1)
        if ended.reply is None:  # the code is left for that of the same cell which called it
            assert debugger.frames(thread)[0]["source"]["path"] == path
            debugger.do("continue", threadId=thread)
        assert kernel.wait(running)[0].status == "ok"
    assert kernel.execute("1 + 1", subshell=where).result == "2"
    debugger.do("disconnect")
