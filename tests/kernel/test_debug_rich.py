"""Rich values, and answers that cannot be given: one response to each request, on every channel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import Wire

VALUES = """\
from IPython.display import JSON
class Bundle:
    def __init__(self, data): self.data = data
    def _repr_mimebundle_(self, include=None, exclude=None): return self.data
class Leaves:
    def __repr__(self): raise SystemExit(3)
long = JSON(list(range(40)))
deep = JSON({str(i): {"x": ["y" * 999] * 99} for i in range(40)})
mixed = Bundle({"text/plain": "x", "a/b": object()})
bytes_ = Bundle({"text/plain": "x", "image/png": b"PNG1", "a/b": {1}, "c/d": [float("nan")]})
pair = Bundle(({"text/plain": "x"}, {"text/plain": object()}))
leaves = Leaves()
class Half:
    def __repr__(self): return chr(0xd800) + "x"
half = Half()
"""
FRAME = """\
def look():
    l, d, m, b, p, s = long, deep, mixed, bytes_, pair, leaves
    return l
look()
"""
LONG = {"application/json": list(range(40))}
DEEP = {"application/json": {str(i): {"x": ["y" * 999] * 99} for i in range(40)}}
PLAIN = {"text/plain": "x"}
BYTES = {**PLAIN, "image/png": "UE5HMQ==", "a/b": [1], "c/d": ["nan"]}
SHOWN = {"long": LONG, "deep": DEEP, "mixed": PLAIN, "bytes_": BYTES, "pair": PLAIN}


@pytest.fixture(params=["jupyter", "tcp"])
def client(request: pytest.FixtureRequest, kernel: Wire) -> JupyterDap | TcpDap:
    """One that debugs."""
    found: JupyterDap | TcpDap
    found = request.getfixturevalue("editor" if request.param == "tcp" else "lab")
    found.attach()
    kernel.execute(VALUES)
    return found


def ask(client: Any, command: str, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.end(client.begin(command, **arguments))
    return found


def looks_like(found: dict[str, Any], expected: dict[str, Any]) -> None:
    data = {name: value for name, value in found["data"].items() if name in expected}
    assert data == expected
    assert not {"a/b", "c/d"} & {*found["data"]} - {*expected}
    assert {*found["metadata"]} <= {*found["data"]}


def test_rich_values(kernel: Wire, client: JupyterDap | TcpDap) -> None:
    for name, expected in SHOWN.items():
        looks_like(client.do("richInspectVariables", variableName=name), expected)
    text = client.do("richInspectVariables", variableName="half")["data"]["text/plain"]
    assert text in ("\ud800x", "\ufffdx")
    assert client.do("inspectVariables")["variables"]
    assert client.do("evaluate", expression="half")["result"] == text
    for name in ("leaves", "not_there"):
        response = ask(client, "richInspectVariables", variableName=name)
        assert not response["success"]
        assert response["message"]


FOREIGN = """\
import _thread, threading
go, there = threading.Event(), threading.Event()
def run():
    threading.current_thread()
    there.set()
    go.wait()
_thread.start_new_thread(run, ())
there.wait()
threading.active_count()
"""


def test_only_threads_of_people_are_shown(kernel: Wire, client: JupyterDap | TcpDap) -> None:
    """ZeroMQ starts one for what is long; of one that ends, Python makes another for debugpy."""
    for name in ("long", "deep"):
        client.do("richInspectVariables", variableName=name)
        assert [one["name"] for one in client.do("threads")["threads"]] == ["main"]
    kernel.execute(FOREIGN)  # Python makes one of it as well, and it runs
    names = [one["name"] for one in client.do("threads")["threads"]]
    kernel.execute("go.set()")
    assert names[0] == "main"
    assert [name.partition("-")[0] for name in names[1:]] == ["Dummy"]


def test_rich_values_in_a_frame(kernel: Wire, client: JupyterDap | TcpDap) -> None:
    path = client.do("dumpCell", code=FRAME)["sourcePath"]
    client.do("setBreakpoints", source={"path": path}, breakpoints=[{"line": 3}])
    running = kernel.send_execute(FRAME)
    stop: dict[str, Any]
    if isinstance(client, TcpDap):
        stop = client.event("stopped")
    else:
        stop = client.wait_event("stopped")["body"]
    thread = stop["threadId"]
    frame = client.do("stackTrace", threadId=thread)["stackFrames"][0]["id"]
    for name, expected in SHOWN.items():
        found = client.do("richInspectVariables", variableName=name[0], frameId=frame)
        looks_like(found, expected)
    for name, why in (("s", "SystemExit"), ("not_there", "NameError")):
        response = ask(client, "richInspectVariables", variableName=name, frameId=frame)
        assert not response["success"]
        assert why in response["message"]
    client.do("richInspectVariables", variableName="long")
    assert [one["name"] for one in client.do("threads")["threads"]] == ["main"]
    client.do("continue", threadId=thread)
    (answer,) = kernel.wait(running)
    assert answer.status == "ok"
    assert kernel.execute("1").text("stderr") == ""


def test_whatever_an_expression_raises(kernel: Wire, client: JupyterDap | TcpDap) -> None:
    """Also what would end the thread that answers, or what asyncio does not take."""
    kernel.execute("class Mute(Exception):\n    def __str__(self): raise SystemExit")
    kernel.execute("def fail(error): raise error")
    for error in ("SystemExit()", "StopIteration()", "KeyboardInterrupt()", "Mute()"):
        response = ask(client, "evaluate", expression=f"fail({error})")
        assert not response["success"]
        assert error[:-2] in response["message"]
    assert client.do("evaluate", expression="1 + 1")["result"] == "2"
