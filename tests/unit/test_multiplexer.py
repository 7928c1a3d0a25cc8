"""Many clients and one debugger: what each of them is answered."""

from __future__ import annotations

from typing import Any

import pytest

from ipyext.protocol import dap
from tests.fake_debugpy import Client, World

FILE = "/cells/1.py"


# -- how front ends do it ----------------------------------------------------------------------


def test_jupyterlab(world: World) -> None:
    lab = world.connect()
    info = lab.do("debugInfo")
    assert info == {
        **world.kernel.info(),
        "isStarted": False,
        "breakpoints": [],
        "stoppedThreads": [],
    }
    lab.do("initialize", clientID="jupyterlab")
    seq = lab.begin("attach", justMyCode=True)
    assert world.to_start
    assert lab.response(seq) is None
    world.start()
    assert lab.response(seq) is not None
    assert lab.events() == ["initialized", "thread", "thread"]
    names = [message.get("event", message.get("command")) for message in lab.seen]
    assert names.index("initialized") < names.index("attach")
    assert [r["command"] for r in world.debugpy.requests] == [
        "initialize",
        "attach",
        "setExceptionBreakpoints",
        "configurationDone",
    ]
    assert world.debugpy.last("attach") == {
        "justMyCode": True,
        "stopAllThreadsOnSuspend": False,
        "steppingResumesAllThreads": False,
    }
    lab.do("dumpCell", code="x")
    (point,) = lab.set(FILE, {"line": 3, "condition": "x"})
    assert point["verified"]
    lab.do("setExceptionBreakpoints", filters=["raised"])
    lab.do("configurationDone")
    world.stop(7, world.debugpy.ids[FILE][0])
    (stopped,) = lab.events("stopped")
    assert stopped["threadId"] == 7
    assert stopped["hitBreakpointIds"] == [point["id"]]
    # Again and again, at every change of focus.
    for _ in range(2):
        info = lab.do("debugInfo")
        assert info["isStarted"]
        assert info["stoppedThreads"] == [7]
        wanted = [{"line": 3, "condition": "x"}]
        assert info["breakpoints"] == [{"source": FILE, "breakpoints": wanted}]
        (same,) = lab.set(FILE, *wanted)
        assert same["id"] == point["id"]
        assert world.debugpy.sources[FILE] == [{"line": 3, "condition": "decide 1"}]
    lab.do("stackTrace", threadId=7)
    lab.do("scopes", frameId=1)
    lab.do("variables", variablesReference=1)
    assert lab.do("continue", threadId=7) == {"allThreadsContinued": False}
    assert world.debugpy.last("continue") == {"threadId": 7, "singleThread": True}
    world.debugpy.event("continued", threadId=7, allThreadsContinued=True)
    assert lab.events("continued") == [{"threadId": 7, "allThreadsContinued": False}]
    assert lab.do("debugInfo")["stoppedThreads"] == []
    lab.do("disconnect", restart=False, terminateDebuggee=False)
    assert world.state == "stopping"
    assert not lab.do("debugInfo")["isStarted"]
    world.stopped()
    assert world.state == "off"
    assert not lab.do("debugInfo")["isStarted"]


def test_vs_code_notebook(world: World) -> None:
    code = world.connect()
    code.do("initialize", clientID="vscode", adapterID="x")
    seq = code.begin("attach")
    world.start()
    assert code.response(seq) is not None
    for cell in range(3):
        code.do("dumpCell", code=str(cell))
    code.set(FILE, 1)
    world.stop(5, world.debugpy.ids[FILE][0])
    info = code.do("debugInfo")
    assert info["isStarted"]
    assert info["stoppedThreads"] == [5]
    for thread in info["stoppedThreads"]:
        code.do("continue", threadId=thread)
    world.debugpy.event("continued", threadId=5)
    code.do("disconnect")
    assert world.state == "stopping"


def test_vs_code_does_not_take_over_the_breakpoints_of_others(world: World, lab: Client) -> None:
    lab.set(FILE, 3)
    code = world.connect()
    code.do("initialize", clientID="vscode")
    code.do("attach")
    assert code.do("debugInfo")["breakpoints"] == []
    code.set(FILE, 4)
    assert world.debugpy.sources[FILE] == [{"line": 3}, {"line": 4}]


def test_a_client_of_its_own_connection(world: World) -> None:
    code = world.connect(jupyter=False)
    code.do("initialize", clientID="vscode")
    seq = code.begin("attach", pathMappings=None)
    world.start()
    assert code.response(seq)
    code.set(FILE, 1)
    code.do("setFunctionBreakpoints", breakpoints=[{"name": "f"}])
    code.do("setExceptionBreakpoints", filters=["uncaught"])
    code.do("configurationDone")
    assert code.events() == ["initialized", "thread", "thread"]
    assert world.debugpy.functions == [{"name": "f"}]
    assert [message["seq"] for message in code.seen] == list(range(1, len(code.seen) + 1))
    assert world.published == []


# -- requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"type": "list"},
        {"seq": 1, "type": "request"},
        {"seq": None, "type": "request", "command": "threads"},
        {"seq": "1", "type": "request", "command": "threads"},
        {"seq": True, "type": "request", "command": "threads"},
        {"seq": 1, "type": "request", "command": ["threads"]},
        {"seq": 1, "type": "request", "command": "threads", "arguments": [1]},
        {"seq": 1, "type": "event", "event": "stopped"},
        {"seq": 1, "type": "request", "command": "restartFrame"},
        {"seq": 1, "type": "request", "command": "__init__"},
        {"seq": 1, "type": "request", "command": "launch"},
        {"seq": 1, "type": "request", "command": "terminate"},
    ],
)
def test_what_is_no_request_fails(
    world: World, lab: Client, code: Client, request_: dict[str, Any]
) -> None:
    for client in (lab, code, world.connect()):
        request = client.send(dict(request_))
        assert not client.responses[id(request)]["success"]
    assert world.debugpy.waiting == []


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("setBreakpoints", {}),
    ("setBreakpoints", {"source": FILE}),
    ("setBreakpoints", {"source": {"path": 3}, "breakpoints": []}),
    ("setBreakpoints", {"source": {"path": ""}, "breakpoints": []}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": 3}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": {"line": 1}}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": [3]}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": [{}]}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": [{"line": "3"}]}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": [{"line": True}]}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": [{"line": 3, "condition": 1}]}),
    ("setBreakpoints", {"source": {"path": FILE}, "breakpoints": [{"line": 3, "logMessage": []}]}),
    ("setBreakpoints", {"source": {"path": FILE}, "lines": 3}),
    ("setBreakpoints", {"source": {"path": FILE}, "lines": ["3"]}),
    ("setFunctionBreakpoints", {"breakpoints": "f"}),
    ("setFunctionBreakpoints", {"breakpoints": [{"name": 3}]}),
    ("setFunctionBreakpoints", {"breakpoints": [{"name": "f", "hitCondition": 3}]}),
    ("setExceptionBreakpoints", {"filters": 3}),
    ("setExceptionBreakpoints", {"filters": "raised"}),
    ("setExceptionBreakpoints", {"filters": [[]]}),
    ("setExceptionBreakpoints", {"filterOptions": [3]}),
    ("setExceptionBreakpoints", {"exceptionOptions": 3}),
    ("setExceptionBreakpoints", {"exceptionOptions": [3]}),
    ("setExceptionBreakpoints", {"exceptionOptions": [{"path": 3}]}),
    ("setExceptionBreakpoints", {"exceptionOptions": [{"path": [{"names": 3}]}]}),
    ("setExceptionBreakpoints", {"exceptionOptions": [{"path": [{}, {"names": [{}]}]}]}),
    ("continue", {}),
    ("continue", {"threadId": []}),
    ("continue", {"threadId": "1"}),
    ("continue", {"threadId": True}),
    ("next", {"threadId": {}}),
]


@pytest.mark.parametrize("stop_all", [False, True])
@pytest.mark.parametrize(("command", "arguments"), MALFORMED)
def test_malformed_requests_fail_and_leave_nothing_behind(
    world: World, lab: Client, command: str, arguments: dict[str, Any], stop_all: bool
) -> None:
    world.do(world.core.configure, stop_all)
    world.debugpy.answer_all()
    world.stop(7)
    assert lab.refused(command, **arguments)
    assert world.debugpy.waiting == []
    lab.do("setExceptionBreakpoints", filters=[])
    lab.do("setBreakpoints", source={"path": FILE}, lines=[3])


def test_odd_arguments_of_attach(world: World) -> None:
    for odd in (3, "x", [3], [{"localRoot": 1}], {"localRoot": "a", "remoteRoot": "b"}):
        client = world.connect(jupyter=False)
        client.attach(pathMappings=odd, justMyCode=[])
        assert world.debugpy.last("attach")["justMyCode"] is False
        world.close(client)
        world.stopped()


@pytest.mark.parametrize("command", ["threads", "setBreakpoints", "continue", "evaluate", "pause"])
def test_without_a_session(world: World, command: str) -> None:
    for client in (world.connect(), world.connect(jupyter=False)):
        assert "initialize and attach" in client.refused(command)
        client.do("initialize")
        assert "initialize and attach" in client.refused(command)
        client.begin("attach")
        assert "initialize and attach" in client.refused(command)
    world.start()
    assert "initialize and attach" in world.connect().refused(command)


@pytest.mark.parametrize(
    "command",
    ["debugInfo", "debugpySystemInfo", "dumpCell", "inspectVariables", "modules", "source"],
)
def test_what_needs_no_session(world: World, command: str) -> None:
    world.connect().do(command, **({"code": "x"} if command == "dumpCell" else {}))


def test_attach_without_initialize(world: World) -> None:
    client = world.connect()
    assert "initialize first" in client.refused("attach")
    client.do("initialize")
    client.begin("attach")
    assert "under way" in client.refused("attach")


def test_attach_again_is_answered(world: World, lab: Client) -> None:
    lab.do("initialize", clientID="jupyterlab")
    lab.do("attach")
    assert lab.events("initialized") == [{}]
    assert not world.to_start


def test_answers_in_any_order(world: World, lab: Client, code: Client) -> None:
    world.stop(7)
    sent = [
        (client, client.begin("stackTrace", threadId=7, startFrame=number))
        for number in range(3)
        for client in (lab, code)
    ]
    requests = list(world.debugpy.waiting)
    for request in reversed(requests):
        body = {"stackFrames": [], "totalFrames": request["arguments"]["startFrame"]}
        answer = world.debugpy.response(request, **body)
        world.do(world.core.backend_message, answer)
        world.do(world.core.backend_message, answer)  # twice: ignored
    for number, (client, seq) in enumerate(sent):
        response = client.response(seq)
        assert response is not None
        assert response["body"]["totalFrames"] == number // 2


def test_a_failure_of_debugpy_is_handed_on(world: World, lab: Client) -> None:
    world.stop(7)
    seq = lab.begin("evaluate", expression="x", frameId=1)
    world.debugpy.answer("evaluate", why="NameError: x")
    response = lab.response(seq)
    assert response is not None
    assert not response["success"]
    assert response["message"] == "NameError: x"


def test_no_answer_in_time(world: World, lab: Client) -> None:
    world.stop(7)
    seq = lab.begin("scopes", frameId=1)
    (request,) = world.debugpy.waiting
    world.do(world.core.expired, request["seq"])
    response = lab.response(seq)
    assert response is not None
    assert "did not answer scopes" in response["message"]
    world.debugpy.answer()  # too late
    world.do(world.core.expired, request["seq"])


def test_breakpoints_that_are_set_too_late_keep_their_place(world: World, lab: Client) -> None:
    points = [{"line": 3}]
    seq = lab.begin("setBreakpoints", source={"path": FILE}, breakpoints=points)
    (request,) = world.debugpy.waiting
    world.do(world.core.expired, request["seq"])
    response = lab.response(seq)
    assert response is not None
    assert not response["success"]
    world.debugpy.waiting.clear()
    assert lab.set(FILE, 3, 4)[0]["verified"]


def test_debugpy_is_asked_something_else(world: World, lab: Client) -> None:
    world.answers_local = False
    question = ("evaluate", {"expression": "x"})
    for change, result in ((None, "1"), (lambda r: {**r, "body": {"result": "2"}}, "2")):
        seq = lab.begin("richInspectVariables", variableName="x")
        world.do(world.core.forward, *world.local.pop(), change, question)
        assert world.debugpy.last("evaluate") == {"expression": "x"}
        world.debugpy.answer_all()
        response = lab.response(seq)
        assert response is not None
        assert (response["success"], response["body"]["result"]) == (True, result)
    lab.begin("richInspectVariables", variableName="x")
    world.lost()
    world.do(world.core.forward, *world.local.pop(), None, question)
    assert not list(lab.responses.values())[-1]["success"]


def test_what_debugpy_need_not_understand(world: World) -> None:
    """One client's odd values are not in what is set for all."""
    odd = float("nan")
    first = world.connect()
    first.attach(variablePresentation={"special": "inline", "x": odd}, x=odd)
    assert world.debugpy.last("attach")["variablePresentation"] == {"special": "inline"}
    first.set(FILE, {"line": 3, "x": odd})
    first.do("evaluate", expression="x", frameId=1, x=odd)
    assert all(dap.unsendable(request) is None for request in world.debugpy.requests)


@pytest.mark.parametrize("value", [object(), float("nan"), b"x", {(): 1}])
def test_an_answer_that_is_not_json(world: World, lab: Client, code: Client, value: Any) -> None:
    world.answers_local = False
    for client in (lab, code):
        seq = client.begin("inspectVariables")
        party, request = world.local.pop()
        world.do(world.core.answer, party, request, {"variables": [value]})
        response = client.response(seq)
        assert response is not None
        assert not response["success"]
        assert "not JSON" in response["message"]


def test_half_a_surrogate_pair(world: World, lab: Client, code: Client) -> None:
    """jupyter_client cannot write it; an editor may need it, for the name of a file."""
    world.answers_local = False
    for client, text in ((lab, "\ufffd \U0001f600"), (code, "\ud800 \U0001f600")):
        seq = client.begin("inspectVariables")
        party, request = world.local.pop()
        variable = {"name": "x", "value": "\ud800 \U0001f600", "variablesReference": 0}
        world.do(world.core.answer, party, request, {"variables": [variable]})
        response = client.response(seq)
        assert response is not None
        assert response["body"]["variables"] == [{**variable, "value": text}]
        world.debugpy.event("output", output="\ud800 \U0001f600")
        assert client.events("output")[-1] == {"output": text}


def test_an_answer_of_debugpy_that_cannot_be_used(
    world: World, lab: Client, code: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It is that request which fails, and nothing else."""

    def change(response: dict[str, Any]) -> dict[str, Any]:
        return {**response, "body": response["body"]["variables"][0]["odd"]}

    world.answers_local = False
    seq = lab.begin("variables", variablesReference=3)
    other = code.begin("evaluate", expression="1", frameId=1)
    world.do(world.core.forward, *world.local.pop(), lambda r: change(r) if r["success"] else r)
    world.debugpy.answer("variables", variables=[{"name": "x", "value": "1"}])
    response = lab.response(seq)
    assert response is not None
    assert response["message"] == "The debug router failed: KeyError: 'odd'"
    assert "could not be used" in caplog.text
    world.debugpy.answer_all()
    assert code.response(other) is not None
    assert world.state == "on"


def test_requests_of_running_threads(world: World, lab: Client) -> None:
    world.stop(7)
    for command in ("continue", "next", "stepIn", "stepOut", "stackTrace", "exceptionInfo", "goto"):
        refused = lab.refused(command, threadId=8, targetId=1)
        assert "Thread 8 is not stopped" in refused
    lab.do("next", threadId=7)
    world.debugpy.event("continued", threadId=7)
    assert "not stopped" in lab.refused("continue", threadId=7)


def test_local_requests_may_be_handed_on(world: World, code: Client) -> None:
    world.answers_local = False
    seq = code.begin("variables", variablesReference=3)
    ((party, request),) = world.local
    world.do(
        world.core.forward, party, request, lambda r: {**r, "body": {"variables": []}, "extra": 1}
    )
    world.debugpy.answer("variables", variables=[{"name": "x", "value": "1"}])
    response = code.response(seq)
    assert response is not None
    assert response["body"] == {"variables": []}
    seq = code.begin("evaluate", expression="x")
    world.do(world.core.fail, *world.local[1], "no")
    world.do(world.core.answer, *world.local[1], {})  # once is enough
    response = code.response(seq)
    assert response is not None
    assert response["message"] == "no"


def test_stop_all(world: World, lab: Client) -> None:
    world.do(world.core.configure, True)
    world.debugpy.answer_all()
    assert world.debugpy.last("attach")["stopAllThreadsOnSuspend"]
    world.stop(7)
    assert lab.events("stopped")[0]["allThreadsStopped"]
    lab.do("stackTrace", threadId=8)  # it is stopped too
    assert lab.do("continue", threadId=7) == {"allThreadsContinued": True}
    assert world.debugpy.last("continue") == {"threadId": 7, "singleThread": False}
    world.debugpy.event("continued", threadId=7)
    assert lab.events("continued") == [{"threadId": 7, "allThreadsContinued": True}]
    assert world.core.stopped == {}
    before = len(world.debugpy.requests)
    world.do(world.core.configure, True)
    assert len(world.debugpy.requests) == before


def test_stop_all_that_is_set_while_it_starts(world: World) -> None:
    lab = world.connect()
    lab.do("initialize")
    lab.begin("attach")
    world.connected()
    world.do(world.core.configure, True)
    world.debugpy.answer_all()
    world.configured()
    world.debugpy.answer_all()
    assert world.debugpy.last("attach")["stopAllThreadsOnSuspend"]
