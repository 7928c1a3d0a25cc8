"""The port for editors, used by Microsoft's own test client for debug adapters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.dap import JupyterDap
from tests.vscode_client import MISSING, VsCodeClient, install
from tests.wire import Wire

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)}: not installed; Microsoft's client needs it"
)

Connect = Callable[[], VsCodeClient]
CODE = """\
def half(number):
    result = number / 2
    return result

total = 0
for number in [4, 2]:
    total += half(number)
total
"""


@pytest.fixture(scope="session")
def installed() -> None:
    """The client is there."""
    install()


@pytest.fixture
def connect(installed: None, kernel: Wire) -> Iterator[Connect]:
    """Connects clients to the kernel's port; they end with the test."""
    answer = kernel.execute("import ipyext\nipyext.debugger().listen()")
    _, port = ast.literal_eval(str(answer.result))
    clients: list[VsCodeClient] = []

    def connected() -> VsCodeClient:
        clients.append(VsCodeClient(port))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Connect) -> VsCodeClient:
    return connect()


def attach(client: VsCodeClient) -> None:
    """As editors begin, up to where they set breakpoints."""
    assert client.do("initializeRequest")["supportsConfigurationDoneRequest"]
    client.do("attachRequest", {})
    client.event("initialized")


def cell(client: VsCodeClient, code: str) -> str:
    """The path of a cell, written out."""
    return str(client.do("customRequest", "dumpCell", {"code": code})["sourcePath"])


def set_breakpoints(client: VsCodeClient, path: str, *lines: int) -> None:
    wanted = [{"line": line} for line in lines]
    body = client.do("setBreakpointsRequest", {"source": {"path": path}, "breakpoints": wanted})
    assert [(one["line"], one["verified"]) for one in body["breakpoints"]] == [
        (line, True) for line in lines
    ]


def test_its_own_scenario_and_every_request(kernel: Wire, client: VsCodeClient) -> None:
    path = cell(client, CODE)
    hit = client.begin("hitBreakpoint", {"justMyCode": False}, {"path": path, "line": 2})
    client.answered("configurationDone")
    running = kernel.send_execute(CODE)
    client.end(hit)
    thread = client.event("stopped")["threadId"]
    assert {"id": thread, "name": "main"} in client.do("threadsRequest")["threads"]

    frames = client.do("stackTraceRequest", {"threadId": thread})["stackFrames"]
    assert [(one["name"], one["line"]) for one in frames] == [("half", 2), ("<module>", 7)]
    scopes = client.do("scopesRequest", {"frameId": frames[0]["id"]})["scopes"]
    reference = scopes[0]["variablesReference"]
    found = client.do("variablesRequest", {"variablesReference": reference})["variables"]
    assert {one["name"]: one["value"] for one in found}["number"] == "4"
    client.do(
        "setVariableRequest", {"variablesReference": reference, "name": "number", "value": "8"}
    )
    asked = {"expression": "number + 1", "frameId": frames[0]["id"], "context": "watch"}
    assert client.do("evaluateRequest", asked)["result"] == "9"
    assert client.do("completionsRequest", {**asked, "text": "numb", "column": 5})["targets"]
    assert (
        "half"
        in client.do("sourceRequest", {"source": {"path": path}, "sourceReference": 0})["content"]
    )
    assert client.do("modulesRequest", {})["modules"]

    for request, name, line in (
        ("nextRequest", "half", 3),
        ("stepOutRequest", "<module>", 7),
        ("nextRequest", "<module>", 6),
        ("nextRequest", "<module>", 7),
    ):
        stop = client.begin("assertStoppedLocation", "step", {"path": path, "line": line})
        client.do(request, {"threadId": thread})
        assert client.end(stop)["body"]["stackFrames"][0]["name"] == name
    stop = client.begin("assertStoppedLocation", "breakpoint", {"path": path, "line": 2})
    client.do("stepInRequest", {"threadId": thread})
    client.end(stop)
    client.do("continueRequest", {"threadId": thread})
    assert kernel.wait(running)[0].result == "5.0"

    client.do("disconnectRequest")
    assert kernel.execute(CODE).result == "3.0"


def test_exceptions(kernel: Wire, client: VsCodeClient) -> None:
    attach(client)
    client.do("setExceptionBreakpointsRequest", {"filters": ["uncaught"]})
    client.do("configurationDoneRequest")
    code = "def fail(number):\n    return 1 / number\nfail(0)"
    stop = client.begin("assertStoppedLocation", "exception", {"path": cell(client, code)})
    running = kernel.send_execute(code)
    assert client.end(stop)["body"]["stackFrames"][0]["line"] == 2
    thread = client.event("stopped")["threadId"]
    info = client.do("exceptionInfoRequest", {"threadId": thread})
    assert info["exceptionId"] == "ZeroDivisionError"
    client.do("continueRequest", {"threadId": thread})
    assert kernel.wait(running)[0].content["ename"] == "ZeroDivisionError"


def test_functions_conditions_and_log_messages(kernel: Wire, client: VsCodeClient) -> None:
    attach(client)
    path = cell(client, CODE)
    client.do("setFunctionBreakpointsRequest", {"breakpoints": [{"name": "half"}]})
    wanted = [{"line": 2, "logMessage": "it is {number}"}, {"line": 3, "condition": "number == 2"}]
    client.do("setBreakpointsRequest", {"source": {"path": path}, "breakpoints": wanted})
    client.do("configurationDoneRequest")
    output = client.begin("assertOutput", "stdout", "it is 4\nit is 2\n")
    running = kernel.send_execute(CODE)
    for count, (reason, line) in enumerate(
        (("function breakpoint", 1), ("function breakpoint", 1), ("breakpoint", 3)), 1
    ):
        body = client.event("stopped", count)
        assert body["reason"] == reason
        thread = body["threadId"]
        frames = client.do("stackTraceRequest", {"threadId": thread})["stackFrames"]
        assert frames[0]["line"] == line
        client.do("continueRequest", {"threadId": thread})
    client.end(output)
    assert kernel.wait(running)[0].result == "3.0"


def test_pause_and_what_is_refused(kernel: Wire, client: VsCodeClient, child: str) -> None:
    attach(client)
    client.do("configurationDoneRequest")
    running = kernel.begin("while not go.is_set(): pass")
    thread = next(t["id"] for t in client.do("threadsRequest")["threads"] if t["name"] == "main")
    stop = client.begin("assertStoppedLocation", "pause", {})
    client.do("pauseRequest", {"threadId": thread})
    client.end(stop)
    for method in ("stepBackRequest", "restartFrameRequest", "terminateRequest"):
        with pytest.raises(AssertionError, match=r"not supported|does not end"):
            client.do(method, {"threadId": thread, "frameId": 1})
    client.do("continueRequest", {"threadId": thread})
    client.event("continued")
    with pytest.raises(AssertionError, match="is not stopped"):
        client.do("stackTraceRequest", {"threadId": thread})
    assert kernel.execute("go.set()", subshell=child).status == "ok"
    assert kernel.wait(running)[0].status == "ok"


# -- several at once -------------------------------------------------------------------------------

LOOP = "total = 0\nfor i in range(4):\n    total += i\n    last = i\ntotal"


class Stops:
    """Where a cell stops, as all clients see it; each of them is told of every stop."""

    def __init__(self, kernel: Wire, jupyter: JupyterDap, *clients: VsCodeClient) -> None:
        self.kernel = kernel
        self.jupyter = jupyter
        self.clients = list(clients)
        self.seen = dict.fromkeys(clients, 0)

    def lines(self) -> list[int]:
        """Run `LOOP`, continue after every stop."""
        self.jupyter.forget()
        running = self.kernel.send_execute(LOOP)
        found: list[int] = []
        while self._stopped(running, len(found) + 1):
            thread = self.jupyter.events("stopped")[-1]["body"]["threadId"]
            line = self.jupyter.frames(thread)[0]["line"]
            for client in self.clients:
                self.seen[client] += 1
                assert client.event("stopped", self.seen[client])["threadId"] == thread
                frames = client.do("stackTraceRequest", {"threadId": thread})["stackFrames"]
                assert frames[0]["line"] == line
            found.append(line)
            self.jupyter.do("continue", threadId=thread)
        assert self.kernel.wait(running)[0].result == "6"
        return found

    def _stopped(self, running: str, count: int) -> bool:
        def known() -> bool:
            return len(self.jupyter.events("stopped")) >= count or self.kernel.answers[running].idle

        self.kernel.until(known, what="a stop or the end")
        return len(self.jupyter.events("stopped")) >= count


def test_two_of_them_and_a_notebook(kernel: Wire, connect: Connect) -> None:
    jupyter = JupyterDap(kernel)
    jupyter.attach()
    first, second = connect(), connect()
    for client in (first, second):
        attach(client)
        client.do("configurationDoneRequest")
    path = jupyter.cell(LOOP)
    source = {"source": {"path": path}}
    jupyter.set_breakpoints(path, {"line": 3, "condition": "i == 1"})
    at_three = [{"line": 3, "condition": "i == 3"}]
    first.do("setBreakpointsRequest", {**source, "breakpoints": at_three})
    set_breakpoints(second, path, 5)
    stops = Stops(kernel, jupyter, first, second)
    assert stops.lines() == [3, 3, 5]

    hit = [first.event("stopped", count).get("hitBreakpointIds") for count in (2, 3)]
    assert hit[0]
    assert hit[1] is None, "that is another client's"

    second.do("disconnectRequest")
    stops.clients.remove(second)
    assert stops.lines() == [3, 3]

    first.kill()
    stops.clients.remove(first)
    wait_until_attached(kernel, 1)
    assert stops.lines() == [3]
    jupyter.do("disconnect")


def test_one_that_dies_while_stopped(kernel: Wire, client: VsCodeClient) -> None:
    """What it has stopped goes on, and nothing of it is left."""
    attach(client)
    set_breakpoints(client, cell(client, LOOP), 3)
    client.do("setExceptionBreakpointsRequest", {"filters": ["raised"]})
    client.do("configurationDoneRequest")
    running = kernel.send_execute(LOOP)
    client.event("stopped")
    client.kill()
    assert kernel.wait(running)[0].result == "6"
    wait_until_attached(kernel, 0)
    jupyter = JupyterDap(kernel)
    jupyter.attach()
    assert Stops(kernel, jupyter).lines() == []
    jupyter.do("disconnect")


def wait_until_attached(kernel: Wire, count: int) -> None:
    """Wait until that many clients debug: the kernel notices a lost one by itself."""
    code = f"""
import ipyext.extension, threading
debug = ipyext.extension.active().engine.debug
router = debug.router
done = threading.Event()
def look():
    if len(router.core.attached) == {count}:
        done.set()
def begin():
    router.on_change(look)
    look()
debug.in_router(begin)
assert done.wait(30)
"""
    assert kernel.execute(code).status == "ok"
