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
CANNOT = HANGS.replace("inside.set(); go.wait(60)", "raise ImportError('no such luck')")


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


def test_a_debugger_that_cannot_be_imported(fresh: Wire) -> None:
    """As after an upgrade while the kernel runs. All else works, and so does unloading."""
    assert fresh.execute(CANNOT).status == "ok"
    debugger = JupyterDap(fresh)
    for _ in range(2):
        response = debugger.ask("debugInfo")
        assert not response["success"]
        for part in ("could not be loaded: ImportError: no such luck", "restart the kernel"):
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
