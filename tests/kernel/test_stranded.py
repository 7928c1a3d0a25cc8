"""Nobody sends on the shell ROUTER beside its stream (ipykernel 7.0 to 7.2 do).

ZeroMQ tells of new messages by an edge on a descriptor, and a send on the socket takes that edge
away. A ZMQStream looks again after its own sends; after those of others a request that came in
meanwhile lies there until the next one comes. Whether that happens is a matter of microseconds, so
what is tested is that there are no such sends.
"""

from __future__ import annotations

import ast

import pytest
from packaging.version import Version

from tests.conftest import IPYKERNEL
from tests.kernel.requests import SHELL_REQUESTS
from tests.wire import Wire

WHILE_BUSY = {
    kind: "invalid" if kind == "is_complete_request" else "ok"
    for kind in SHELL_REQUESTS
    if kind != "execute_request"
}

# Notes who sends on a client-facing ROUTER: the thread, and whether the stream does it.
WATCH = """
import sys, threading, zmq
raw, seen = zmq.Socket.send_multipart, set()
port = b":%d" % get_ipython().kernel.parent.shell_port
def send_multipart(socket, *args, **kwargs):
    if socket.type == zmq.ROUTER and socket.getsockopt(zmq.LAST_ENDPOINT).endswith(port):
        by_stream = sys._getframe(1).f_code.co_name == "_handle_send"
        seen.add((threading.current_thread().name, by_stream))
    return raw(socket, *args, **kwargs)
zmq.Socket.send_multipart = send_multipart
"""


@pytest.fixture
def watched(kernel: Wire) -> Wire:
    assert kernel.execute(WATCH).status == "ok"
    return kernel


def senders(kernel: Wire) -> set[tuple[str, bool]]:
    kernel.execute("zmq.Socket.send_multipart = raw")
    return set(ast.literal_eval(str(kernel.execute("seen").result)))


RAW = [pytest.mark.fault] if Version("7.0") <= IPYKERNEL < Version("7.3") else []


@pytest.mark.parametrize("shells", [pytest.param(n, marks=RAW) for n in (1, 3)])
def test_every_reply_leaves_through_the_stream(watched: Wire, shells: int) -> None:
    children = [watched.create() for _ in range(shells)]
    sent = [
        watched.send_execute(str(n), subshell=where)
        for n in range(30)
        for where in (None, *children)
    ]
    sent += [watched.send("kernel_info_request") for _ in range(10)]
    watched.wait(*sent)
    (sender,) = senders(watched)
    assert sender == ("Shell channel", True)


def test_replies_of_every_other_kind_do_so_too(watched: Wire, child: str) -> None:
    """Errors, aborts, refusals, answers while main is busy and for what is deleted."""
    failing = watched.begin("go.wait(); 1 / 0", subshell=child)
    aborted = [watched.send_execute("1", subshell=child) for _ in range(5)]
    main = watched.begin("done.wait()")
    service = [watched.send(kind, SHELL_REQUESTS[kind]) for kind in WHILE_BUSY]
    refused = [watched.send_execute("1", subshell="nobody"), watched.send("make_tea_request")]
    unreadable = watched.send_parts("shell", watched.header("execute_request"), b"{")
    assert unreadable is not None
    doomed = watched.create()
    deleted = [watched.begin("while True: pass", subshell=doomed)]
    deleted += [watched.send_execute("1", subshell=doomed) for _ in range(5)]
    watched.request("kernel_info_request")  # so all of them have been routed
    watched.delete(doomed)
    watched.execute("go.set()", subshell=watched.create())
    watched.wait(failing, *aborted)
    watched.execute("done.set()", subshell=watched.create())
    answers = watched.wait(failing, *aborted, main, *service, *refused, unreadable, *deleted)
    assert [answer.status for answer in answers] == [
        "error",
        *["aborted"] * 5,
        "ok",
        *WHILE_BUSY.values(),
        *["error"] * 9,
    ]
    (sender,) = senders(watched)
    assert sender == ("Shell channel", True)
