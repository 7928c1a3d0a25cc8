"""What VS Code's Jupyter extension does to debug notebooks.

Written after its source, not recorded from it: VS Code itself is in no test here.
Source: microsoft/vscode-jupyter, src/notebooks/debugger.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conftest import LANE
from tests.dap import JupyterDap
from tests.kernel.hidden import hidden
from tests.wire import KernelProcess, Wire

Message = dict[str, Any]


class Notebook:
    """VS Code with a notebook open, on the control channel."""

    def __init__(self, kernel: Wire, *cells: str) -> None:
        self.kernel = kernel
        self.cells = cells
        self.dap = JupyterDap(kernel)
        self.paths: dict[str, str] = {}

    def attach(self, breakpoints: dict[str, list[int]]) -> None:
        """Up to where it runs the cell; `breakpoints` are lines by cell."""
        dap = self.dap
        capabilities = dap.do(
            "initialize",
            clientID="vscode",
            clientName="Visual Studio Code",
            adapterID="Python Kernel Debug Adapter",
            pathFormat="path",
            linesStartAt1=True,
            columnsStartAt1=True,
            supportsVariableType=True,
            supportsVariablePaging=True,
            supportsRunInTerminalRequest=True,
            locale="en",
        )
        dap.forget()
        for thread in dap.do("debugInfo")["stoppedThreads"]:
            dap.begin("continue", threadId=thread)  # whatever comes of it
        dap.do("attach", justMyCode=True, request="attach", name="cell")
        dap.wait_event("initialized")
        for cell, lines in breakpoints.items():
            self.dump(cell)
            found = dap.set_breakpoints(self.paths[cell], *lines)
            assert [one["verified"] for one in found] == [True] * len(lines)
        dap.do("setFunctionBreakpoints", breakpoints=[])
        filters = [one["filter"] for one in capabilities["exceptionBreakpointFilters"]]
        assert "uncaught" in filters
        dap.do("setExceptionBreakpoints", filters=["uncaught"], filterOptions=[])

    def configured(self) -> None:
        """The last steps of that, which need main."""
        set_up = hidden(self.kernel, "import debugpy\ndebugpy.debug_this_thread()")
        assert set_up.status == "ok"
        for cell in self.cells:
            self.dump(cell)
        self.dap.do("configurationDone")

    def dump(self, cell: str) -> None:
        self.paths[cell] = self.dap.cell(cell)

    def look(self) -> tuple[int, str, int]:
        """At the next stop: thread, path and line, as it fills its views."""
        thread = self.dap.wait_event("stopped")["body"]["threadId"]
        self.dap.forget()
        assert thread in self.dap.names().values()
        arguments = {"threadId": thread, "startFrame": 0, "levels": 1}
        top = self.dap.do("stackTrace", **arguments)["stackFrames"][0]
        self.dap.do("stackTrace", **{**arguments, "startFrame": 1, "levels": 19})
        for scope in self.dap.do("scopes", frameId=top["id"])["scopes"]:
            self.dap.do("variables", variablesReference=scope["variablesReference"])
        return thread, top["source"]["path"], top["line"]

    def disconnect(self) -> None:
        """As the cell goes idle; then it removes the files."""
        self.dap.do("disconnect", restart=False)
        files = list(self.paths.values())
        assert hidden(
            self.kernel,
            f"import os\nfor file in {files!r}:\n    try: os.remove(file)\n    except: pass",
        )


HELPER = "def double(n):\n    m = n * 2\n    return m"
CELL = "a = double(4)\nb = a + 1\nb"


@pytest.fixture
def notebook(kernel: Wire) -> Notebook:
    return Notebook(kernel, HELPER, CELL)


def test_the_version_is_what_it_looks_at_first(kernel: Wire) -> None:
    count = kernel.execute("1").content["execution_count"]
    answer = hidden(
        kernel, "import builtins\nimport ipykernel\nbuiltins.print(ipykernel.__version__)"
    )
    found = re.fullmatch(r"(\d+)\.\d+\.\d+", answer.text().strip())
    assert found is not None
    assert int(found[1]) == LANE  # it wants 6; of 5.5 it says so
    assert kernel.execute("1").content["execution_count"] == count + 1


def test_debug_a_cell_twice(kernel: Wire, notebook: Notebook) -> None:
    assert kernel.execute(HELPER).status == "ok"
    for _ in range(2):
        notebook.attach({HELPER: [3], CELL: [2]})
        notebook.configured()
        running = kernel.send_execute(CELL)
        thread, path, line = notebook.look()
        assert (path, line) == (notebook.paths[HELPER], 3)
        notebook.dap.do("continue", threadId=thread)
        thread, path, line = notebook.look()
        assert (path, line) == (notebook.paths[CELL], 2)
        notebook.dap.do("next", threadId=thread)
        assert notebook.look()[2] == 3
        notebook.dap.do("continue", threadId=thread)
        assert kernel.wait(running)[0].result == "9"
        notebook.disconnect()
        assert not notebook.dap.do("debugInfo")["isStarted"]
    assert kernel.execute(CELL).result == "9"


def test_run_by_line(kernel: Wire, notebook: Notebook) -> None:
    """It steps into the first line of the cell, and over the rest of them."""
    notebook.attach({})
    notebook.configured()
    code = "x = 1\ny = 2\nz = 3"
    notebook.dump(code)
    notebook.dap.set_breakpoints(notebook.paths[code], 1)
    running = kernel.send_execute(code)
    lines = []
    for _ in range(3):
        thread, path, line = notebook.look()
        assert path == notebook.paths[code]
        lines.append(line)
        notebook.dap.do("stepIn" if line < 3 else "continue", threadId=thread)
    assert lines == [1, 2, 3]
    assert kernel.wait(running)[0].status == "ok"
    notebook.disconnect()


def test_an_interrupt_disconnects_first(kernel: Wire, notebook: Notebook, child: str) -> None:
    code = "begun = True\nwhile True: pass"
    notebook.attach({code: [1]})
    notebook.configured()
    running = kernel.send_execute(code)
    notebook.look()
    leaving = notebook.dap.begin("disconnect", restart=False)
    kernel.control("interrupt_request")
    assert notebook.dap.end(leaving)["success"]
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert not notebook.dap.do("debugInfo")["isStarted"]


def test_it_leaves_stops_of_others_alone(
    process: KernelProcess, kernel: Wire, notebook: Notebook
) -> None:
    """Its first step is to continue all that is stopped, which it takes for its own leftovers."""
    lab = JupyterDap(process.client())
    lab.attach()
    code = "a = 1\nb = 2"
    lab.set_breakpoints(lab.cell(code), 2)
    running = kernel.send_execute(code)
    thread = lab.wait_event("stopped")["body"]["threadId"]
    notebook.attach({})
    assert notebook.look()[::2] == (thread, 2)
    assert lab.frames(thread)[0]["line"] == 2
    lab.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"
    notebook.configured()
    notebook.disconnect()
    assert lab.do("debugInfo")["isStarted"]
    lab.do("disconnect")


def test_it_dies_while_stopped(process: KernelProcess, kernel: Wire, notebook: Notebook) -> None:
    """Nobody takes over from VS Code, so nothing waits for that."""
    kernel.execute("import ipyext.extension as e; e.active().engine.debug.router.linger = 3600.0")
    window = process.client()
    lost = Notebook(window, CELL)
    code = "a = 1\nb = 2\nb"
    lost.attach({code: [2]})
    lost.configured()
    running = kernel.send_execute(code)
    lost.look()
    process.clients.remove(window)
    window.close()
    assert kernel.wait(running)[0].result == "2"
    notebook.attach({})
    notebook.configured()
    notebook.disconnect()


def test_a_stop_does_not_outlive_the_session(kernel: Wire, notebook: Notebook, child: str) -> None:
    """The worst that can happen: debugpy's connection breaks while main is stopped."""
    code = "a = 1\nb = 2\nb"
    notebook.attach({code: [2]})
    notebook.configured()
    running = kernel.send_execute(code)
    notebook.look()
    cut = """
import ipyext.extension as e
debug = e.active().engine.debug
debug.call(lambda: debug.router._backend._writer.transport.abort())
"""
    assert kernel.execute(cut, subshell=child).status == "ok"
    notebook.dap.wait_event("terminated")
    assert kernel.wait(running)[0].result == "2"
    notebook.attach({})
    assert kernel.execute(CELL.replace("double", "int")).result == "5"
    notebook.disconnect()
