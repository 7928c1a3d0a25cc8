"""The port for editors, and who or what else connects to it."""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import TIMEOUT, KernelProcess, Wire

# A client that says hello and tells whether anybody answers; a process of its own.
CALLER = """\
import os, socket, sys
if user := int(sys.argv[3]):  # from here on nothing can be imported
    os.setgroups([]); os.setgid(user); os.setuid(user)
request = b'{"seq": 1, "type": "request", "command": "initialize", "arguments": {"adapterID": "x"}}'
with socket.socket() as s:
    s.connect((sys.argv[1], int(sys.argv[2])))
    try:
        s.sendall(b"Content-Length: %d\\r\\n\\r\\n%s" % (len(request), request))
        print(bool(s.recv(1)))
    except ConnectionError:
        print(False)
"""


def call(address: tuple[str, int], user: int = 0) -> str:
    """What the caller says, run by some user."""
    return subprocess.run(
        [sys.executable, "-S", "-c", CALLER, address[0], str(address[1]), str(user)],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    ).stdout.strip()


@pytest.fixture
def address(kernel: Wire) -> tuple[str, int]:
    """Of the port, which is open."""
    found = kernel.execute("import ipyext\nipyext.debugger().listen()").result
    host, port = ast.literal_eval(str(found))
    return host, port


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_other_users_are_refused(
    process: KernelProcess, kernel: Wire, address: tuple[str, int]
) -> None:
    assert call(address) == "True"
    assert call(address, user=65534) == "False"
    assert "was refused" in process.log.read_text()
    assert call(address) == "True"  # it is still open
    kernel.execute("ipyext.debugger().unlisten()")
    forced = ast.literal_eval(str(kernel.execute("ipyext.debugger().listen(force=True)").result))
    assert call(forced, user=65534) == "False"
    assert call(forced) == "True"
    kernel.execute("ipyext.debugger().unlisten()")


RUBBISH = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no length": b"Content-Type: x\r\n\r\n{}",
    "a length that is none": b"Content-Length: many\r\n\r\n{}",
    "a length below 0": b"Content-Length: -5\r\n\r\n{}",
    "much too long": b"Content-Length: 99999999999\r\n\r\n{}",
    "no JSON": b"Content-Length: 5\r\n\r\n{abc}",
    "not an object": b"Content-Length: 2\r\n\r\n[]",
    "no UTF-8": b"Content-Length: 2\r\n\r\n\xff\xfe",
    "zeros": bytes(10_000),
    "no end": b"x" * 1_000_000,
}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish(kernel: Wire, new_editor: Callable[[], TcpDap], rubbish: str) -> None:
    """Whoever sends it is told so or hung up on, and nobody else notices."""
    editor, other = new_editor(), new_editor()
    editor.attach()
    with contextlib.suppress(ConnectionError):  # hung up on before all of it was sent
        other.send_bytes(RUBBISH[rubbish])
    said = other.ends_or_says()
    assert said is None or (said["event"], said["body"]["category"]) == ("output", "important")
    assert editor.do("threads")["threads"]
    assert kernel.execute("1 + 1").result == "2"
    late = new_editor()
    late.attach()
    assert late.do("threads")["threads"]


@pytest.mark.parametrize("depth", [3000, 200_000])
def test_a_request_that_is_nested_deeply(new_editor: Callable[[], TcpDap], depth: int) -> None:
    """It is answered once, and so are those around it."""
    editor, other = new_editor(), new_editor()
    other.attach()
    nested = b"[" * depth + b"]" * depth
    body = b'{"arguments": {"x": %s}, "type": "request", "command": "evaluate", "seq": 77}' % nested
    before = editor.begin("initialize", adapterID="x")
    editor.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    after = editor.begin("debugInfo")
    for seq, success in ((before, True), (77, False), (after, True)):
        assert editor.end(seq)["success"] == success
    answered = [message.get("request_seq") for message in editor.messages]
    assert answered.count(77) == 1
    assert other.do("threads")["threads"]


def test_a_client_that_counts_from_0(kernel: Wire, lab: JupyterDap, editor: TcpDap) -> None:
    """Beside one that counts from 1."""
    lab.attach()
    zero = {"linesStartAt1": False, "columnsStartAt1": False}
    editor.do("initialize", clientID="emacs", adapterID="debugpy", **zero)
    editor.do("attach")
    editor.event("initialized")
    code = "def f():\n    total = 1\n    total += 10\n    return total\nf()"
    path = lab.cell(code)
    points = editor.do("setBreakpoints", source={"path": path}, breakpoints=[{"line": 2}])
    assert points["breakpoints"][0]["line"] == 2
    editor.do("configurationDone")
    running = kernel.send_execute(code)
    thread = editor.event("stopped")["threadId"]
    frame = editor.do("stackTrace", threadId=thread)["stackFrames"][0]
    assert (frame["line"], frame["column"]) == (2, 0)
    assert lab.frames(thread)[0]["line"] == 3
    typed = {"frameId": frame["id"], "text": "tota", "line": 0}
    for column in (4, 2):
        found = editor.do("completions", column=column, **typed)["targets"]
        assert ("total", 0, column) in [(t["label"], t["start"], t["length"]) for t in found]
    targets = editor.do("gotoTargets", source={"path": path}, line=3)["targets"]
    assert targets[0]["line"] == 3
    editor.do("goto", threadId=thread, targetId=targets[0]["id"])
    editor.event("stopped", 2)
    assert lab.frames(thread)[0]["line"] == 4
    editor.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "1"
