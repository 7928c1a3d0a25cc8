"""Microsoft's test client for debug adapters, `@vscode/debugadapter-testsupport`, from Python.

Its helpers wait and assert; `tests/clients/debug_client.js` calls them in a Node process.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.dap_schema import check
from tests.wire import TIMEOUT

Message = dict[str, Any]
FOLDER = Path(__file__).with_name("clients")
MISSING = [name for name in ("node", "npm") if shutil.which(name) is None]


def install() -> None:
    """Afterwards the client is there; the first call in a checkout downloads it."""
    package = FOLDER / "node_modules" / "@vscode" / "debugadapter-testsupport"
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest come here at the same time
        if not package.is_dir():
            subprocess.run(["npm", "ci"], cwd=FOLDER, check=True, capture_output=True)


class VsCodeClient:
    """A Node process with one `DebugClient`, connected from the start.

    Methods are those of `DebugClient`, see its `debugClient.d.ts`. Every message that it receives
    is checked against the protocol's schema.
    """

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            ["node", str(FOLDER / "debug_client.js"), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._ids = itertools.count(1)
        self._rest = b""
        self.said: list[Message] = []
        self._until(lambda one: "connected" in one, "connection")

    def begin(self, method: str, *arguments: Any) -> int:
        """Call a method; from now on it misses no event. Returns a number for `end`."""
        number = next(self._ids)
        call = {"id": number, "method": method, "arguments": arguments}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(call).encode() + b"\n")
        self.process.stdin.flush()
        self._until(lambda one: one.get("begun") == number, f"call of {method}")
        return number

    def end(self, number: int) -> Any:
        """What the method returned; it must not have failed."""
        found = self._until(lambda one: one.get("ended") == number, f"end of call {number}")
        assert "error" not in found, found["error"]
        return found["result"]

    def do(self, method: str, *arguments: Any) -> Any:
        """Call a method and wait for what it returns; of a response that is the body."""
        result = self.end(self.begin(method, *arguments))
        return result.get("body") if isinstance(result, dict) else result

    def answered(self, command: str) -> None:
        """Wait until a request of that name was answered, for the first time."""
        self._until(lambda one: one.get("answered") == command, f"answer to {command}")

    def event(self, name: str, count: int = 1) -> Message:
        """The body of the `count`-th event of that name."""
        seen = itertools.count(1)
        found = self._until(
            lambda one: one.get("event") == name and next(seen) == count, f"{name} event"
        )
        return dict(found["message"].get("body") or {})

    def kill(self) -> None:
        """The process is gone at once, without a word to anybody."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it, if it has not ended."""
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def _until(self, matches: Callable[[Message], bool], what: str) -> Message:
        end = time.monotonic() + TIMEOUT
        seen = 0
        while True:
            for one in self.said[seen:]:
                if matches(one):
                    return one
            seen = len(self.said)
            self._read(end, what)

    def _read(self, end: float, what: str) -> None:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
        assert readable, f"no {what} within {TIMEOUT} s: {self.said}"
        data = os.read(self.process.stdout.fileno(), 65536)
        assert data, f"the client ended before {what}: {self.said}"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.said.append(json.loads(line))
            if "message" in self.said[-1]:
                check(self.said[-1]["message"])
