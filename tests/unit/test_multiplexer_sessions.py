"""Many clients and one debugger: how they come and go, and how it does."""

from __future__ import annotations

from typing import Any

import pytest

from ipyext.debug.states import Client as State
from tests.fake_debugpy import Client, World

FILE = "/cells/1.py"


# -- leaving -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["disconnect", "close"])
def test_who_leaves_takes_only_its_own(world: World, lab: Client, code: Client, by: str) -> None:
    lab.set(FILE, 3)
    code.set(FILE, 3, 4)
    code.set("/other.py", 1)
    world.stop(7)
    if by == "disconnect":
        code.do("disconnect")
    else:
        world.close(code)
    world.debugpy.answer_all()
    assert world.state == "on"
    assert world.debugpy.sources == {FILE: [{"line": 3}], "/other.py": []}
    assert lab.do("debugInfo")["stoppedThreads"] == [7]
    lab.do("continue", threadId=7)


def test_the_last_one_takes_the_debugger_along(world: World, lab: Client, code: Client) -> None:
    lab.set(FILE, 3)
    world.stop(7)
    lab.do("disconnect")
    assert not world.to_stop
    code.do("disconnect")
    assert world.to_stop
    assert world.debugpy.last("disconnect") == {"terminateDebuggee": False}
    assert world.core.stopped == {}
    for late in ("stopped", "continued", "module"):  # on its way meanwhile
        world.debugpy.event(late, threadId=7, reason="x", module={"id": 1})
    world.debugpy.answer_all()
    world.stopped()
    assert world.state == "off"
    again = world.connect()
    again.attach()
    assert again.events("stopped") == again.events("module") == []
    assert world.debugpy.sources == {}


def test_requests_that_are_open_when_it_ends_fail(world: World, lab: Client) -> None:
    world.stop(7)
    seq = lab.begin("stackTrace", threadId=7)
    lab.do("disconnect")
    response = lab.response(seq)
    assert response is not None
    assert "switched off" in response["message"]


def test_who_has_left_by_itself_is_off_until_it_initializes(world: World, lab: Client) -> None:
    other = world.connect()
    other.attach()
    lab.set(FILE, 3)
    other.do("disconnect")
    for _ in range(2):
        info = other.do("debugInfo")
        assert info["isStarted"] is False
        assert info["breakpoints"] == info["stoppedThreads"] == []
        assert other.refused("threads")
    other.do("initialize", clientID="jupyterlab")
    assert other.do("debugInfo")["isStarted"]
    other.do("attach")
    assert other.do("debugInfo")["breakpoints"][0]["source"] == FILE


def test_disconnect_of_who_is_not_there(world: World) -> None:
    client = world.connect(jupyter=False)
    client.do("disconnect")
    client.do("initialize")
    client.do("disconnect")
    assert not world.to_stop
    world.close(client)
    world.close(client)


def test_messages_after_the_end_of_a_connection(world: World, lab: Client) -> None:
    party = lab.party
    world.do(world.core.close, party)
    for command in ("threads", "initialize", "attach", "disconnect", "debugInfo", "source"):
        assert lab.ask(command) is not None
    assert world.state == "stopping"
    assert party.state is State.GONE


# -- starting and ending -----------------------------------------------------------------------


def test_several_wait_for_the_start(world: World) -> None:
    clients = [world.connect(), world.connect(jupyter=False)]
    seqs = []
    for client in clients:
        client.do("initialize")
        seqs.append(client.begin("attach"))
    world.connected()
    world.debugpy.answer_all()
    assert [c.response(seq) for c, seq in zip(clients, seqs, strict=True)] == [None, None]
    world.stop(7)  # at once
    world.configured()
    assert all(client.response(seq) for client, seq in zip(clients, seqs, strict=True))
    assert clients[0].events("stopped")


@pytest.mark.parametrize("when", ["starting", "configuring"])
@pytest.mark.parametrize("by", ["disconnect", "close"])
def test_who_waits_may_leave(world: World, when: str, by: str) -> None:
    client = world.connect()
    client.do("initialize")
    seq = client.begin("attach")
    if when == "configuring":
        world.connected()
    if by == "disconnect":
        client.do("disconnect")
        response = client.response(seq)
        assert response is not None
        assert not response["success"]
    else:
        world.close(client)
    assert world.to_stop
    world.do(world.core.backend_connected)  # too late: they change nothing
    world.do(world.core.backend_configured)
    world.debugpy.answer_all()
    world.lost()
    world.stopped()
    assert world.state == "off"
    world.lost()
    assert not world.to_start
    assert not world.to_stop


def test_attach_while_it_stops(world: World, lab: Client) -> None:
    lab.do("disconnect")
    assert world.state == "stopping"
    lab.do("initialize", clientID="jupyterlab")
    seq = lab.begin("attach")
    assert world.state == "stopping, then starting"
    world.lost("the old connection ends")
    assert lab.response(seq) is None
    world.stopped()
    world.start()
    response = lab.response(seq)
    assert response is not None
    assert response["success"]
    assert world.state == "on"


def test_who_comes_while_it_stops_may_leave_again(world: World, lab: Client) -> None:
    lab.do("disconnect")
    lab.do("initialize")
    seq = lab.begin("attach")
    lab.do("disconnect")
    assert lab.response(seq)
    assert world.state == "stopping"
    world.stopped()
    assert world.state == "off"
    assert not world.to_start


def test_it_cannot_be_started(world: World) -> None:
    client = world.connect()
    client.do("initialize", clientID="jupyterlab")
    seq = client.begin("attach")
    world.to_start = False
    world.lost("debugpy cannot be imported")
    response = client.response(seq)
    assert response is not None
    assert response["message"] == "debugpy cannot be imported"
    assert world.state == "off"
    assert not client.do("debugInfo")["isStarted"]
    client.attach()
    assert world.state == "on"


@pytest.mark.parametrize("command", ["initialize", "attach", "configurationDone"])
@pytest.mark.parametrize("how", ["no", "never"])
def test_debugpy_refuses_to_start(world: World, command: str, how: str) -> None:
    client = world.connect()
    client.do("initialize")
    seq = client.begin("attach")
    world.connected()
    while command not in world.debugpy.commands():
        world.debugpy.answer()
    if how == "no":
        world.debugpy.answer(command, why="no")
    else:
        request = next(r for r in world.debugpy.waiting if r["command"] == command)
        world.do(world.core.expired, request["seq"])
    response = client.response(seq)
    assert response is not None
    assert "could not be started" in response["message"]
    before = len(world.debugpy.requests)
    world.debugpy.answer_all()
    assert len(world.debugpy.requests) == before
    world.stopped()
    assert world.state == "off"


def test_it_is_lost_while_it_is_on(world: World, lab: Client, code: Client) -> None:
    other = world.connect()
    other.attach()
    bystander = world.connect(jupyter=False)
    lab.set(FILE, 3)
    world.stop(7)
    for client in (lab, code, other):
        client.forget()
    seq = lab.begin("stackTrace", threadId=7)
    world.lost("it broke")
    response = lab.response(seq)
    assert response is not None
    assert response["message"] == "it broke"
    assert [c.events() for c in (lab, code, other)] == [["terminated"]] * 3
    assert bystander.events() == []
    assert world.to_stop
    info = lab.do("debugInfo")
    assert (info["isStarted"], info["stoppedThreads"]) == (False, [])
    assert "initialize and attach" in lab.refused("threads")
    world.lost("again")
    lab.do("initialize", clientID="jupyterlab")
    seq = lab.begin("attach")
    world.stopped()
    world.start()
    assert lab.response(seq)
    # What the others wanted is not set for them while they are not there.
    assert world.debugpy.sources == {}


def test_what_debugpy_answers_from_its_grave(world: World, lab: Client) -> None:
    world.stop(7)
    lab.begin("stackTrace", threadId=7)
    world.lost()
    world.debugpy.answer_all()
    world.debugpy.event("stopped", threadId=7, reason="x")
    world.stopped()
    lab.forget()
    lab.attach()
    assert lab.events("stopped") == []


def test_the_end_of_everything(world: World, lab: Client, code: Client) -> None:
    waits = world.connect()
    world.stop(7)
    seqs = [client.begin("stackTrace", threadId=7) for client in (lab, code)]
    world.do(world.core.close, waits.party, linger=True)
    for client in (lab, code):
        client.forget()
    world.do(world.core.end, "ipyext was unloaded.")
    for client, seq in zip((lab, code), seqs, strict=True):
        response = client.response(seq)
        assert response is not None
        assert response["message"] == "ipyext was unloaded."
        assert client.events() == ["terminated"]
    assert world.core.parties == {}
    world.stopped()
    assert world.state == "off"


@pytest.mark.parametrize("when", ["off", "starting", "stopping", "stopping, then starting"])
def test_the_end_of_everything_at_other_times(world: World, when: str) -> None:
    client = world.connect()
    client.do("initialize")
    if when != "off":
        client.begin("attach")
    if when.startswith("stopping"):
        client.do("disconnect")
    if when.endswith("then starting"):
        client.do("initialize")
        client.begin("attach")
    assert world.state == when
    world.do(world.core.end, "over")
    assert all(id(request) in client.responses for request in client.asked)
    if world.to_stop:
        world.stopped()
    assert world.state == "off"
    assert not world.to_start


# -- pages that are loaded again ---------------------------------------------------------------


def test_page_reload(world: World, lab: Client) -> None:
    (point,) = lab.set(FILE, {"line": 3, "hitCondition": "2"})
    lab.do("setExceptionBreakpoints", filters=["raised"])
    world.stop(7)
    told = len(world.debugpy.requests)
    world.close(lab, linger=True)
    again = world.connect()
    info = again.do("debugInfo")
    assert info["isStarted"]
    assert info["stoppedThreads"] == [7]
    wanted = [{"line": 3, "hitCondition": "2"}]
    assert info["breakpoints"] == [{"source": FILE, "breakpoints": wanted}]
    assert world.state == "on"
    assert len(world.debugpy.requests) == told  # debugpy has not noticed
    (same,) = again.set(FILE, *wanted)
    assert same["id"] == point["id"]
    assert world.debugpy.exceptions == {"filters": ["raised"]}
    world.do(world.core.expire, lab.party)
    again.do("continue", threadId=7)
    again.set(FILE)
    assert world.debugpy.sources[FILE] == []
    again.do("disconnect")
    assert world.to_stop


def test_nobody_takes_over(world: World, lab: Client) -> None:
    lab.set(FILE, 3)
    world.close(lab, linger=True)
    assert world.lingering == [lab.party]
    assert world.state == "on"
    world.do(world.core.expire, lab.party)
    assert world.state == "stopping"
    assert world.core.parties == {}


def test_others_stay_when_nobody_takes_over(world: World, lab: Client, code: Client) -> None:
    lab.set(FILE, 3)
    code.set(FILE, 4)
    world.close(lab, linger=True)
    assert world.debugpy.sources[FILE] == [{"line": 3}, {"line": 4}]
    world.do(world.core.expire, lab.party)
    world.debugpy.answer_all()
    assert world.debugpy.sources[FILE] == [{"line": 4}]


def test_the_same_connection_comes_back(world: World, lab: Client) -> None:
    lab.set(FILE, 3)
    world.do(world.core.close, lab.party, linger=True)
    world.do(world.core.back, lab.party)
    world.do(world.core.close, lab.party, linger=True)
    world.do(world.core.expire, lab.party)  # the time of the first time
    assert lab.party.lingering
    world.do(world.core.back, lab.party)
    world.do(world.core.expire, lab.party)
    assert lab.do("debugInfo")["isStarted"]
    world.do(world.core.close, lab.party, linger=True)
    world.do(world.core.expire, lab.party)
    assert world.state == "stopping"


def test_only_a_client_that_debugs_lingers(world: World) -> None:
    client = world.connect()
    client.do("initialize")
    client.begin("attach")
    world.close(client, linger=True)
    assert world.lingering == []
    assert world.to_stop


@pytest.mark.parametrize("client_id", ["vscode", "x"])
def test_another_front_end_does_not_take_over(world: World, lab: Client, client_id: Any) -> None:
    lab.set(FILE, 3)
    world.close(lab, linger=True)
    other = world.connect()
    other.do("initialize", clientID=client_id)
    other.do("attach")
    assert other.do("debugInfo")["breakpoints"] == []
    world.do(world.core.expire, lab.party)
    world.debugpy.answer_all()
    assert world.debugpy.sources[FILE] == []
    assert world.state == "on"


def test_it_is_lost_while_somebody_lingers(world: World, lab: Client) -> None:
    world.close(lab, linger=True)
    world.lost()
    assert world.core.parties == {}
    world.stopped()
    world.do(world.core.expire, lab.party)
    assert world.state == "off"
    assert not world.connect().do("debugInfo")["isStarted"]
