"""What front ends ask about comms, and comms that they open."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kernel.comms import COMMS, MAIN, new
from tests.wire import Wire


def test_comm_info(kernel: Wire, comms: str) -> None:
    def info(subshell: str | None = None, **content: str) -> dict[str, Any]:
        answer = kernel.request("comm_info_request", content, subshell=subshell)
        assert answer.status == "ok"
        return dict(answer.content["comms"])

    former = info()
    mine, of_child = new(kernel, "of main"), new(kernel, "of a child", subshell=comms)
    made = {mine: {"target_name": "of main"}, of_child: {"target_name": "of a child"}}
    running = None
    for busy in (False, True):
        if busy:
            running = kernel.begin("go.wait()")
        for where in (None, comms):
            assert info(where) == {**former, **made}, (busy, where)
            assert info(where, target_name="of a child") == {of_child: made[of_child]}
            assert info(where, target_name="of nobody") == {}
    kernel.request("comm_close", {"comm_id": of_child, "data": {}})
    assert of_child not in info()
    kernel.execute("go.set()", subshell=comms)
    assert running is not None
    kernel.wait(running)
    assert of_child not in info()


def test_comm_info_while_main_opens_a_comm(kernel: Wire, comms: str) -> None:
    # The kernel looks at one comm after the other; main opens another one meanwhile.
    kernel.execute(
        "class Slow:\n    @property\n    def target_name(self):\n        first.set()\n"
        "        second.wait(30)\n        return 'slow'\n"
        "manager.comms['slow'] = Slow()"
    )
    running = kernel.begin("first.wait(30)\nfresh = new('fresh')\nsecond.set()\ngo.wait()")
    answer = kernel.request("comm_info_request")
    kernel.execute("go.set()\n_ = manager.comms.pop('slow')", subshell=comms)
    kernel.wait(running)
    assert answer.status == "ok", answer.content
    assert answer.content["comms"]["slow"] == {"target_name": "slow"}


TARGET = """
def opened(comm, message):
    print("opened with", message["content"]["data"])
    comm.on_msg(lambda message: print("message", message["content"]["data"]))
    comm.on_close(lambda message: print("closed with", message["content"]["data"]))
    comm.send({"hello": threading.current_thread().name})
manager.register_target("here", opened)
"""


def test_a_comm_of_the_front_end_while_main_is_busy(kernel: Wire, comms: str) -> None:
    kernel.execute(TARGET)
    running = kernel.begin("go.wait()")
    where = {"comm_id": "theirs"}
    opened = kernel.request("comm_open", {**where, "target_name": "here", "data": {"n": 1}})
    assert opened.text() == "opened with {'n': 1}\n"
    assert [c["data"] for c in opened.of("comm_msg")] == [{"hello": COMMS}]
    message = kernel.request("comm_msg", {**where, "data": {"n": 2}})
    assert message.text() == "message {'n': 2}\n"
    assert "theirs" in kernel.request("comm_info_request").content["comms"]
    closed = kernel.request("comm_close", {**where, "data": {"n": 3}})
    assert closed.text() == "closed with {'n': 3}\n"
    assert "theirs" not in kernel.request("comm_info_request").content["comms"]
    kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(running)[0].text() == "begun\n"


def test_a_comm_opened_while_main_is_busy_and_used_when_it_is_idle(
    kernel: Wire, comms: str
) -> None:
    kernel.execute(TARGET)
    running = kernel.begin("go.wait()")
    where = {"comm_id": "theirs"}
    sent = [kernel.send("comm_open", {**where, "target_name": "here", "data": {}})]
    sent.append(kernel.send_execute("go.set()", subshell=comms))
    sent.extend(kernel.send("comm_msg", {**where, "data": {"n": n}}) for n in range(20))
    sent.append(kernel.send("comm_close", {**where, "data": {}}))
    kernel.wait(running, *sent)
    texts = [kernel.answers[msg_id].text() for msg_id in sent if msg_id != sent[1]]
    messages = [f"message {{'n': {n}}}\n" for n in range(20)]
    assert texts == ["opened with {}\n", *messages, "closed with {}\n"]


def test_a_comm_for_a_target_that_nobody_knows(kernel: Wire, comms: str) -> None:
    running = kernel.begin("go.wait()")
    refused = kernel.request("comm_open", {"comm_id": "lost", "target_name": "none", "data": {}})
    assert [content["comm_id"] for content in refused.of("comm_close")] == ["lost"]
    assert "lost" not in kernel.request("comm_info_request").content["comms"]
    kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(running)[0].status == "ok"


ECHO = """
def echo(message):
    print(threading.current_thread().name)
    received = message['buffers']
    comm.send({'sizes': [len(b) for b in received]}, buffers=[bytes(b)[::-1] for b in received])
comm = create_comm(target_name='binary', data={}, buffers=[b'\\0first', bytearray(2)])
comm.on_msg(echo)
print(comm.comm_id)
"""
BUFFERS = [b"", b"\x00\xff\x80", bytes(range(256)) * 5000]


@pytest.mark.parametrize("made_in", ["main", "child"])
@pytest.mark.parametrize("runs_in", ["main", "comms", "child"])
def test_binary_buffers(kernel: Wire, comms: str, made_in: str, runs_in: str) -> None:
    """Both ways, whatever thread the callback runs in."""
    kernel.execute(f"%config IPyExt.comms = '{'header' if runs_in == 'child' else 'auto'}'")
    made = kernel.execute(ECHO, subshell=comms if made_in == "child" else None)
    (opened,) = [m for m in made.iopub if m["msg_type"] == "comm_open"]
    assert [bytes(buffer) for buffer in opened["buffers"]] == [b"\0first", b"\0\0"]
    busy = None if runs_in == "main" else kernel.begin("go.wait(30)")
    content = {"comm_id": made.text().strip(), "data": {}}
    told = kernel.send("comm_msg", content, subshell=comms, buffers=BUFFERS)
    (answer,) = kernel.wait(told)
    thread = {"main": MAIN, "comms": COMMS, "child": f"subshell-{comms}"}[runs_in]
    assert answer.text() == f"{thread}\n"
    (echo,) = [m for m in answer.iopub if m["msg_type"] == "comm_msg"]
    assert echo["content"]["data"] == {"sizes": [len(buffer) for buffer in BUFFERS]}
    assert [bytes(buffer) for buffer in echo["buffers"]] == [buffer[::-1] for buffer in BUFFERS]
    if busy is not None:
        kernel.execute("go.set()", subshell=comms)
        kernel.wait(busy)
