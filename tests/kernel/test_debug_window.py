"""What VS Code's Jupyter extension does to debug cells of scripts in its Interactive Window.

Written after its source, not recorded from it: VS Code itself is in no test here.
Source: microsoft/vscode-jupyter, src/interactive-window (debugger, editor-integration).
"""

from __future__ import annotations

import hashlib
import re
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dap import JupyterDap
from tests.kernel.hidden import begin_hidden, hidden
from tests.tcp_dap import TcpDap
from tests.wire import KernelProcess, Wire

Message = dict[str, Any]


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
    window.script.write_text(
        "\n\nimport threading\ngo = threading.Event(); print('waits', flush=True)\ngo.wait()\n"
        "a = 1\na\n"
    )
    window.attach()
    child = kernel.create()
    running = window.debug(1, 7, stop=False, first_with_text=3)
    kernel.wait_for_text(running, "waits")
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
    lines = {"line": 1, "endLine": 1, "runtimeLine": 1}
    for maps, where in (
        (None, ""),
        ({}, ""),
        ([None], "[0]"),
        ([{"line": 1}], "[0].endLine"),
        ([{**lines, "runtimeSource": {"path": 2}}], "[0].runtimeSource.path"),
    ):
        asked = window.dap.begin(
            "setPydevdSourceMap", source={"path": "x.py"}, pydevdSourceMaps=maps
        )
        response = window.dap.end(asked)
        assert not response["success"]
        assert f"pydevdSourceMaps{where} has to be" in response["message"]
