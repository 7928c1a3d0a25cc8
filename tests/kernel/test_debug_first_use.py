"""G3 for the debugger's first use, which imports it: whoever asks waits for that, and nobody else.

Each in a process of its own, for a process imports it once.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.dap import JupyterDap
from tests.wire import KernelProcess, Wire

Start = Callable[..., KernelProcess]
LOADED = "import sys; 'ipyext.debug.client' in sys.modules"
# A module of the debugger takes long to be imported.
HANGS = """
import sys, threading
from importlib.machinery import PathFinder
inside, go = threading.Event(), threading.Event()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == 'ipyext.debug.parts':
            spec = PathFinder.find_spec(name, path)
            execute = spec.loader.exec_module
            def exec_module(module):
                inside.set(); go.wait(60)
                execute(module)
            spec.loader.exec_module = exec_module
            return spec
sys.meta_path.insert(0, Slow())
"""


@pytest.fixture
def fresh(start_kernel: Start) -> Wire:
    """A client of a kernel that was started with the extension."""
    return start_kernel("--ext=ipyext").client()


def test_a_kernel_that_is_not_debugged_does_not_import_the_debugger(fresh: Wire) -> None:
    child = fresh.create()
    code = "import ipyext; len(ipyext.subshells())"
    assert fresh.execute(code, subshell=child).result == "2"
    assert fresh.execute("%config IPyExt.debug_stop = 'all'").status == "ok"
    assert fresh.execute("%subshell list").status == "ok"
    assert fresh.control("interrupt_request") == {"status": "ok"}
    assert fresh.execute(LOADED).result == "False"
    assert fresh.execute("%debugctl config").text() == "stop=all\n"
    assert fresh.execute(LOADED).result == "True"
    JupyterDap(fresh).attach()
    fresh.check()


def test_control_goes_on_while_it_is_imported(fresh: Wire) -> None:
    """And the first requests are answered in their order."""
    assert fresh.execute(HANGS).status == "ok"
    child = fresh.create()
    debugger = JupyterDap(fresh)
    asked = [debugger.begin("debugInfo") for _ in range(3)]
    asked.append(debugger.begin("initialize", clientID="test", adapterID="debugpy"))
    asked.append(debugger.begin("attach"))
    assert fresh.execute("inside.wait(30)", subshell=child).result == "True"
    assert fresh.control("list_subshell_request")["subshell_id"] == [child]
    assert fresh.execute("1 + 1").result == "2"
    assert fresh.control("interrupt_request") == {"status": "ok"}
    assert not any(fresh.answers[one].replies for one in asked)
    fresh.execute("go.set()", subshell=child)
    responses = [debugger.end(one) for one in asked]
    assert all(one["success"] for one in responses)
    assert [one["request_seq"] for one in responses] == [1, 2, 3, 4, 5]
    assert debugger.do("threads")["threads"]
    fresh.check()


def test_an_interrupt_ends_the_wait_for_it(fresh: Wire) -> None:
    assert fresh.execute(HANGS).status == "ok"
    child, other = fresh.create(), fresh.create()
    assert fresh.execute("import ipyext; ipyext.debugger").status == "ok"
    cells = [fresh.send_execute("%debugctl status", subshell=where) for where in (None, child)]
    python = fresh.send_execute("ipyext.debugger().start()", subshell=other)
    helper = fresh.create()
    assert fresh.execute("inside.wait(30)", subshell=helper).result == "True"
    assert fresh.control("interrupt_request", {"subshell_id": other}) == {"status": "ok"}
    assert fresh.wait(python)[0].content["ename"] == "KeyboardInterrupt"
    assert fresh.control("interrupt_request") == {"status": "ok"}
    assert fresh.wait(cells[0])[0].content["ename"] == "KeyboardInterrupt"
    fresh.execute("go.set()", subshell=helper)
    assert fresh.wait(cells[1])[0].status == "ok"
    assert fresh.execute("%debugctl start").text() == "The debugger is on.\n"
    fresh.check()


@pytest.mark.parametrize("error", ["ImportError('no such luck')", "SystemExit('no such luck')"])
def test_a_debugger_that_cannot_be_imported(fresh: Wire, error: str) -> None:
    """As after an upgrade while the kernel runs. All else works, and so does unloading."""
    cannot = HANGS.replace("inside.set(); go.wait(60)", f"raise {error}")
    assert fresh.execute(cannot).status == "ok"
    debugger = JupyterDap(fresh)
    for _ in range(2):
        response = debugger.ask("debugInfo")
        assert not response["success"]
        for part in ("could not be loaded", "no such luck", "restart the kernel"):
            assert part in response["message"]
    answer = fresh.execute("%debugctl start")
    assert answer.content["ename"] == "UsageError"
    assert "no such luck" in answer.content["evalue"]
    assert not debugger.ask("attach")["success"]
    assert fresh.control("list_subshell_request") == {"status": "ok", "subshell_id": []}
    assert fresh.execute("%unload_ext ipyext").status == "ok"
    assert fresh.execute("del sys.meta_path[0]").status == "ok"
    assert fresh.execute("%load_ext ipyext").status == "ok"
    debugger.attach()
    fresh.check()


@pytest.mark.parametrize("unloader", ["main", "child"])
def test_unloaded_while_it_is_imported(fresh: Wire, unloader: str) -> None:
    """Nobody waits for the import: what was asked is refused."""
    assert fresh.execute(HANGS).status == "ok"
    child, other = fresh.create(), fresh.create()
    debugger = JupyterDap(fresh)
    asked = [debugger.begin(command) for command in ("debugInfo", "attach", "modules")]
    busy = fresh.send_execute("%debugctl start", subshell=None if unloader == "child" else other)
    assert fresh.execute("inside.wait(30)", subshell=child).result == "True"
    waiting = "engine.parent" if unloader == "child" else f"engine.registry.find({other!r})"
    code = (
        f"import ipyext.extension as e, time; engine = e.active().engine; shell = {waiting}\n"
        "while not shell._pauses: time.sleep(0.001)  # nothing tells of it\n"
        "del e, engine, shell"
    )
    assert fresh.execute(code, subshell=child).status == "ok"
    where = child if unloader == "child" else None
    assert fresh.execute("%unload_ext ipyext", subshell=where).status == "ok"
    responses = [debugger.end(one) for one in asked]
    assert [one["success"] for one in responses] == [False] * 3
    assert all("ipyext was unloaded" in one["message"] for one in responses)
    (answer,) = fresh.wait(busy)
    told = answer.content["evalue"]
    assert "ipyext was unloaded" in told or (unloader == "main" and "was deleted" in told)
    assert fresh.execute("go.set(); del sys.meta_path[0]").status == "ok"
    names = "[one.name for one in threading.enumerate() if one.name == 'Debug router']"
    assert fresh.execute(names).result == "[]"
    assert fresh.execute("%load_ext ipyext").status == "ok"
    debugger.attach()
    fresh.check()


@pytest.mark.parametrize("way", ["shutdown_request", "exit"])
def test_the_process_ends_while_it_is_imported(start_kernel: Start, way: str) -> None:
    process = start_kernel("--ext=ipyext")
    wire = process.client()
    assert wire.execute(HANGS).status == "ok"
    debugger = JupyterDap(wire)
    debugger.begin("debugInfo")
    assert wire.execute("inside.wait(30)").result == "True"
    if way == "exit":
        wire.send_execute("exit()")
    else:
        wire.send("shutdown_request", {"restart": False}, channel="control")
    assert process.gone_within(10)


def test_a_client_that_is_lost_while_it_is_imported(start_kernel: Start) -> None:
    """Its breakpoints go, and the debugger with it."""
    process = start_kernel("--ext=ipyext")
    wire, lost = process.client(), process.client()
    assert wire.execute(HANGS).status == "ok"
    debugger = JupyterDap(lost)
    debugger.begin("initialize", clientID="test", adapterID="debugpy")
    debugger.begin("attach")
    assert wire.execute("inside.wait(30)").result == "True"
    process.clients.remove(lost)
    lost.close()
    gone = (
        "import ipyext, ipyext.extension as e\n"
        "debug, gone = e.active().engine.debug, threading.Event()\n"
        "debug.router.linger = 0.0\n"
        "def look():\n"
        "    if not any(one.jupyter for one in debug.router.core.parties.values()): gone.set()\n"
        "debug.in_router(lambda: debug.router.on_change(look)); debug.call(look)\n"
        "gone.wait(20)"
    )
    child = wire.create()
    waiting = wire.send_execute(gone, subshell=child)
    wire.execute("go.set()")
    assert wire.wait(waiting)[0].result == "True"
    wire.check()


# The router's thread does something else until the extension is unloaded.
HELD = """
import ipyext, ipyext.extension as e, time
debug = e.active().engine.debug
def hold():
    while not debug._closed: time.sleep(0.001)  # nothing tells of it
"""
UNLOADED = "ipyext was unloaded"


@pytest.mark.parametrize(
    ("before", "code", "expected"),
    [
        ("debug.call(hold)", "%debugctl start", UNLOADED),
        ("debug.call(hold)", "import debugpy; debugpy.wait_for_client()", UNLOADED),
        ("pass", "import debugpy; debugpy.wait_for_client()", UNLOADED),
        ("d = ipyext.debugger(); d.start()", "d.wait_stopped()", "The debugger is off"),
    ],
)
def test_unloading_ends_waits(fresh: Wire, before: str, code: str, expected: str) -> None:
    """Whether what it waits for has begun or not; each is told."""
    assert fresh.execute(HELD + before).status == "ok"
    child = fresh.create()
    running = fresh.begin(code, stop_on_error=False)
    waiting = (
        "main = e.active().engine.parent\n"
        "while not main._pauses: time.sleep(0.001)  # nothing tells of it"
    )
    assert fresh.execute(waiting, subshell=child).status == "ok"
    assert fresh.execute("%unload_ext ipyext", subshell=child).status == "ok"
    assert expected in fresh.wait(running)[0].content["evalue"]
    assert fresh.execute("1 + 1").result == "2"


def test_completion_does_not_import_it(fresh: Wire) -> None:
    wanted = {"code": "%debugctl clear ", "cursor_pos": 16}
    assert fresh.request("complete_request", wanted).content["status"] == "ok"
    assert fresh.execute(LOADED).result == "False"
