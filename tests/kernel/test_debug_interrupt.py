"""Interrupt, delete, shutdown and unload while the debugger has stopped a shell."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

import pytest

from tests.dap import JupyterDap
from tests.wire import KernelProcess, Wire

CODE = """\
caught = None
x = 1
y = 2
z = 3
"""


def stop_in(kernel: Wire, debugger: JupyterDap, subshell: str | None, code: str = CODE) -> str:
    """Run a cell that stops in line 3; returns its message id."""
    debugger.set_breakpoints(debugger.cell(code), 3)
    debugger.forget()
    running = kernel.send_execute(code, subshell=subshell)
    debugger.wait_event("stopped")
    return running


def test_interrupt_raises_in_the_cell(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    running = stop_in(kernel, debugger, where)
    assert kernel.control("interrupt_request")["status"] == "ok"
    (answer,) = kernel.wait(running)
    assert (answer.status, answer.content["ename"]) == ("error", "KeyboardInterrupt")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(answer.content["traceback"]))
    assert "3 y = 2" in shown
    assert "pydevd" not in shown
    debugger.wait_event("continued")
    # Later cells of that shell stop again.
    running = stop_in(kernel, debugger, where)
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_interrupt_that_the_cell_catches(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    code = "try:\n    x = 1\n    y = 2\nexcept KeyboardInterrupt:\n    y = 'caught'\ny"
    running = stop_in(kernel, debugger, where, code)
    kernel.control("interrupt_request")
    assert kernel.wait(running)[0].result == "'caught'"


def test_sigint_while_main_is_stopped(process: KernelProcess, kernel: Wire) -> None:
    debugger = JupyterDap(kernel)
    debugger.attach()
    running = stop_in(kernel, debugger, None)
    process.signal(signal.SIGINT)
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_delete_of_a_stopped_child(kernel: Wire, debugger: JupyterDap) -> None:
    child = kernel.create()
    running = stop_in(kernel, debugger, child)
    assert kernel.delete(child)["status"] == "ok"
    assert kernel.wait(running)[0].status == "error"
    assert debugger.do("threads")["threads"]
    assert kernel.execute("1 + 1").result == "2"


def test_async_cell(kernel: Wire, debugger: JupyterDap, where: str | None) -> None:
    code = "import asyncio\nawait asyncio.sleep(0)\ny = 2\nawait asyncio.sleep(0)\ny"
    running = stop_in(kernel, debugger, where, code)
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    assert debugger.frames(thread)[0]["line"] == 3
    kernel.control("interrupt_request")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


AWAITS = """\
import asyncio, threading
begun, cleaned = threading.Event(), []
async def nap():
    asyncio.get_running_loop().call_soon(begun.set)
    await asyncio.sleep(100)
try:
    await nap()
finally:
    await asyncio.sleep(0)
    cleaned.append(True)
"""


@pytest.mark.parametrize("command", ["next", "stepOut", "pause"])
def test_interrupt_of_a_step_over_an_await(
    kernel: Wire, debugger: JupyterDap, where: str | None, command: str
) -> None:
    """The cell ends, and does not stop where it awaited, nor in what it still does."""
    other = kernel.create()
    path = debugger.cell(AWAITS)
    debugger.set_breakpoints(path, 7)
    debugger.forget()
    running = kernel.send_execute(AWAITS, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    debugger.set_breakpoints(path)
    debugger.do("continue" if command == "pause" else command, threadId=thread)
    assert kernel.execute("begun.wait(20)", subshell=other).result == "True"
    if command == "pause":
        debugger.do("pause", threadId=thread)
    debugger.forget()
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert debugger.events("stopped") == []
    assert kernel.execute("cleaned", subshell=where).result == "[True]"
    running = stop_in(kernel, debugger, where)  # it is debugged as before
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_interrupt_of_a_join_of_a_stopped_thread(kernel: Wire, debugger: JupyterDap) -> None:
    """The thread has not ended by that, and is debugged as before."""
    code = (
        "import threading\n"
        "def work():\n"
        "    x = 1\n"
        "    done.append(x)\n"
        "done = []\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "thread.join()"
    )
    running = stop_in(kernel, debugger, None, code)
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    joins = (
        "import sys, threading, time\n"
        "def main_joins():\n"
        "    frame = sys._current_frames()[threading.main_thread().ident]\n"
        "    return 'join' in (frame.f_code.co_name, frame.f_back.f_code.co_name)\n"
        "while not main_joins(): time.sleep(0.01)"
    )
    assert kernel.execute(joins, subshell=kernel.create()).status == "ok"
    kernel.control("interrupt_request")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("thread.is_alive()").result == "True"
    assert thread in debugger.names().values()
    assert debugger.frames(thread)[0]["line"] == 3
    debugger.do("continue", threadId=thread)
    assert kernel.execute("thread.join(20); done").result == "[1]"
    assert kernel.execute("thread.is_alive()").result == "False"


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
def test_shutdown_while_stopped(start_kernel: Callable[..., KernelProcess], restart: bool) -> None:
    process = start_kernel()
    kernel = process.client()
    kernel.execute("%load_ext ipyext")
    debugger = JupyterDap(kernel)
    debugger.attach()
    stop_in(kernel, debugger, None)
    stop_in(kernel, debugger, kernel.create())
    assert kernel.control("shutdown_request", {"restart": restart})["status"] == "ok"
    assert process.gone_within(2.0)


def test_shutdown_while_a_thread_of_a_cell_is_stopped(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    """Python waits for the thread, which nobody can let go on any more."""
    process = start_kernel()
    kernel = process.client()
    kernel.execute("%load_ext ipyext")
    debugger = JupyterDap(kernel)
    debugger.attach()
    code = "import threading\ndef work():\n    x = 1\nthreading.Thread(target=work).start()"
    kernel.wait(stop_in(kernel, debugger, None, code))
    assert kernel.control("shutdown_request", {"restart": False})["status"] == "ok"
    assert process.gone_within(4.0)


def test_unload_while_a_child_is_stopped(kernel: Wire, debugger: JupyterDap) -> None:
    running = stop_in(kernel, debugger, kernel.create())
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    kernel.wait(running)
    found = kernel.execute(
        "import sys, threading; (sys.gettrace(), [t.name for t in threading.enumerate() "
        "if 'pydevd' in t.name or 'Debug' in t.name])"
    )
    assert found.result == "(None, [])"


@pytest.mark.parametrize("what", ["spin()", "nap()", "input('?')"])
def test_interrupt_of_an_evaluation(
    kernel: Wire, debugger: JupyterDap, where: str | None, what: str
) -> None:
    kernel.execute(
        "import time\n"
        "def spin():\n"
        "    print('begun', flush=True)\n"
        "    while True: pass\n"
        "def nap():\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(100)\n"
    )
    debugger.set_breakpoints(debugger.cell(CODE), 3)
    debugger.forget()
    running = kernel.send_execute(CODE, subshell=where, allow_stdin=True)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    frame = debugger.frames(thread)[0]["id"]
    evaluating = debugger.begin("evaluate", expression=what, frameId=frame, context="watch")
    if what.startswith("input"):
        kernel.wait_for_input()
    else:
        kernel.wait_for_text(running, "begun")
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    assert not debugger.end(evaluating)["success"]
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("1 + 1", subshell=where).result == "2"


def test_interrupt_of_a_loop_that_logs(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    code = "i = 0\nwhile True:\n    i += 1"
    path = debugger.cell(code)
    debugger.set_breakpoints(path, {"line": 3, "logMessage": "{i}"})
    debugger.forget()
    running = kernel.send_execute(code, subshell=where)
    debugger.wait_event("output")
    assert kernel.control("interrupt_request")["status"] == "ok"
    (answer,) = kernel.wait(running)
    assert (answer.status, answer.content["ename"]) == ("error", "KeyboardInterrupt")
    shown = "\n".join(answer.content["traceback"])
    assert "pydevd" not in shown
    assert "hits.py" not in shown
    # Each message came, in order, and that shell is debugged as before.
    reached = int(str(kernel.execute("i").result))  # may be logged already when it is interrupted
    kernel.until(lambda: len(debugger.said().split()) >= reached, what="the messages")
    said = debugger.said().split()
    assert said == [str(number) for number in range(len(said))]
    assert len(said) - reached in (0, 1)
    running = stop_in(kernel, debugger, where)
    kernel.control("interrupt_request")
    kernel.wait(running)


def test_interrupt_of_reprs_that_loop(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    code = "a = [Endless()]\nb = Endless()\nc = 1\nd = 2"
    kernel.execute(
        "import threading; begun = threading.Event()\n"
        "class Endless:\n"
        "    def __repr__(self):\n"
        "        begun.set()\n"
        "        while True: pass\n"
    )
    running = stop_in(kernel, debugger, where, code)
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    frame = debugger.frames(thread)[0]["id"]
    scope = debugger.do("scopes", frameId=frame)["scopes"][0]["variablesReference"]
    asked = [debugger.begin("variables", variablesReference=scope)]
    asked += [
        debugger.begin("evaluate", expression=name, frameId=frame, context="watch")
        for name in ("a", "b", "c")
    ]
    other = kernel.create()
    assert kernel.execute("begun.wait()", subshell=other).result == "True"
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    for one in asked:
        debugger.end(one)  # each has an answer
    assert kernel.execute("1 + 1", subshell=where).result == "2"


@pytest.mark.parametrize("error", ["SystemExit(3)", "BaseException()"])
def test_an_evaluation_that_ends_with(
    kernel: Wire, debugger: JupyterDap, where: str | None, error: str
) -> None:
    kernel.execute("def end(error): raise error")
    running = stop_in(kernel, debugger, where)
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    frame = debugger.frames(thread)[0]["id"]
    for context in ("repl", "watch", "hover", "clipboard"):
        answer = debugger.ask(
            "evaluate", expression=f"end({error})", frameId=frame, context=context
        )
        assert not answer["success"]
        assert error.split("(")[0] in answer["message"]
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_interrupt_right_after_continue(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    # Anywhere on its way from one stop to the next, which then does not come.
    code = "def add(n):\n    for i in range(n): pass\nwhile True:\n    add(5)\n    add(6)"
    path = debugger.cell(code)
    for _ in range(10):
        debugger.set_breakpoints(path, 5)
        debugger.forget()
        running = kernel.send_execute(code, subshell=where)
        thread = debugger.wait_event("stopped")["body"]["threadId"]
        debugger.begin("continue", threadId=thread)
        kernel.control("interrupt_request", {"subshell_id": where} if where else {})
        assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
        debugger.set_breakpoints(path)
        debugger.forget()
        assert kernel.execute("1 + 1", subshell=where).result == "2"
        assert not debugger.events("stopped")


SLOW = """
import threading, ipyext.extension as e
inside, on = threading.Event(), threading.Event()
writer = e.active().engine.debug.router.debugpy._py_db.writer
class Slow:
    def __init__(self, queue): self.queue = queue
    def __getattr__(self, name): return getattr(self.queue, name)
    def put(self, message, *rest):
        if message.as_dict.get("event") == "stopped":
            inside.set()
            on.wait(20)
        self.queue.put(message, *rest)
writer._cmd_queue = Slow(writer._cmd_queue)
"""


def test_an_interrupt_waits_until_the_debugger_has_said_something(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    """Also where nothing has stopped; debugpy says some things in the middle of code."""
    assert kernel.execute(SLOW.replace("stopped", "output")).status == "ok"
    other = kernel.create()
    debugger.forget()
    running = kernel.send_execute(
        "commands = e.active().engine.debug.router.debugpy._py_db.cmd_factory\n"
        "writer.add_command(commands.make_console_message('said'))",
        subshell=where,
    )
    assert kernel.execute("inside.wait(20)", subshell=other).result == "True"
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    kernel.execute("on.set()", subshell=other)
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    kernel.until(lambda: "said" in debugger.said(), what="the message")
    running = stop_in(kernel, debugger, where)  # it is debugged as before
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_an_interrupt_loses_no_message_of_the_debugger(
    kernel: Wire, debugger: JupyterDap, where: str | None
) -> None:
    """It comes while the debugger, in the thread that it looks at, has something to say."""
    assert kernel.execute(SLOW).status == "ok"
    other = kernel.create()
    debugger.set_breakpoints(debugger.cell(CODE), 3)
    debugger.forget()
    running = kernel.send_execute(CODE, subshell=where)
    assert kernel.execute("inside.wait(20)", subshell=other).result == "True"
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    kernel.execute("on.set()", subshell=other)
    (answer,) = kernel.wait(running)
    assert answer.content["ename"] == "KeyboardInterrupt"
    debugger.wait_event("stopped")
    debugger.wait_event("continued")
    running = stop_in(kernel, debugger, where)  # it is debugged as before
    thread = debugger.events("stopped")[-1]["body"]["threadId"]
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


LOCKED = """
import threading, time
print("waits")
lock.acquire()
while True:
    time.sleep(0)
"""


def test_interrupt_of_what_waits_for_a_lock(kernel: Wire, debugger: JupyterDap, child: str) -> None:
    """It arrives when the lock is there. Until then all others go on, traced as they are."""
    kernel.execute("import threading; lock = threading.Lock(); lock.acquire()")
    running = kernel.send_execute(LOCKED, subshell=child)
    kernel.wait_for_text(running, "waits")
    kernel.control("interrupt_request", {"subshell_id": child})
    other = kernel.create()
    for where in (None, other):
        assert kernel.execute("def f(): return 'goes on'\nf()", subshell=where).result
    assert debugger.do("debugInfo")["isStarted"]
    kernel.execute("lock.release()")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_delete_of_what_waits_for_a_lock(kernel: Wire, debugger: JupyterDap, child: str) -> None:
    kernel.execute("import threading; lock = threading.Lock(); lock.acquire()")
    running = kernel.send_execute(LOCKED, subshell=child)
    kernel.wait_for_text(running, "waits")
    kernel.delete(child)
    assert kernel.execute("def f(): return 'goes on'\nf()", subshell=kernel.create()).result
    assert debugger.do("debugInfo")["isStarted"]
    kernel.execute("lock.release()")
