"""Nobody sends on the shell ROUTER beside its stream (ipykernel 7.0 to 7.2 do).

ZeroMQ tells of new messages by an edge on a descriptor, and a send on the socket takes that edge
away. A ZMQStream looks again after its own sends; after those of others a request that came in
meanwhile lies there until the next one comes. Whether that happens is a matter of microseconds, so
what is tested is that there are no such sends.
"""

from __future__ import annotations

import ast

import pytest

from tests.conftest import IPYKERNEL
from tests.wire import Wire

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


RAW = [pytest.mark.fault] if "7.0" <= str(IPYKERNEL) < "7.3" else []


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
