"""A breakpoint that stops every thread, where single ones go on: interrupts, deletes, cells."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

COUNTING = "count = 0\nwhile not go.is_set():\n    count += 1"
STOPS = "x = 1\nbreakpoint()\nx = 3\nx = 4"


@pytest.fixture
def all_stop(kernel: Wire, debugger: JupyterDap) -> JupyterDap:
    """A client that debugs, in a kernel where a breakpoint stops every thread."""
    assert kernel.execute("%config IPyExt.debug_stop = 'all'").status == "ok"
    return debugger


def stop(kernel: Wire, debugger: JupyterDap, subshell: str | None) -> tuple[str, int]:
    """A cell that has stopped there: its message id, and its thread."""
    debugger.forget()
    running = kernel.send_execute(STOPS, subshell=subshell)
    thread: int = debugger.wait_event("stopped")["body"]["threadId"]
    return running, thread


def wait_still(debugger: JupyterDap) -> None:
    """Return when the cell that counts has stopped."""
    seen: list[str] = []
    while len(seen) < 5 or len(set(seen[-5:])) > 1:
        seen.append(debugger.do("evaluate", expression="count")["result"])
        assert len(seen) < 1000, "it does not stop"


def stopped_in(debugger: JupyterDap) -> list[int]:
    found: list[int] = debugger.do("debugInfo")["stoppedThreads"]
    return found


def assert_all_go_on(kernel: Wire, debugger: JupyterDap, thread: int, looping: str) -> None:
    """The client hears it of the thread that had stopped, and the cell that counts can end."""
    body = debugger.wait_event("continued")["body"]
    assert body == {"threadId": thread, "allThreadsContinued": True}
    kernel.execute("go.set()", subshell=kernel.create())
    assert kernel.wait(looping)[0].status == "ok"
    assert stopped_in(debugger) == []


@pytest.mark.parametrize("how", ["interrupt of main", "interrupt", "delete"])
def test_one_that_ends_leaves_the_stop_of_another(
    kernel: Wire, all_stop: JupyterDap, child: str, how: str
) -> None:
    other = None if how == "interrupt of main" else kernel.create()
    looping = kernel.begin(COUNTING, subshell=other)
    running, thread = stop(kernel, all_stop, child)
    wait_still(all_stop)
    if how == "delete":
        kernel.delete(str(other))
    else:
        kernel.control("interrupt_request", {} if other is None else {"subshell_id": other})
    assert kernel.wait(looping)[0].status == "error"
    assert stopped_in(all_stop) == [thread]
    assert all_stop.frames(thread)[0]["line"] == 2
    assert all_stop.events("continued") == []
    body = all_stop.do("continue", threadId=thread)
    assert body["allThreadsContinued"]
    assert kernel.wait(running)[0].status == "ok"
    assert stopped_in(all_stop) == []


def test_after_a_step_too(kernel: Wire, all_stop: JupyterDap, child: str) -> None:
    looping = kernel.begin(COUNTING)
    running, thread = stop(kernel, all_stop, child)
    all_stop.forget()
    all_stop.do("next", threadId=thread)
    all_stop.wait_event("stopped")
    wait_still(all_stop)
    kernel.control("interrupt_request")
    assert kernel.wait(looping)[0].status == "error"
    assert stopped_in(all_stop) == [thread]
    all_stop.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


@pytest.mark.parametrize("how", ["interrupt", "delete"])
def test_the_others_go_on_when_nothing_is_left_to_look_at(
    kernel: Wire, all_stop: JupyterDap, child: str, how: str
) -> None:
    looping = kernel.begin(COUNTING)
    running, thread = stop(kernel, all_stop, child)
    wait_still(all_stop)
    if how == "delete":
        kernel.delete(child)
    else:
        kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(running)[0].status == "error"
    assert_all_go_on(kernel, all_stop, thread, looping)


MAIN_FIRST = """
import threading
from ipyext_patches.targets.together import Together
goes_on, stopped = threading.Event(), Together._stopped
def main_first(self):
    if threading.current_thread().name.startswith('subshell'):
        Together._stopped = stopped
        goes_on.clear()
        goes_on.wait(20)
    return stopped(self)
"""


def test_another_is_the_first_to_go_on(kernel: Wire, all_stop: JupyterDap, child: str) -> None:
    """The event that tells it names the thread that had stopped."""
    kernel.execute(MAIN_FIRST)
    looping = kernel.begin(COUNTING + "; goes_on.set()")
    running, thread = stop(kernel, all_stop, child)
    wait_still(all_stop)
    all_stop.do("evaluate", expression="setattr(Together, '_stopped', main_first)")
    kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(running)[0].status == "error"
    assert_all_go_on(kernel, all_stop, thread, looping)


def test_one_in_native_code_does_not_stop_after_the_end(
    kernel: Wire, all_stop: JupyterDap, child: str
) -> None:
    kernel.execute("import os\nreading, writing = os.pipe()")
    native = kernel.begin("seen = os.read(reading, 1)\nlater = seen\nlater")
    running, _ = stop(kernel, all_stop, child)
    kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(running)[0].status == "error"
    all_stop.wait_event("continued")
    kernel.execute("os.write(writing, b'x')", subshell=child)
    assert kernel.wait(native)[0].result == "b'x'"


def test_two_that_have_stopped_by_themselves(
    kernel: Wire, all_stop: JupyterDap, child: str
) -> None:
    running, thread = stop(kernel, all_stop, child)
    second, main = stop(kernel, all_stop, None)
    assert stopped_in(all_stop) == [main, thread]
    kernel.control("interrupt_request")
    assert kernel.wait(second)[0].status == "error"
    body = all_stop.wait_event("continued")["body"]
    assert body == {"threadId": main, "allThreadsContinued": False}
    assert stopped_in(all_stop) == [thread]
    assert all_stop.frames(thread)[0]["line"] == 2
    all_stop.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


@pytest.mark.parametrize("line", ["%debugctl next", "%debugctl next\n%debugctl locals\nafter = 1"])
def test_who_asks_the_debugger_does_not_stop_with_the_others(
    kernel: Wire, all_stop: JupyterDap, child: str, line: str
) -> None:
    kernel.execute("%debugctl start")
    running, thread = stop(kernel, all_stop, child)
    for number in (3, 4):
        answer = kernel.execute(line)
        assert answer.status == "ok"
        assert f":{number} in <module>" in "\n".join([answer.text(), *answer.shown])
        assert stopped_in(all_stop) == [thread]
    answer = kernel.execute("%debugctl continue")
    assert answer.status == "ok"
    assert kernel.wait(running)[0].status == "ok"


def test_a_loop_that_prints_stops_with_the_others(
    kernel: Wire, all_stop: JupyterDap, child: str
) -> None:
    looping = kernel.begin(COUNTING + "\n    print(end='', flush=True)")
    for _ in range(10):  # the kernel's code may be where it is
        running, thread = stop(kernel, all_stop, child)
        wait_still(all_stop)
        all_stop.do("continue", threadId=thread)
        assert kernel.wait(running)[0].status == "ok"
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(looping)[0].status == "ok"


def test_those_that_stop_with_the_others_are_listed(
    kernel: Wire, all_stop: JupyterDap, child: str
) -> None:
    console = kernel.create("console")
    kernel.execute("%debugctl start", subshell=console)
    looping = kernel.begin(COUNTING)
    running, _ = stop(kernel, all_stop, child)
    wait_still(all_stop)
    listed = kernel.execute("%debugctl threads", subshell=console)
    (main,) = [line for line in "\n".join(listed.shown).splitlines() if " main " in line]
    assert main.endswith("with the others")
    status = kernel.execute("%debugctl status", subshell=console)
    assert "main (with the others)" in "\n".join(status.shown)
    gone = kernel.execute("%debugctl continue --all", subshell=console).text()
    assert "main goes on." in gone
    assert gone.count("goes on.") == 2
    assert kernel.wait(running)[0].status == "ok"
    kernel.execute("go.set()", subshell=console)
    assert kernel.wait(looping)[0].status == "ok"
    listed = kernel.execute("%debugctl threads", subshell=console)
    assert "with the others" not in "\n".join(listed.shown)
