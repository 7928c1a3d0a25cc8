"""A DAP client on a TCP port, as plain as can be, that keeps everything it saw.

Every message is checked against the protocol's schema.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

from ipyext.protocol import dap
from tests.dap_schema import check
from tests.wire import TIMEOUT

Message = dict[str, Any]


class TcpDap:
    """Connected from the start.

    Attributes:
        check: what every message must pass; debugpy's own do not.
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT)
        self._frames = dap.Frames()
        self._numbers = itertools.count(1)
        self.check: Callable[[Message], Message] = check
        self.messages: list[Message] = []

    def send_bytes(self, data: bytes) -> None:
        """Whatever that is."""
        self._socket.sendall(data)

    def begin(self, command: str, **arguments: Any) -> int:
        """Send a request; returns its number."""
        seq = next(self._numbers)
        request = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
        self.send_bytes(dap.encode(request))
        return seq

    def until(self, matches: Any, what: str) -> Message:
        """The first message, of all that came or come, that `matches` says yes to."""
        end = time.monotonic() + TIMEOUT
        seen = 0
        while True:
            for message in self.messages[seen:]:
                if matches(message):
                    return message
            seen = len(self.messages)
            left = end - time.monotonic()
            assert left > 0, f"no {what} within {TIMEOUT} s: {self.messages}"
            self._socket.settimeout(left)
            data = self._socket.recv(65536)
            assert data, f"the connection was closed before {what}: {self.messages}"
            for found in self._frames.feed(data):
                assert not isinstance(found, ValueError)
                self.messages.append(self.check(found))

    def ends_or_says(self) -> Message | None:
        """The next message; None if the connection is closed instead."""
        self._socket.settimeout(TIMEOUT)
        while True:
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            for found in self._frames.feed(data):
                assert isinstance(found, dict)
                return self.check(found)

    def end(self, seq: int) -> Message:
        """The response to a request that was begun."""
        return self.until(lambda message: message.get("request_seq") == seq, f"response to {seq}")

    def do(self, command: str, **arguments: Any) -> Message:
        """Send a request, which must go well; returns the body."""
        response = self.end(self.begin(command, **arguments))
        assert response["success"], response
        body: Message = response.get("body") or {}
        return body

    def event(self, name: str, count: int = 1) -> Message:
        """The body of the `count`-th event of that name."""

        def matches(message: Message) -> bool:
            return message.get("event") == name and self._count(name, message) == count

        return dict(self.until(matches, f"{name} event").get("body") or {})

    def _count(self, name: str, last: Message) -> int:
        found = [message for message in self.messages if message.get("event") == name]
        return found.index(last) + 1

    def attach(self) -> None:
        """As VS Code begins."""
        self.do("initialize", clientID="vscode", adapterID="debugpy", pathFormat="path")
        self.do("attach")
        self.event("initialized")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
