"""The port for DAP clients: who gets in, what arrives, and how connections end."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ipyext.debug import listener as module
from ipyext.debug.listener import Connection, Listener, ListenError
from ipyext.debug.peers import Answer, Verdict
from ipyext.errors import IpyextError
from ipyext.protocol import dap
from tests.unit.test_peers import LINUX, ROOT, STRANGER

ACCEPTED = Verdict(Answer.ACCEPTED, "ours")
REFUSED = Verdict(Answer.REFUSED, "another user's")
UNKNOWN = Verdict(Answer.UNKNOWN, "cannot be found out")
TIMEOUT = 30


class Events:
    """A listener, and what it told; `next` waits for one more."""

    def __init__(self, verdict: Verdict | None = None) -> None:
        self.told: asyncio.Queue[tuple[str, Connection, Any]] = asyncio.Queue()
        self.on_connect: Callable[[Connection], None] = lambda connection: None
        options: dict[str, Any] = {}
        if verdict is not None:
            options["check"] = lambda ours, theirs: verdict
        self.listener = Listener(
            self._connected,
            lambda connection, message: self._tell("message", connection, message),
            lambda connection: self._tell("close", connection, None),
            **options,
        )

    def _connected(self, connection: Connection) -> None:
        self._tell("connect", connection, None)
        self.on_connect(connection)

    def _tell(self, what: str, connection: Connection, message: Any) -> None:
        self.told.put_nowait((what, connection, message))

    async def next(self, what: str) -> tuple[Connection, Any]:
        found, connection, message = await asyncio.wait_for(self.told.get(), TIMEOUT)
        assert found == what
        return connection, message

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert self.listener.address is not None
        return await asyncio.open_connection(*self.listener.address)


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop; what it leaves running fails it."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        async def whole() -> None:
            await asyncio.wait_for(test(**fixtures), TIMEOUT)
            await asyncio.sleep(0)  # a transport that was closed ends one turn later

        asyncio.run(whole())

    return run


async def hung_up(reader: asyncio.StreamReader) -> bytes:
    """What came until the other side hung up."""
    try:
        return await asyncio.wait_for(reader.read(), TIMEOUT)
    except ConnectionError:
        return b""


@asynchronous
async def test_messages_both_ways() -> None:
    events = Events(ACCEPTED)
    host, port = await events.listener.open()
    assert (host, port) == events.listener.address
    assert host == "127.0.0.1"
    assert port > 0
    reader, writer = await events.client()
    connection, _ = await events.next("connect")
    assert connection.peer == "127.0.0.1:{}".format(writer.get_extra_info("sockname")[1])
    first, second = {"seq": 1, "x": "größe"}, {"seq": 2}
    writer.write(dap.encode(first) + dap.encode(second)[:9])
    assert await events.next("message") == (connection, first)
    writer.write(dap.encode(second)[9:])
    assert await events.next("message") == (connection, second)
    connection.send({"type": "event"})
    expected = dap.encode({"type": "event"})
    assert await reader.readexactly(len(expected)) == expected
    writer.close()
    assert (await events.next("close"))[0] is connection
    connection.send({"type": "event"})  # to nobody
    connection.close()
    await events.listener.close()
    assert events.listener.address is None
    assert events.told.empty()


@asynchronous
async def test_what_is_no_message_and_what_is_no_frame(caplog: pytest.LogCaptureFixture) -> None:
    events = Events(ACCEPTED)
    await events.listener.open()
    reader, writer = await events.client()
    connection, _ = await events.next("connect")
    writer.write(b"Content-Length: 2\r\n\r\n[]" + dap.encode({"seq": 1}))
    assert isinstance((await events.next("message"))[1], ValueError)
    assert await events.next("message") == (connection, {"seq": 1})
    with caplog.at_level(logging.WARNING):
        writer.write(dap.encode({"seq": 2}) + b"GET / HTTP/1.1\r\n\r\n")
        assert await events.next("message") == (connection, {"seq": 2})
        assert (await events.next("close"))[0] is connection
    assert await hung_up(reader) == b""
    assert "no usable Content-Length" in caplog.text
    writer.close()
    await events.listener.close()
    assert events.told.empty()


@asynchronous
async def test_close_ends_every_connection_once() -> None:
    events = Events(ACCEPTED)
    await events.listener.open()
    clients = [await events.client() for _ in range(3)]
    connections = {(await events.next("connect"))[0] for _ in clients}
    for connection in connections:
        connection.send({"bye": 1})
    closed = next(iter(connections))
    closed.close()
    closed.close()
    address = events.listener.address
    assert address is not None
    await events.listener.close()
    assert {(await events.next("close"))[0] for _ in clients} == connections
    assert events.told.empty()
    for reader, writer in clients:
        assert await hung_up(reader) == dap.encode({"bye": 1})
        writer.close()
    with pytest.raises(OSError, match=r".+"):
        await asyncio.open_connection(*address)
    await events.listener.close()
    assert await events.listener.open(*address) == address  # it can be opened again
    await events.listener.close()


@asynchronous
async def test_nothing_is_given_on_after_close() -> None:
    events = Events(ACCEPTED)
    await events.listener.open()
    reader, writer = await events.client()
    connection, _ = await events.next("connect")
    events.listener._on_message = lambda connection, message: connection.close()
    writer.write(dap.encode({"seq": 1}) * 3)
    assert (await events.next("close"))[0] is connection
    assert await hung_up(reader) == b""
    writer.close()
    await events.listener.close()


@asynchronous
async def test_a_connection_that_is_closed_as_it_comes() -> None:
    events = Events(ACCEPTED)
    events.on_connect = lambda connection: connection.close()
    await events.listener.open()
    reader, writer = await events.client()
    await events.next("connect")
    await events.next("close")
    assert await hung_up(reader) == b""
    writer.close()
    await events.listener.close()


@asynchronous
async def test_a_client_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 1 << 20)
    events = Events(ACCEPTED)
    await events.listener.open()
    assert events.listener.address is not None
    with socket.create_connection(events.listener.address):
        connection, _ = await events.next("connect")
        big = {"output": "x" * (1 << 18)}
        sent = 0
        while not connection.closing:
            connection.send(big)
            sent += 1
            assert sent < 1000
        assert (await events.next("close"))[0] is connection
    assert "unread" in caplog.text
    await events.listener.close()


@asynchronous
async def test_a_client_that_does_not_read_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.01)
    events = Events(ACCEPTED)
    await events.listener.open()
    assert events.listener.address is not None
    with socket.create_connection(events.listener.address):
        connection, _ = await events.next("connect")
        connection.send({"output": "x" * (32 << 20)})
        await events.listener.close()
        await events.next("close")


@asynchronous
async def test_a_callback_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    events = Events(ACCEPTED)

    def fail(connection: Connection) -> None:
        raise RuntimeError("a fault of the router")

    events.on_connect = fail
    await events.listener.open()
    _, writer = await events.client()
    await events.next("connect")
    writer.write(dap.encode({"seq": 1}))
    await events.next("message")
    assert "a fault of the router" in caplog.text
    writer.close()
    await events.next("close")
    await events.listener.close()


@asynchronous
async def test_callbacks_belong_to_no_cell() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("cell", default="none")
    variable.set("a cell's")
    seen: list[str] = []
    events = Events(ACCEPTED)
    events.on_connect = lambda connection: seen.append(variable.get())
    events.listener._on_close = lambda connection: (
        seen.append(variable.get()),
        events._tell("close", connection, None),
    )[0]
    await events.listener.open()
    _, writer = await events.client()
    await events.next("connect")
    writer.close()
    await events.next("close")
    assert seen == ["none", "none"]
    await events.listener.close()


# -- who gets in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "force", "comes_in"),
    [
        (ACCEPTED, False, True),
        (ACCEPTED, True, True),
        (REFUSED, False, False),
        (REFUSED, True, False),
        (UNKNOWN, False, False),
        (UNKNOWN, True, True),
    ],
)
@asynchronous
async def test_verdicts(
    verdict: Verdict, force: bool, comes_in: bool, caplog: pytest.LogCaptureFixture
) -> None:
    events = Events(verdict)
    await events.listener.open(force=force)
    with caplog.at_level(logging.INFO, module.__name__):
        reader, writer = await events.client()
        writer.write(dap.encode({"seq": 1}))
        if comes_in:
            await events.next("connect")
            await events.next("message")
        else:
            assert await hung_up(reader) == b""
    writer.close()
    await events.listener.close()
    if comes_in:
        await events.next("close")
    assert events.told.empty()
    assert len(caplog.records) == (verdict is not ACCEPTED)
    assert all(verdict.reason in record.getMessage() for record in caplog.records)


@asynchronous
async def test_the_check_does_not_hold_up_the_loop_and_may_be_too_late() -> None:
    asked, answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def check(ours: Any, theirs: Any) -> Verdict:
        loop.call_soon_threadsafe(asked.set)
        assert answer.wait(TIMEOUT)
        return ACCEPTED

    events = Events()
    events.listener._check = check
    await events.listener.open()
    reader, writer = await events.client()
    await asked.wait()
    await events.listener.close()
    answer.set()
    assert await hung_up(reader) == b""
    writer.close()
    assert events.told.empty()


@asynchronous
async def test_a_check_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    events = Events()
    events.listener._check = lambda ours, theirs: 1 / 0  # type: ignore[return-value,assignment]
    await events.listener.open()
    reader, writer = await events.client()
    assert await hung_up(reader) == b""
    assert "division by zero" in caplog.text
    writer.close()
    await events.listener.close()


@asynchronous
async def test_the_real_check() -> None:
    events = Events()
    await events.listener.open()
    _, writer = await events.client()
    await events.next("connect")
    writer.close()
    await events.next("close")
    await events.listener.close()


@LINUX
@ROOT
@asynchronous
async def test_a_process_of_another_user_is_told_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = Events()
    host, port = await events.listener.open(force=True)
    code = STRANGER.replace("sys.stdin.read()", "os.write(1, b'got %r' % client.recv(100))")
    command = [sys.executable, "-S", "-c", code, host, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stranger:
        loop = asyncio.get_running_loop()
        output, errors = await loop.run_in_executor(None, stranger.communicate)
    assert output == b"got b''" or b"ConnectionResetError" in errors
    assert "uid 65534" in caplog.text
    await events.listener.close()
    assert events.told.empty()


# -- where it listens --------------------------------------------------------------------------


@asynchronous
async def test_a_port_in_use_and_a_second_open() -> None:
    first, second = Events(ACCEPTED), Events(ACCEPTED)
    host, port = await first.listener.open()
    with pytest.raises(ListenError, match=f"Port {port} of {host} is in use already"):
        await second.listener.open(host, port)
    assert second.listener.address is None
    for again in (("127.0.0.1", port), ("localhost", 0)):
        assert await first.listener.open(*again) == (host, port)
    for other in (("127.0.0.1", port + 1), ("127.0.0.2", port), ("127.0.0.1", port, True)):
        with pytest.raises(ListenError, match="Close that port first: %debugctl unlisten"):
            await first.listener.open(*other[:2], force=len(other) > 2)
    assert first.listener.address == (host, port)
    await first.listener.close()
    await second.listener.open(host, port)
    await second.listener.close()


@pytest.mark.parametrize(
    ("host", "port", "force", "match"),
    [
        ("192.0.2.1", 0, True, "not an address of this machine"),
        ("192.0.2.1", 0, False, "SSH tunnel, or force it"),
        ("0.0.0.0", 0, False, "SSH tunnel, or force it"),
        ("::", 0, False, "SSH tunnel, or force it"),
        ("", 0, False, "not an address of this machine"),
        ("no such host.invalid", 0, True, "not an address of this machine"),
        ("127.0.0.1", 65536, False, "no port"),
        ("127.0.0.1", -1, False, "no port"),
    ],
)
@asynchronous
async def test_where_it_cannot_listen(host: str, port: int, force: bool, match: str) -> None:
    events = Events(ACCEPTED)
    with pytest.raises(ListenError, match=match) as caught:
        await events.listener.open(host, port, force=force)
    assert isinstance(caught.value, IpyextError)
    assert events.listener.address is None


@asynchronous
async def test_localhost_and_every_address_by_force() -> None:
    events = Events(ACCEPTED)
    host, _ = await events.listener.open("localhost")
    assert host in ("127.0.0.1", "::1")
    await events.listener.close()
    host, port = await events.listener.open("0.0.0.0", force=True)
    assert host == "0.0.0.0"
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await events.next("connect")
    writer.close()
    await events.next("close")
    await events.listener.close()


@pytest.mark.parametrize("force", [False, True])
@asynchronous
async def test_peers_of_other_machines(
    force: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module.peers, "is_local", lambda ours, theirs: False)
    events = Events(REFUSED)  # is not asked
    await events.listener.open(force=force)
    reader, writer = await events.client()
    if force:
        await events.next("connect")
    else:
        assert await hung_up(reader) == b""
        assert "it is not local" in caplog.text
    writer.close()
    await events.listener.close()


@asynchronous
async def test_small_messages_are_not_delayed() -> None:
    events = Events(ACCEPTED)
    await events.listener.open()
    _, writer = await events.client()
    connection, _ = await events.next("connect")
    accepted = connection._transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not os.get_inheritable(accepted.fileno())
    writer.close()
    await events.next("close")
    await events.listener.close()
