"""Breakpoints that nothing can come by say so, and those that have moved say where to."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import Wire

SETUP = """\
import pathlib, sys
pathlib.Path('late.py').write_text('# a comment\\n\\nx = 1\\n\\ny = 2\\n')
pathlib.Path('table.txt').write_text('one: two: three\\n')
pathlib.Path('elsewhere').mkdir(exist_ok=True)
pathlib.Path('elsewhere/found.py').write_text('def find():\\n    return 1\\n')
sys.path.append(str(pathlib.Path('elsewhere').resolve()))
str(pathlib.Path().resolve())
"""


@pytest.fixture
def folder(kernel: Wire) -> str:
    """Where the kernel and the files are."""
    found: str = kernel.execute(SETUP).result.strip("'")  # type: ignore[union-attr]
    return found


def shown(kernel: Wire, line: str) -> str:
    answer = kernel.execute(f"%debugctl {line}")
    assert answer.status == "ok", answer.content
    return "\n".join([answer.text(), *answer.shown])


def test_by_magic(kernel: Wire, folder: str) -> None:
    shown(kernel, "start")
    for place, why in {
        "/etc/passwd:1": "/etc/passwd is no Python file.",
        "table.txt:1": f"{folder}/table.txt is no Python file.",
        "late.py:2": "No code is at line 2 or before it.",
    }.items():
        said = shown(kernel, f"break {place}")
        assert f"It cannot be hit. {why}" in said
        assert why in shown(kernel, "breakpoints")
        assert "active" not in shown(kernel, "breakpoints")
        shown(kernel, "clear --all")
    assert shown(kernel, "break late.py:3").endswith(f"at {folder}/late.py:3.\n")
    moved = f"At {folder}/late.py:5, the last code before that line."
    assert moved in shown(kernel, "break late.py:99")
    assert moved in shown(kernel, "breakpoints")
    missing = kernel.execute("%debugctl break nosuch.py:1")
    assert "There is no file" in missing.text("stderr") + str(missing.content.get("evalue"))
    assert "nosuch" not in shown(kernel, "breakpoints")
    shown(kernel, "stop")


def test_a_file_that_can_be_imported(kernel: Wire, folder: str) -> None:
    """And is not yet."""
    shown(kernel, "start")
    assert f"{folder}/elsewhere/found.py:2" in shown(kernel, "break found.py:2")
    running = kernel.send_execute("import found\nfound.find()")
    stop = "import ipyext\nipyext.debugger().wait_stopped(30).frames[0].function"
    assert kernel.execute(stop, subshell=kernel.create()).result == "'find'"
    stopped = kernel.execute("%debugctl stop", subshell=kernel.shells()[0])
    assert stopped.status == "ok"
    assert kernel.wait(running)[0].result == "1"


def test_by_clients(debugger: JupyterDap, editor: TcpDap, folder: str) -> None:
    cell = debugger.cell("# a comment\nx = 1")
    window = "<ipython-input-1-0123456789ab>"
    for path, line, part in (
        (cell, 1, "No code is at line 1"),
        (cell, 2, None),
        (f"{folder}/late.py", 1, "No code is at line 1"),
        (f"{folder}/nosuch.py", 1, "does not exist"),
        (folder, 1, "is no file"),
        ("/etc/passwd", 1, "is no Python file"),
        (window, 1, None),
    ):
        (found,) = debugger.set_breakpoints(path, line)
        assert found["verified"] == (part is None), path
        assert found["line"] == line
        assert (part or "") in found.get("message", "")
    editor.do("initialize", clientID="vscode", adapterID="debugpy")
    mapping = {"localRoot": "/mine", "remoteRoot": folder}
    editor.do("attach", pathMappings=[mapping])
    for name, verified in (("late.py", True), ("nosuch.py", False)):
        wanted = {"source": {"path": f"/mine/{name}"}, "breakpoints": [{"line": 3}]}
        (found,) = editor.do("setBreakpoints", **wanted)["breakpoints"]
        assert found["verified"] == verified
        assert found["source"]["path"] == f"/mine/{name}"
