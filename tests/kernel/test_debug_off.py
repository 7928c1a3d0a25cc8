"""The debugger comes and goes, and leaves nothing behind."""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import LANE
from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import KernelProcess, Wire

TRACES = """
import sys, threading
found = {}
def look(name):
    found[name] = sys.gettrace()
look("main")
t = threading.Thread(target=look, args=("new",)); t.start(); t.join()
tools = getattr(sys, "monitoring", None)
tool = tools and tools.get_tool(tools.DEBUGGER_ID)
names = sorted(t.name for t in threading.enumerate() if "pydevd" in t.name)
(found["main"], found["new"], threading.gettrace(), tool, names)
"""
NOTHING = "(None, None, None, None, [])"
CODE = "x = 1\nx = 2\nx = 3"


def stop_once(kernel: Wire, lab: JupyterDap, where: str | None = None) -> None:
    """One whole session with one stop."""
    lab.attach()
    lab.set_breakpoints(lab.cell(CODE), 2)
    lab.forget()
    running = kernel.send_execute(CODE, subshell=where)
    thread = lab.wait_event("stopped")["body"]["threadId"]
    lab.do("continue", threadId=thread)
    kernel.wait(running)
    lab.do("disconnect")


def until_off(kernel: Wire, where: str | None = None) -> None:
    """Wait until the debugger is off altogether."""
    answer = kernel.execute(
        "import threading, ipyext.extension as e\n"
        "from ipyext.debug.states import Debugger\n"
        "debug, off = e.active().engine.debug, threading.Event()\n"
        "router = debug.router\n"
        "def look():\n"
        "    if router.core.machine.state is Debugger.OFF: off.set()\n"
        "debug.in_router(lambda: router.on_change(look)); debug.call(look)\n"
        "assert off.wait(20)",
        subshell=where,
    )
    assert answer.status == "ok", answer.content


def test_nothing_is_traced_before(kernel: Wire, lab: JupyterDap) -> None:
    lab.do("debugInfo")
    lab.do("initialize", clientID="jupyterlab")
    assert kernel.execute(TRACES).result == NOTHING


def test_nothing_is_traced_after(kernel: Wire, lab: JupyterDap, child: str) -> None:
    for where in (None, child):
        stop_once(kernel, lab, where)
        until_off(kernel)
        assert kernel.execute(TRACES).result == NOTHING
        assert kernel.execute(TRACES, subshell=child).result == NOTHING


def test_its_threads_have_ended_when_it_is_off(kernel: Wire, lab: JupyterDap) -> None:
    lab.attach()
    watch = (
        "import threading, ipyext.extension as e\n"
        "from ipyext.debug.states import Debugger\n"
        "debug, off, left = e.active().engine.debug, threading.Event(), []\n"
        "router = debug.router\n"
        "def look():\n"
        "    if router.core.machine.state is Debugger.OFF and not off.is_set():\n"
        "        left.extend(t.name for t in threading.enumerate() if 'pydevd' in t.name)\n"
        "        off.set()\n"
        "debug.in_router(lambda: router.on_change(look))\n"
    )
    assert kernel.execute(watch).status == "ok"
    lab.do("disconnect")
    assert kernel.execute("off.wait(20), left").result == "(True, [])"


def test_a_running_loop_is_not_traced_after(kernel: Wire, lab: JupyterDap, child: str) -> None:
    # Loops that call nothing in Python, which would end their tracing for them.
    kernel.execute("import _thread, sys; left = []; traced = {}")
    loops = []
    for where in (None, child):
        code = (
            f"traced[{where!r}] = _thread.allocate_lock(); traced[{where!r}].acquire()\n"
            "while not left or sys.gettrace() is not None:\n"
            f"    if sys.gettrace() is not None and traced[{where!r}].locked():\n"
            f"        traced[{where!r}].release()"
        )
        loops.append(kernel.begin(code, subshell=where))
    other = kernel.create()
    lab.attach()
    lab.do("configurationDone")
    if sys.version_info < (3, 12):  # later ones do not trace by threads
        assert kernel.execute("[t.acquire() for t in traced.values()]", subshell=other).result
    lab.do("disconnect")
    until_off(kernel, other)
    kernel.execute("left.append(1)", subshell=other)
    kernel.wait(*loops)
    assert kernel.execute(TRACES, subshell=child).result == NOTHING
    assert kernel.execute(TRACES).result == NOTHING


@pytest.mark.skipif(LANE == 5, reason="ipykernel 5 has no debugger to give back")
def test_stock_debugger_after_unload(kernel: Wire, lab: JupyterDap) -> None:
    stop_once(kernel, lab)
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    assert kernel.execute(TRACES).result == NOTHING
    stock = JupyterDap(kernel)
    stock.check = lambda message: message
    stop_once(kernel, stock)
    kernel.execute("%load_ext ipyext")


@pytest.mark.skipif(LANE == 5, reason="ipykernel 5 has no debugger to take over")
def test_load_while_the_stock_debugger_is_on(stock: Wire) -> None:
    lab = JupyterDap(stock)
    lab.check = lambda message: message
    lab.attach()
    # Its tracing makes an import of many modules take seconds, more where others compute.
    (loaded,) = stock.wait(stock.send_execute("%load_ext ipyext"), timeout=100.0)
    assert loaded.status == "ok"
    assert not lab.do("debugInfo")["isStarted"]
    stop_once(stock, lab)


def test_leave_while_starting(kernel: Wire, lab: JupyterDap) -> None:
    for _ in range(5):
        lab.do("initialize", clientID="jupyterlab")
        attaching = lab.begin("attach")
        lab.do("disconnect")
        lab.end(attaching)
    until_off(kernel)
    assert kernel.execute(TRACES).result == NOTHING
    stop_once(kernel, lab)


def test_unload_while_starting(kernel: Wire, lab: JupyterDap) -> None:
    lab.do("initialize", clientID="jupyterlab")
    attaching = lab.begin("attach")
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    kernel.wait(attaching)  # a failure, or what the stock kernel says to that
    assert kernel.execute(TRACES).result == NOTHING


def test_no_port_is_open(kernel: Wire, lab: JupyterDap) -> None:
    ports = (
        "import psutil\n"
        "found = psutil.Process().net_connections()\n"
        "sorted(c.laddr.port for c in found if c.status == 'LISTEN')"
    )
    before = kernel.execute(ports).result
    lab.attach()
    assert kernel.execute(ports).result == before


def test_cells_are_private(kernel: Wire, lab: JupyterDap) -> None:
    path = lab.cell("secret = 1")
    found = kernel.execute(
        f"import os, stat; p = {path!r}\n"
        "[oct(stat.S_IMODE(os.stat(x).st_mode)) for x in (p, os.path.dirname(p))]"
    )
    assert found.result == "['0o600', '0o700']"
    kernel.execute("%unload_ext ipyext")
    assert kernel.execute("os.path.exists(p)").result == "False"


def test_threads_are_listed_as_before(kernel: Wire, lab: JupyterDap, child: str) -> None:
    code = "import threading; sorted(t.name for t in threading.enumerate())"
    kernel.execute("1", subshell=child)  # its history has a thread
    before = kernel.execute(code).result
    stop_once(kernel, lab, child)
    until_off(kernel)
    after = kernel.execute(code).result
    assert after is not None
    assert before is not None
    assert set(ast.literal_eval(after)) - {"Debug router"} == set(ast.literal_eval(before))


def test_it_says_nothing_by_itself(kernel: Wire, lab: JupyterDap, child: str) -> None:
    for where in (None, child):
        lab.attach()
        for code in ("x = 1\nprint(x)", "1 / 0", "%%time\nx = 2"):
            answer = kernel.execute(code, subshell=where)
            assert "sys.settrace" not in answer.text("stderr")
            assert "pydevd" not in answer.text("stderr").lower()
        lab.do("disconnect")
    assert not [m for m in kernel.stray_output() if "settrace" in str(m["content"])]


THREADS = "import threading; sorted(t.name for t in threading.enumerate())"
FILES = (
    "import os, ipyext_patches.cell_files as f\n"
    "sorted(os.listdir(f.folder())) if os.path.isdir(f.folder()) else None"
)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_stop_and_unload_leave_nothing(stock: Wire, process: KernelProcess) -> None:
    """No thread, no descriptor, no file."""
    folder = Path(f"/proc/{process.process.pid}/fd")

    def held() -> tuple[list[str], list[str]]:
        threads = ast.literal_eval(str(stock.execute(THREADS).result))
        open_ = []
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile: SQLite's journal
                open_.append(os.readlink(entry).split(":")[0])
        return threads, sorted(name for name in open_ if "profile_default" not in name)

    def more_than(expected: tuple[list[str], list[str]]) -> list[str]:
        """What is there beside that, and stays: ZeroMQ closes descriptors a moment later."""
        for _ in range(200):
            found = held()
            more = [*(Counter(found[0]) - Counter(expected[0])).elements()]
            more += (Counter(found[1]) - Counter(expected[1])).elements()
            if not more:
                break
        return more

    def debug() -> None:
        for line in ("%debugctl start", "%debugctl break some_function", "%debugctl listen"):
            assert stock.execute(line).status == "ok", line
        answer = stock.execute("import ipyext\nipyext.debugger().status().address")
        editor = TcpDap(*ast.literal_eval(str(answer.result)))
        editor.attach()
        running = stock.send_execute("breakpoint()\n1")
        thread = editor.event("stopped")["threadId"]
        editor.do("continue", threadId=thread)
        stock.wait(running)
        editor.do("disconnect")
        editor.close()
        for line in ("%debugctl unlisten", "%debugctl stop"):
            assert stock.execute(line).status == "ok", line

    # A kernel of the same number may have been killed, and have left its files.
    assert stock.execute(FILES + "; import shutil; shutil.rmtree(f.folder(), True)").status == "ok"
    at_first, files = held(), stock.execute(FILES).result
    assert stock.execute("%load_ext ipyext").status == "ok"
    loaded = held()
    debug()
    threads = sorted([*loaded[0], "Debug router"])
    stopped = next(found for found in (held() for _ in range(200)) if found[0] == threads)
    assert len(stopped[1]) <= len(loaded[1]) + 5  # its loop, and by what it publishes
    for _ in range(3):
        debug()
    assert more_than(stopped) == []
    assert stock.execute("%unload_ext ipyext").status == "ok"
    assert more_than(at_first) == []
    assert held()[0] == at_first[0]
    assert stock.execute(FILES).result == files
