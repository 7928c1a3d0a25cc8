"""Many clients and one debugger: the events that each of them is told."""

from __future__ import annotations

import pytest

from ipyext.debug.states import Client as State
from tests.fake_debugpy import Client, World

FILE = "/cells/1.py"


def test_events_reach_each_client_once(world: World, lab: Client, code: Client) -> None:
    idle = world.connect(jupyter=False)
    idle.do("initialize")
    idle.forget()
    other = world.connect()
    other.attach()
    for client in (lab, code, other):
        client.forget()
    world.debugpy.event("thread", reason="started", threadId=9)
    world.debugpy.event("module", reason="new", module={"id": 1, "name": "m"})
    world.debugpy.event("output", category="stdout", output="x")
    world.stop(9)
    world.debugpy.event("continued", threadId=9)
    world.debugpy.event("thread", reason="exited", threadId=9)
    wanted = ["thread", "module", "output", "stopped", "continued", "thread"]
    assert [client.events() for client in (lab, code, other)] == [wanted] * 3
    assert idle.events() == []


@pytest.mark.parametrize(
    "name", ["initialized", "terminated", "exited", "process", "debugpySockets", "output"]
)
def test_events_about_debugpy_itself_stay_here(world: World, lab: Client, name: str) -> None:
    world.debugpy.event(name, category="telemetry", output="x")
    assert lab.events() == []


def test_odd_messages_of_debugpy(world: World, lab: Client) -> None:
    for message in (
        {},
        {"type": "request", "command": "runInTerminal", "seq": 1},
        {"type": "response"},
        {"type": "response", "request_seq": 9999, "success": True},
        {"type": "event", "event": "stopped", "body": {"reason": "pause"}},
        {"type": "event", "event": "stopped", "body": {"threadId": "*", "reason": "pause"}},
    ):
        world.do(world.core.backend_message, message)
    assert lab.events() == []


def test_a_thread_that_ends_is_not_stopped(world: World, lab: Client) -> None:
    world.stop(7)
    world.debugpy.event("thread", reason="exited", threadId=7)
    assert lab.do("debugInfo")["stoppedThreads"] == []


def test_the_latest_stop_comes_first(world: World, lab: Client) -> None:
    for thread in (5, 6, 5):
        world.stop(thread)
    assert lab.do("debugInfo")["stoppedThreads"] == [5, 6]


@pytest.mark.parametrize("said", [1, 5, 6])
def test_jupyterlab_lets_the_stop_go_on_that_it_shows(world: World, lab: Client, said: int) -> None:
    world.stop(5)
    world.stop(6)
    lab.do("continue", threadId=said)
    assert world.debugpy.last("continue") == {"threadId": 6, "singleThread": True}
    world.debugpy.event("continued", threadId=6)
    assert lab.events("continued") == [{"threadId": 6, "allThreadsContinued": False}]
    lab.do("continue", threadId=1)
    assert world.debugpy.last("continue")["threadId"] == 5


def test_others_name_the_thread_that_goes_on(world: World, lab: Client) -> None:
    code = world.connect()
    code.do("initialize", clientID="vscode")
    code.do("attach")
    world.stop(5)
    world.stop(6)
    assert "not stopped" in code.refused("continue", threadId=1)
    code.do("continue", threadId=5)
    assert world.debugpy.last("continue")["threadId"] == 5


def test_jupyterlab_is_shown_the_stop_that_is_left(world: World, lab: Client) -> None:
    world.stop(5)
    world.stop(6)
    lab.forget()
    world.debugpy.event("continued", threadId=6)
    (left,) = lab.events("stopped")
    assert left["threadId"] == 5


def test_jupyterlab_is_shown_no_other_stop_during_a_step(world: World, lab: Client) -> None:
    world.stop(5)
    world.stop(6)
    lab.do("next", threadId=6)
    lab.forget()
    world.debugpy.event("continued", threadId=6)
    assert lab.events("stopped") == []
    world.stop(6)
    lab.do("continue", threadId=1)
    lab.forget()
    world.debugpy.event("continued", threadId=6)
    (left,) = lab.events("stopped")
    assert left["threadId"] == 5


@pytest.mark.parametrize("jupyter", [True, False])
def test_who_comes_late_is_told(world: World, lab: Client, jupyter: bool) -> None:
    world.debugpy.event("module", reason="new", module={"id": 1, "name": "m"})
    world.stop(5)
    world.stop(6)
    late = world.connect(jupyter=jupyter)
    late.do("initialize", clientID="x")
    late.forget()
    late.do("attach")
    assert late.events()[:4] == ["initialized", "thread", "thread", "module"]
    if not jupyter:  # stops come when it is ready for them
        assert late.events("stopped") == []
        world.stop(7)
        world.debugpy.event("continued", threadId=6)
        late.do("configurationDone")
        late.do("configurationDone")
        assert [body["threadId"] for body in late.events("stopped")] == [7, 5]
    else:
        assert [body["threadId"] for body in late.events("stopped")] == [5, 6]
    assert late.do("debugInfo")["stoppedThreads"][-1] == 5


def test_output_for_one_client(world: World, lab: Client, code: Client) -> None:
    world.do(world.core.say, code.party.key, "mine\n")
    assert code.events("output") == [{"category": "stdout", "output": "mine\n"}]
    assert lab.events() == []
    world.do(world.core.say, 999, "nobody's\n")
    code.do("disconnect")
    world.do(world.core.say, code.party.key, "late\n")
    assert len(code.events("output")) == 1
    assert lab.events() == []


def test_told_on_without_attach(world: World, lab: Client) -> None:
    """Another notebook or console of the same kernel: its panel shows that debugging is on."""
    lab.set(FILE, 3)
    console = world.connect()
    assert console.do("debugInfo")["isStarted"]
    assert console.party.state is State.NEW
    console.do("threads")
    assert console.party.state is State.ATTACHED
    lab.do("disconnect")
    assert world.state == "on"
    assert world.debugpy.sources[FILE] == []
    console.do("disconnect")
    assert world.state == "stopping"


def test_what_an_expression_prints_is_told_to_who_asked(
    world: World, lab: Client, code: Client
) -> None:
    world.stop(7)
    seq = code.begin("evaluate", expression="print(1)", frameId=3, context="repl")
    number = world.debugpy.waiting[-1]["seq"]
    world.do(world.core.printed, number, "1\n", "stdout")
    assert code.events("output") == [{"category": "stdout", "output": "1\n"}]
    assert lab.events("output") == []
    world.debugpy.answer("evaluate")
    assert code.response(seq)
    world.do(world.core.printed, number, "late", "stdout")
    world.do(world.core.printed, 4711, "no request", "stdout")
    assert len(code.events("output")) == 1
    code.party.echo = False
    code.begin("evaluate", expression="print(1)", frameId=3, context="repl")
    world.do(world.core.printed, world.debugpy.waiting[-1]["seq"], "1\n", "stdout")
    assert len(code.events("output")) == 1


@pytest.mark.parametrize("command", ["continue", "next", "stepIn", "stepOut"])
def test_a_stop_that_is_told_to_go_on(world: World, lab: Client, command: str) -> None:
    world.stop(5)
    assert not world.core.goes_on(5)
    lab.begin(command, threadId=5)
    assert world.core.goes_on(5)
    assert not world.core.goes_on(6)
    world.debugpy.answer(command)
    assert world.core.goes_on(5)
    world.debugpy.event("continued", threadId=5)
    assert not world.core.goes_on(5)


@pytest.mark.parametrize("command", ["continue", "next"])
def test_a_stop_that_stays(world: World, lab: Client, command: str) -> None:
    world.stop(5)
    lab.begin(command, threadId=5)
    world.debugpy.answer(command, why="it cannot")
    assert not world.core.goes_on(5)


def test_every_stop_goes_on_with_one(world: World, lab: Client) -> None:
    world.do(world.core.configure, True)
    world.stop(5)
    lab.begin("continue", threadId=5)
    assert world.core.goes_on(7)
    world.debugpy.event("continued", threadId=5)
    assert not world.core.goes_on(7)


def test_one_goes_on_alone_where_all_stop(world: World, lab: Client) -> None:
    """It was interrupted: what else has stopped is shown."""
    world.do(world.core.configure, True)
    world.stop(5)
    world.stop(6)
    lab.forget()
    world.debugpy.event("continued", threadId=6, allThreadsContinued=False)
    assert lab.events("continued") == [{"threadId": 6, "allThreadsContinued": False}]
    assert [body["threadId"] for body in lab.events("stopped")] == [5]
    assert list(world.core.stopped) == [5]
    world.debugpy.event("continued", threadId=5, allThreadsContinued=True)
    assert list(world.core.stopped) == []


def test_a_jump_to_another_file_is_refused(world: World, code: Client) -> None:
    """debugpy is not even asked; and not if the thread has gone on meanwhile."""
    world.stop(9)
    code.begin("gotoTargets", source={"path": "/a.py"}, line=3)
    world.debugpy.answer("gotoTargets", targets=[{"id": 1, "label": "3", "line": 3}])

    def jump(path: str, goes_on: bool = False) -> str | None:
        seq = code.begin("goto", threadId=9, targetId=1)
        if goes_on:
            world.debugpy.event("continued", threadId=9)
        frame = {"id": 1, "name": "f", "line": 1, "column": 1, "source": {"path": path}}
        world.debugpy.answer("stackTrace", stackFrames=[frame])
        world.debugpy.answer_all()
        response = code.response(seq)
        assert response is not None
        return response.get("message")

    asked = len(world.debugpy.requests)
    assert "another file" in str(jump("/b.py"))
    assert [one["command"] for one in world.debugpy.requests[asked:]] == ["stackTrace"]
    assert jump("/a.py") is None
    assert jump("/a.py", goes_on=True) == "Thread 9 is not stopped."
    assert code.refused("goto", threadId=9, targetId=1) == "Thread 9 is not stopped."
