"""A DAP client on the control channel, as plain as can be, that keeps everything it saw.

Every message that is looked at is checked against the protocol's schema.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.dap_schema import check
from tests.wire import TIMEOUT, Wire

Message = dict[str, Any]


class JupyterDap:
    """Speaks `debug_request` over a Wire.

    Attributes:
        check: what every message must pass; the stock kernel's do not.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.check: Callable[[Message], Message] = check
        self._seq = itertools.count(1)
        self._seen = 0

    def begin(self, command: str, **arguments: Any) -> str:
        """Send a request; returns the Jupyter message id."""
        request = {
            "type": "request",
            "seq": next(self._seq),
            "command": command,
            "arguments": arguments,
        }
        return self.wire.send("debug_request", request, channel="control")

    def end(self, msg_id: str, timeout: float = TIMEOUT) -> Message:
        """The response to a request that was begun."""
        return self.check(self.wire.wait(msg_id, timeout=timeout)[0].content)

    def ask(self, command: str, **arguments: Any) -> Message:
        """Send a request and wait for its response."""
        return self.end(self.begin(command, **arguments))

    def do(self, command: str, **arguments: Any) -> Message:
        """The same, which must go well; returns the body."""
        response = self.ask(command, **arguments)
        assert response["success"], response
        body: Message = response.get("body") or {}
        return body

    def attach(self, **arguments: Any) -> None:
        """As JupyterLab begins."""
        self.do("initialize", clientID="jupyterlab", clientName="JupyterLab", adapterID="")
        self.do("attach", **arguments)

    def events(self, name: str | None = None) -> list[Message]:
        """The events since `forget`, in order."""
        found = [self.check(message["content"]) for message in self.wire.debug_events[self._seen :]]
        return [event for event in found if name in (None, event["event"])]

    def wait_event(self, name: str, count: int = 1, timeout: float = TIMEOUT) -> Message:
        """The `count`-th event of that name since `forget`."""
        self.wire.until(lambda: len(self.events(name)) >= count, timeout, f"{count} {name} events")
        return self.events(name)[count - 1]

    def said(self) -> str:
        """What output events have said since `forget`."""
        return "".join(event["body"]["output"] for event in self.events("output"))

    def forget(self) -> None:
        """What came so far does not count any more."""
        self.wire.pump()
        self._seen = len(self.wire.debug_events)

    def cell(self, code: str) -> str:
        """The path of a cell, written out."""
        path: str = self.do("dumpCell", code=code)["sourcePath"]
        return path

    def set_breakpoints(self, path: str, *lines: Any) -> list[Message]:
        """Lines, or whole SourceBreakpoints."""
        wanted = [{"line": line} if isinstance(line, int) else line for line in lines]
        found: list[Message] = self.do("setBreakpoints", source={"path": path}, breakpoints=wanted)[
            "breakpoints"
        ]
        return found

    def frames(self, thread: int) -> list[Message]:
        """The stack of a stopped thread."""
        found: list[Message] = self.do("stackTrace", threadId=thread)["stackFrames"]
        return found

    def locals(self, frame: int) -> dict[str, str]:
        """Local variables of a frame by name."""
        scopes = self.do("scopes", frameId=frame)["scopes"]
        found = self.do("variables", variablesReference=scopes[0]["variablesReference"])
        return {one["name"]: one["value"] for one in found["variables"]}

    def names(self) -> dict[str, int]:
        """Threads by name."""
        return {one["name"]: one["id"] for one in self.do("threads")["threads"]}
