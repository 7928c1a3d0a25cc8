"""Where a stopped shell goes next: to the cursor, to another line, into one call of several."""

from __future__ import annotations

from tests.dap import JupyterDap, Message
from tests.wire import Wire

CODE = """\
done = []
def first():
    done.append('first')
    return 1
def second(n):
    done.append('second')
    return n + 1
done.append('a')
n = second(first())
done.append('b')
done.append('c')
(n, done)
"""


# IPython runs the statements of a cell one by one; a jump stays within the code that runs.
FUNCTION = """\
def work():
    done = []
    done.append('a')
    done.append('b')
    done.append('c')
    return done
work()
"""


def stop(
    kernel: Wire, debugger: JupyterDap, subshell: str | None, line: int, code: str = CODE
) -> tuple[str, str, int]:
    """Run the cell up to that line; returns its path, its message id and its thread."""
    path = debugger.cell(code)
    debugger.set_breakpoints(path, line)
    debugger.forget()
    running = kernel.send_execute(code, subshell=subshell)
    return path, running, debugger.wait_event("stopped")["body"]["threadId"]


def at(debugger: JupyterDap, thread: int, count: int) -> Message:
    """The frame in which the thread stops for the `count`-th time."""
    assert debugger.wait_event("stopped", count)["body"]["threadId"] == thread
    return debugger.frames(thread)[0]


def test_run_to_the_cursor(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """As editors do it: a breakpoint there, which is taken away again."""
    path, running, thread = stop(kernel, debugger, where, 8)
    debugger.set_breakpoints(path, 8, 11)
    debugger.do("continue", threadId=thread)
    assert at(debugger, thread, 2)["line"] == 11
    debugger.set_breakpoints(path, 8)
    debugger.do("continue", threadId=thread)
    (answer,) = kernel.wait(running)
    assert answer.result == "(2, ['a', 'first', 'second', 'b', 'c'])"


def test_jump(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """What lies between is not run; and back again, to be run twice."""
    path, running, thread = stop(kernel, debugger, where, 4, FUNCTION)
    for count, line in ((2, 5), (3, 3)):
        targets = debugger.do("gotoTargets", source={"path": path}, line=line)["targets"]
        debugger.do("goto", threadId=thread, targetId=targets[0]["id"])
        assert at(debugger, thread, count)["line"] == line
        assert debugger.wait_event("stopped", count)["body"]["reason"] == "goto"
    debugger.set_breakpoints(path)
    debugger.do("continue", threadId=thread)
    (answer,) = kernel.wait(running)
    assert answer.result == "['a', 'a', 'b', 'c']", answer.content


def test_a_jump_that_cannot_be(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """It stays where it is, and goes on as it would have."""
    path, running, thread = stop(kernel, debugger, where, 4, FUNCTION)
    targets = debugger.do("gotoTargets", source={"path": path}, line=7)["targets"]
    for wrong in (targets[0]["id"], 12345):
        assert not debugger.ask("goto", threadId=thread, targetId=wrong)["success"]
    assert debugger.frames(thread)[0]["line"] == 4
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "['a', 'b', 'c']"


def test_a_jump_to_another_file(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    """debugpy would go to that line of the file where it is."""
    path, running, thread = stop(kernel, debugger, where, 4, FUNCTION)
    other = debugger.cell("x = 1\n\n\n\n\ny = 2\n")
    (target,) = debugger.do("gotoTargets", source={"path": other}, line=6)["targets"]
    response = debugger.ask("goto", threadId=thread, targetId=target["id"])
    assert not response["success"]
    assert "another file" in response["message"]
    assert debugger.frames(thread)[0]["line"] == 4
    # A path of the same file, another way.
    folder, _, name = path.rpartition("/")
    same = {"path": f"{folder}/../{folder.rpartition('/')[2]}/{name}"}
    (target,) = debugger.do("gotoTargets", source=same, line=5)["targets"]
    debugger.do("goto", threadId=thread, targetId=target["id"])
    assert at(debugger, thread, 2)["line"] == 5
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "['a', 'c']"


def test_step_into_one_of_several_calls(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    _, running, thread = stop(kernel, debugger, where, 9)
    frame = debugger.frames(thread)[0]["id"]
    targets = {
        one["label"].partition("(")[0]: one["id"]
        for one in debugger.do("stepInTargets", frameId=frame)["targets"]
    }
    assert {"first", "second"} <= set(targets)
    debugger.do("stepIn", threadId=thread, targetId=targets["second"])
    stopped = at(debugger, thread, 2)
    assert (stopped["name"], stopped["line"]) == ("second", 6)
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_interrupt_after_a_jump(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    path, running, thread = stop(kernel, debugger, where, 4, FUNCTION)
    for count, line in ((2, 5), (3, 3)):
        targets = debugger.do("gotoTargets", source={"path": path}, line=line)["targets"]
        debugger.do("goto", threadId=thread, targetId=targets[0]["id"])
        assert at(debugger, thread, count)["line"] == line
    kernel.control("interrupt_request")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    # It is debugged as before.
    _, running, thread = stop(kernel, debugger, where, 4, FUNCTION)
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "['a', 'b', 'c']"


def test_a_breakpoint_in_what_the_kernel_uses(
    kernel: Wire, lab: JupyterDap, where: str | None
) -> None:
    """It stops the cell that calls it, and not the kernel, which calls it for every message."""
    debugger = lab
    debugger.attach(justMyCode=False)  # as ipykernel 7 does by itself
    debugger.do("setFunctionBreakpoints", breakpoints=[{"name": "dumps"}])
    debugger.forget()
    for subshell in (where, None):
        assert kernel.execute("x = 1\nx", subshell=subshell).result == "1"
    assert not debugger.events("stopped")
    running = kernel.send_execute("import json\ny = json.dumps([1])\ny", subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    assert debugger.frames(thread)[0]["name"] == "dumps"
    assert kernel.execute("2", subshell=kernel.create()).result == "2"
    debugger.do("setFunctionBreakpoints", breakpoints=[])
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "'[1]'"
