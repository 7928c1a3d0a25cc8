"""Breakpoints in modules that cells import, and clients that know files by other paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import Wire

Message = dict[str, Any]
MODULE = """\
def scaled(value):
    result = value * factor
    return result


factor = 10
"""


@pytest.fixture
def module(kernel: Wire, tmp_path: Path) -> Iterator[Path]:
    """A module that cells can import by the name `scaling`."""
    file = tmp_path / "package" / "scaling.py"
    file.parent.mkdir()
    file.write_text(MODULE)
    code = f"import sys\nsys.path.insert(0, {str(file.parent)!r})"
    assert kernel.execute(code).status == "ok"
    yield file
    code = f"import sys\nsys.path.remove({str(file.parent)!r})\nsys.modules.pop('scaling', None)"
    assert kernel.execute(code).status == "ok"


def begin(editor: TcpDap, **arguments: Any) -> None:
    editor.do("initialize", clientID="vscode", adapterID="debugpy", pathFormat="path")
    editor.do("attach", justMyCode=False, **arguments)
    editor.event("initialized")


def top(editor: TcpDap, thread: int) -> Message:
    return dict(editor.do("stackTrace", threadId=thread)["stackFrames"][0])


# -- modules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
def test_a_module_from_jupyter(
    kernel: Wire, debugger: JupyterDap, module: Path, before: bool
) -> None:
    """Whether it is imported already or not."""
    if before:
        assert kernel.execute("import scaling").status == "ok"
    found = debugger.set_breakpoints(str(module), 3)
    assert [(one["line"], one["verified"]) for one in found] == [(3, True)]
    running = kernel.send_execute("import scaling\nscaling.scaled(4)")
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    frames = debugger.frames(thread)
    assert [(one["name"], one["line"]) for one in frames] == [("scaled", 3), ("<module>", 2)]
    assert frames[0]["source"]["path"] == str(module)
    assert debugger.locals(frames[0]["id"])["result"] == "40"
    assert debugger.do("source", source={"path": str(module)})["content"] == MODULE
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "40"


def test_while_it_is_imported(kernel: Wire, debugger: JupyterDap, module: Path) -> None:
    debugger.set_breakpoints(str(module), 6)
    running = kernel.send_execute("import scaling")
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    frames = debugger.frames(thread)
    assert [one["line"] for one in frames] == [6, 1], "nothing of the import system between"
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].status == "ok"


def test_a_function_of_a_module(kernel: Wire, editor: TcpDap, module: Path) -> None:
    begin(editor)
    editor.do("setFunctionBreakpoints", breakpoints=[{"name": "scaled", "condition": "value > 1"}])
    editor.do("configurationDone")
    running = kernel.send_execute("import scaling\n[scaling.scaled(n) for n in (1, 2)]")
    stopped = editor.event("stopped")
    assert stopped["reason"] == "function breakpoint"
    frame = top(editor, stopped["threadId"])
    assert (frame["source"]["path"], frame["name"]) == (str(module), "scaled")
    editor.do("setFunctionBreakpoints", breakpoints=[])
    editor.do("continue", threadId=stopped["threadId"])
    assert kernel.wait(running)[0].result == "[10, 20]"


@pytest.mark.parametrize("first", [0, 1])
def test_the_same_function_in_two_cells(kernel: Wire, debugger: JupyterDap, first: int) -> None:
    """Python takes code for equal that differs in its file alone, and so did the debugger."""
    code = "def halved(n):\n    m = n // 2\n    return m\n"
    cells = [f"{code}halved(8)", f"{code}halved(6)"]
    for cell in cells:
        kernel.execute(cell)
    debugger.set_breakpoints(debugger.cell(cells[0]), 2)
    debugger.cell(cells[1])
    for number in (first, 1 - first, first):
        debugger.forget()
        running = kernel.send_execute(cells[number])
        if number == 0:
            thread = debugger.wait_event("stopped")["body"]["threadId"]
            assert debugger.locals(debugger.frames(thread)[0]["id"])["n"] == "8"
            debugger.do("continue", threadId=thread)
        assert kernel.wait(running)[0].result == str((4, 3)[number])
        assert len(debugger.events("stopped")) == (number == 0)


# -- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "local", ["/home/somebody/project", "/home/somebody/project/", r"C:\Users\somebody\project"]
)
def test_path_mappings(kernel: Wire, editor: TcpDap, module: Path, local: str) -> None:
    """The editor hears of its own paths only, and the kernel of its own."""
    theirs = rf"{local}\scaling.py" if "\\" in local else f"{local.rstrip('/')}/scaling.py"
    mapping = {"localRoot": local, "remoteRoot": str(module.parent)}
    begin(editor, pathMappings=[{"localRoot": "/other", "remoteRoot": "/x"}, mapping])
    source = {"path": theirs, "name": "scaling.py"}
    found = editor.do("setBreakpoints", source=source, breakpoints=[{"line": 2}])["breakpoints"]
    assert (found[0]["verified"], found[0]["source"]["path"]) == (True, theirs)
    editor.do("configurationDone")
    running = kernel.send_execute("import scaling\nscaling.scaled(4)")
    thread = editor.event("stopped")["threadId"]
    frame = top(editor, thread)
    assert (frame["source"]["path"], frame["line"]) == (theirs, 2)
    assert editor.do("source", source=frame["source"], sourceReference=0)["content"] == MODULE
    targets = editor.do("gotoTargets", source=source, line=3)["targets"]
    assert [one["line"] for one in targets] == [3]
    assert theirs in [one.get("path") for one in editor.do("modules")["modules"]]
    editor.do("setBreakpoints", source=source, breakpoints=[])
    editor.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "40"


def test_mapped_and_not_at_once(
    kernel: Wire, editor: TcpDap, debugger: JupyterDap, module: Path
) -> None:
    """Two clients at the same line, each by its own path."""
    begin(editor, pathMappings=[{"localRoot": "/mine", "remoteRoot": str(module.parent)}])
    source = {"path": "/mine/scaling.py"}
    wanted = [{"line": 2, "condition": "value == 1"}]
    editor.do("setBreakpoints", source=source, breakpoints=wanted)
    editor.do("configurationDone")
    debugger.set_breakpoints(str(module), {"line": 2, "condition": "value == 2"})
    running = kernel.send_execute("import scaling\n[scaling.scaled(n) for n in range(4)]")
    for count in (1, 2):
        thread = editor.event("stopped", count)["threadId"]
        debugger.wait_event("stopped", count)
        assert top(editor, thread)["source"]["path"] == "/mine/scaling.py"
        frame = debugger.frames(thread)[0]
        assert frame["source"]["path"] == str(module)
        assert debugger.locals(frame["id"])["value"] == str(count)
        debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "[0, 10, 20, 30]"


# -- evaluate --------------------------------------------------------------------------------------


def test_output_of_what_is_evaluated(kernel: Wire, editor: TcpDap, module: Path) -> None:
    """In the editor's debug console: what is printed is shown there, and by the cell."""
    begin(editor)
    editor.do("setBreakpoints", source={"path": str(module)}, breakpoints=[{"line": 3}])
    editor.do("configurationDone")
    running = kernel.send_execute("import scaling\nscaling.scaled(4)")
    thread = editor.event("stopped")["threadId"]
    frame = top(editor, thread)["id"]
    for expression, result in (
        ("print('printed', result)", ""),
        ("result + 1", "41"),
        ("result = 7", ""),
        ("import math", ""),
        ("result", "7"),
    ):
        answer = editor.do("evaluate", expression=expression, frameId=frame, context="repl")
        assert answer["result"] in (result, "None" if result == "" else result), expression
    kernel.wait_for_text(running, "printed 40\n")
    wrong = editor.end(editor.begin("evaluate", expression="1 / 0", frameId=frame, context="repl"))
    assert not wrong["success"]
    assert "ZeroDivisionError" in wrong["message"]
    editor.do("continue", threadId=thread)
    answer = kernel.wait(running)[0]
    assert answer.result == "7"
    assert answer.text() == "printed 40\n"
    shown = [m["body"] for m in editor.messages if m.get("event") == "output"]
    assert "".join(body["output"] for body in shown) == "printed 40\n"
    assert {body["category"] for body in shown} == {"stdout"}


def printed(client: TcpDap) -> list[tuple[str, str]]:
    """What output events have told a client so far."""
    bodies = [m["body"] for m in client.messages if m.get("event") == "output"]
    return [(body["category"], body["output"]) for body in bodies if body["output"] != "\n"]


def test_output_is_told_to_who_asks(
    kernel: Wire, child: str, new_editor: Callable[[], TcpDap], debugger: JupyterDap
) -> None:
    """Not to other clients; nor what others print meanwhile, whose stops are evaluated in, too."""
    first, second = new_editor(), new_editor()
    for client in (first, second):
        client.attach()
        client.do("configurationDone")
    code = "name = 'here'\nname = name * 2"
    debugger.set_breakpoints(debugger.cell(code), 2)
    running = [kernel.send_execute(code, subshell=where) for where in (None, child)]
    frames = []
    for count in (1, 2):
        thread = first.event("stopped", count)["threadId"]
        second.event("stopped", count)
        frames.append(top(first, thread)["id"])
    asked = {"context": "repl"}
    expression = "print('{}') or print('!', file=sys.stderr) or meet.wait(20) < 2"
    for client, frame, name in zip((first, second), frames, "ab", strict=True):
        client.begin("evaluate", expression=expression.format(name), frameId=frame, **asked)
    for client in (first, second):  # at the same time, or neither would end
        response = client.until(lambda m: m.get("command") == "evaluate", "the value")
        assert response["body"]["result"] == "True"
    assert printed(first) == [("stdout", "a"), ("stderr", "!")]
    assert printed(second) == [("stdout", "b"), ("stderr", "!")]

    other = kernel.create()
    waits = "print('c') or done.set() or go.wait(20)"
    asking = first.begin("evaluate", expression=waits, frameId=frames[0], **asked)
    assert kernel.execute("done.wait(20); print('other'); go.set()", subshell=other).text()
    assert first.end(asking)["body"]["result"] == "True"
    first.do("evaluate", expression="print('d')", **asked)  # of no frame
    second.do("threads")
    assert printed(first)[2:] == [("stdout", "c"), ("stdout", "d")]
    assert printed(second)[2:] == []
    for count in (1, 2):
        first.do("continue", threadId=first.event("stopped", count)["threadId"])
    kernel.wait(*running)
