"""The connection that debugpy opens: to one peer, once, and only to the one that was told how."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ipyext.debug.backend import Backend
from ipyext.protocol import dap

Message = dict[str, Any]


def answer(to: socket.socket, **body: Any) -> None:
    """What a peer says when it is asked who it is."""
    frames = dap.Frames()
    asked: list[Any] = []
    while not asked:
        asked += frames.feed(to.recv(65536))
    assert asked[0]["command"] == "pydevdAuthorize"
    to.sendall(dap.encode({"seq": 1, "type": "response", "request_seq": 0, "body": body}))


class Debuggee:
    """debugpy, as `connect` plays it."""

    def __init__(self, connect: Callable[[int, str], None]) -> None:
        self.connect = connect
        self.calls: list[str] = []
        self.accepted = threading.Event()

    def load(self) -> None:
        self.calls.append("load")

    def connected(self) -> None:
        self.calls.append("connected")
        self.accepted.set()

    def release(self) -> None:
        self.calls.append("release")

    def disconnect(self) -> None:
        self.calls.append("disconnect")


def session(debuggee: Debuggee) -> list[Any]:
    """Run one to its end; returns what happened in it."""
    seen: list[Any] = []

    async def run() -> None:
        over = asyncio.Event()

        def lost(why: str) -> None:
            seen.append(why)
            over.set()

        backend = Backend(
            debuggee,
            lambda: seen.append("connected"),
            lambda: seen.append("configured"),
            seen.append,
            lost,
        )
        backend.start()
        await asyncio.wait_for(over.wait(), 20)
        await backend.stop()

    asyncio.run(run())
    return seen


def test_others_are_turned_away_and_nothing_listens_afterwards() -> None:
    refused: list[bytes] = []
    later: list[BaseException] = []

    def connect(port: int, token: str) -> None:
        for body in ({}, {"clientAccessToken": token[:-1] + "x"}, {"clientAccessToken": 7}):
            with socket.create_connection(("127.0.0.1", port), 10) as stranger:
                answer(stranger, **body)
                refused.append(stranger.recv(1))  # b"": it was closed
        with socket.create_connection(("127.0.0.1", port), 10) as ours:
            answer(ours, clientAccessToken=token)
            assert debuggee.accepted.wait(10)
            ours.sendall(dap.encode({"seq": 2, "type": "event", "event": "initialized"}))
            with pytest.raises(ConnectionRefusedError) as error:
                socket.create_connection(("127.0.0.1", port), 10)
            later.append(error.value)

    debuggee = Debuggee(connect)
    seen = session(debuggee)
    assert refused == [b""] * 3
    assert len(later) == 1
    assert seen[0] == "connected"
    assert {"seq": 2, "type": "event", "event": "initialized"} in seen
    assert "The connection to debugpy was closed." in seen
    calls = [call for call in debuggee.calls if call != "release"]  # unless `connect` was quicker
    assert calls == ["load", "connected", "disconnect"]


def test_every_start_has_a_token_of_its_own() -> None:
    tokens = []

    def connect(port: int, token: str) -> None:
        tokens.append(token)
        raise OSError("no")

    for _ in range(3):
        seen = session(Debuggee(connect))
        assert seen == ["The debugger could not be started: no"]
    assert len(set(tokens)) == 3
    assert all(len(token) >= 32 for token in tokens)


def test_a_debugpy_that_is_not_there() -> None:
    def connect(port: int, token: str) -> None:
        raise ImportError("No module named 'debugpy'")

    seen = session(Debuggee(connect))
    assert len(seen) == 1
    assert "pip install debugpy" in seen[0]
