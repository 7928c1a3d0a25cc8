"""What VS Code's Jupyter extension does to debug notebooks and its Interactive Window.

Written after its source, not recorded from it: VS Code itself is in no test here.
Sources: microsoft/vscode-jupyter, src/notebooks/debugger and src/interactive-window (debugger,
editor-integration); protocol of its hidden cells: src/kernels/helpers.ts, executeSilently.
"""

from __future__ import annotations

import hashlib
import re
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LANE
from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import Answer, KernelProcess, Wire

Message = dict[str, Any]


def hidden(kernel: Wire, code: str) -> Answer:
    """A cell that nobody sees."""
    return kernel.wait(begin_hidden(kernel, code))[0]


def begin_hidden(kernel: Wire, code: str) -> str:
    return kernel.send_execute(code, stop_on_error=False, allow_stdin=True, store_history=False)


# -- notebooks -------------------------------------------------------------------------------------


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
    kernel.execute("import ipyext.extension as e; e.active().engine.debug.linger = 3600.0")
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
router = e.active().engine.debug
router.call(lambda: router._backend._writer.transport.abort())
"""
    assert kernel.execute(cut, subshell=child).status == "ok"
    notebook.dap.wait_event("terminated")
    assert kernel.wait(running)[0].result == "2"
    notebook.attach({})
    assert kernel.execute(CELL.replace("double", "int")).result == "5"
    notebook.disconnect()


# -- the Interactive Window ------------------------------------------------------------------------

# In the end it has IPython compile each cell under a name that it can foretell.
HOOK = """
import hashlib, os, types
def _wrap(bound):
    function = bound.__func__
    def run_cell(*args, **kwargs):
        if not kwargs.get("store_history"):
            return function(*args, **kwargs)
        digest = hashlib.sha1(args[1].encode("utf-8")).hexdigest()[:12]
        os.environ["IPYKERNEL_CELL_NAME"] = f"<ipython-input-{args[0].execution_count}-{digest}>"
        try:
            return function(*args, **kwargs)
        finally:
            del os.environ["IPYKERNEL_CELL_NAME"]
    return types.MethodType(run_cell, bound.__self__)
get_ipython().run_cell = _wrap(get_ipython().run_cell)
"""
SCRIPT = """\
# A script with cells.
import math

# %%
def area(radius):
    square = radius * radius
    return math.floor(3 * square)

# %%
total = 0
for radius in range(3):
    total += area(radius)
total
"""


class Window:
    """VS Code with an Interactive Window that runs cells of a script.

    Attributes:
        dap: its connection.
        count: the number of its next cell, without those.
        others: how many cells others have run.
    """

    def __init__(self, kernel: Wire, script: Path) -> None:
        self.kernel = kernel
        self.script = script
        self._maps: list[Message] = []
        self.others = 0
        assert hidden(kernel, HOOK).status == "ok"
        self.count = kernel.execute("import math").content["execution_count"] + 1
        self.listen()

    def listen(self) -> None:
        """Connect anew."""
        listening = hidden(self.kernel, "import debugpy;debugpy.listen(('localhost', 0))")
        found = re.search(r"\('(.*?)', ([0-9]*)\)", str(listening.result))
        assert found is not None, listening.iopub
        self.dap = TcpDap(found[1], int(found[2]))

    def attach(self, *lines: int) -> None:
        """Up to where it debugs cells, with breakpoints in the script."""
        waiting = begin_hidden(self.kernel, "import debugpy;debugpy.wait_for_client()")
        self.dap.do("initialize", clientID="vscode", adapterID="python", pathFormat="path")
        self.dap.do("attach", justMyCode=True, type="python", name="IPython", request="attach")
        self.dap.event("initialized")
        self.set_breakpoints(*lines)
        self.dap.do("setFunctionBreakpoints", breakpoints=[])
        self.dap.do("setExceptionBreakpoints", filters=["uncaught"])
        self.dap.do("configurationDone")
        assert self.kernel.wait(waiting)[0].status == "ok"
        self.trace(False)

    def set_breakpoints(self, *lines: int) -> None:
        wanted = [{"line": line} for line in lines]
        source = {"path": str(self.script), "name": self.script.name}
        self.dap.do("setBreakpoints", source=source, breakpoints=wanted, lines=list(lines))

    def trace(self, on: bool) -> None:
        code = f"from debugpy import trace_this_thread;trace_this_thread({on})"
        answer = hidden(self.kernel, code)
        assert answer.status == "ok", answer.content

    def debug(
        self, first: int, last: int, *, stop: bool, first_with_text: int | None = None
    ) -> str:
        """Run lines of the script, from a cell marker on; with `stop`, stop in the first one."""
        code = "".join(self.script.read_text().splitlines(keepends=True)[first - 1 : last])
        if stop:
            code = "breakpoint()\n" + code
        digest = hashlib.sha1(code.encode()).hexdigest()[:12]
        self._maps.append(
            {
                "line": first_with_text or first,
                "endLine": last,
                "runtimeSource": {"path": f"<ipython-input-{self.count + self.others}-{digest}>"},
                "runtimeLine": 2 if stop else 1,
            }
        )
        self.count += 1
        self.trace(True)
        source = {"path": str(self.script)}
        self.dap.do("setPydevdSourceMap", source=source, pydevdSourceMaps=self._maps)
        return self.kernel.send_execute(code)

    def look(self, count: int) -> tuple[int, str, int]:
        """At the `count`-th stop: thread, file and line."""
        thread = self.dap.event("stopped", count)["threadId"]
        top = self.dap.do("stackTrace", threadId=thread)["stackFrames"][0]
        return thread, top["source"]["path"], top["line"]


@pytest.fixture
def window(kernel: Wire, tmp_path: Path) -> Iterator[Window]:
    """It has debugged nothing yet."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    opened = Window(kernel, script)
    yield opened
    opened.dap.close()
    # The hook of VS Code stays as long as the kernel; other tests use this one, too.
    assert hidden(kernel, "get_ipython().__dict__.pop('run_cell', None)").status == "ok"


def test_debug_cells_of_a_script(process: KernelProcess, kernel: Wire, window: Window) -> None:
    logged = process.log.stat().st_size
    window.attach(6, 12)
    file = str(window.script)
    defining = window.debug(4, 8, stop=True)
    thread, path, line = window.look(1)
    assert (path, line) == (file, 5)  # the first line of the cell is a comment
    window.dap.do("continue", threadId=thread)
    assert kernel.wait(defining)[0].status == "ok"
    window.trace(False)

    running = window.debug(9, 13, stop=False)
    for count, expected in enumerate((12, 6, 12, 6, 12, 6), 2):
        thread, path, line = window.look(count)
        assert (path, line) == (file, expected)
        window.dap.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "15"
    window.trace(False)
    window.dap.do("disconnect", restart=False)
    assert kernel.execute("area(2)").result == "12"
    assert b"[ipyext" not in process.log.read_bytes()[logged:]


def test_no_cell_marker_but_blank_lines(kernel: Wire, window: Window) -> None:
    """Such a selection is mapped from its first line with text on."""
    window.script.write_text("import math\n\n\na = 1\nb = 2\n")
    window.attach(5)
    running = window.debug(2, 5, stop=False, first_with_text=4)
    thread, path, line = window.look(1)
    assert (path, line) == (str(window.script), 5)
    window.dap.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_a_notebook_beside_it(process: KernelProcess, kernel: Wire, window: Window) -> None:
    """Neither its tracing nor its names are a matter of others; both go when it leaves."""
    window.attach()
    assert kernel.wait(window.debug(4, 8, stop=False))[0].status == "ok"
    window.trace(False)
    lab = JupyterDap(process.client())
    lab.attach()
    lab.do("setFunctionBreakpoints", breakpoints=[{"name": "area"}])

    def stop() -> Message:
        lab.forget()
        running = kernel.send_execute("area(3)")
        thread = lab.wait_event("stopped")["body"]["threadId"]
        top = lab.frames(thread)[0]
        top["text"] = lab.do("source", source=top["source"])["content"]
        lab.do("continue", threadId=thread)
        assert kernel.wait(running)[0].status == "ok"
        return top

    assert stop()["source"]["path"] == str(window.script)
    window.dap.do("disconnect", restart=False)
    top = stop()
    assert top["source"]["path"].startswith("<ipython-input-")
    assert "square = radius * radius" in top["text"]
    lab.do("disconnect")


@pytest.mark.parametrize("loaded", ["before", "after"])
def test_breakpoints_of_a_notebook_beside_it(
    process: KernelProcess, kernel: Wire, window: Window, loaded: str
) -> None:
    """Its names are for its own cells: those of others are found by their paths."""
    if loaded == "after":
        window.dap.close()
        for line in ("%unload_ext ipyext", "%load_ext ipyext"):
            assert hidden(kernel, line).status == "ok"
        window.listen()
    window.attach(12)
    other = process.client()
    lab = JupyterDap(other)
    lab.attach()
    code = "\na = 1\nb = a + 1\nb"
    path = lab.cell(code)
    lab.set_breakpoints(path, 3)
    child = kernel.create()

    def stop(subshell: str | None = None) -> None:
        lab.forget()
        running = other.send_execute(code, subshell=subshell)
        thread = lab.wait_event("stopped")["body"]["threadId"]
        top = lab.frames(thread)[0]
        assert (top["source"]["path"], top["line"]) == (path, 3)
        lab.do("continue", threadId=thread)
        assert other.wait(running)[0].result == "2"

    stop()
    window.others += 1  # it reckons with the number of its next cell
    defining = window.debug(4, 8, stop=False)
    assert kernel.wait(defining)[0].status == "ok"
    lab.forget()
    running = window.debug(9, 13, stop=False)
    thread, found, line = window.look(2)
    assert lab.wait_event("stopped")["body"]["threadId"] == thread
    assert (found, line) == (str(window.script), 12)
    stop(child)  # while a cell of the Window has the process's names
    window.set_breakpoints()
    window.dap.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "15"
    stop()
    lab.do("disconnect")


def test_breakpoints_of_debugctl_in_its_cells(kernel: Wire, window: Window) -> None:
    """They have no files, and are called In[N] all the same, with the lines that a person sees."""
    window.script.write_text("\n\nimport threading\ngo = threading.Event()\ngo.wait()\na = 1\na\n")
    window.attach()
    child = kernel.create()
    running = window.debug(1, 7, stop=False, first_with_text=3)
    kernel.execute("%debugctl start", subshell=child)
    assert kernel.execute("import ipyext; d = ipyext.debugger()", subshell=child).status == "ok"
    number = window.count - 1
    own = kernel.execute(
        f"d.set_breakpoint('In[{number}]:6'); go.set(); stop = d.wait_stopped()\n"
        "top = stop.frames[0]; d.breakpoints()[0].place, top.cell, top.file, top.line, top.source",
        subshell=child,
    )
    assert own.result is not None, own.content
    assert literal_eval(own.result) == (f"In[{number}]:6", None, str(window.script), 6, "a = 1")
    kernel.execute("d.clear(); d.resume(); d.stop()", subshell=child)
    assert kernel.wait(running)[0].result == "1"
    window.dap.do("disconnect", restart=False)


def test_what_it_calls_while_nobody_debugs(kernel: Wire, window: Window) -> None:
    window.trace(True)
    window.trace(False)
    assert hidden(kernel, "import debugpy;debugpy.is_client_connected()").result == "False"


def test_source_maps_that_are_none(window: Window) -> None:
    window.attach()
    for maps in (None, {}, [None], [{"line": 1}], [{"line": 1, "runtimeSource": {"path": 2}}]):
        asked = window.dap.begin(
            "setPydevdSourceMap", source={"path": "x.py"}, pydevdSourceMaps=maps
        )
        response = window.dap.end(asked)
        assert not response["success"]
        assert "pydevdSourceMaps has to be" in response["message"]
