"""Steps in cells that await: over an `await`, into what is awaited, and out of it."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap
from tests.wire import Wire

CODE = """\
import asyncio
async def add(n):
    await asyncio.sleep(0.001)
    return n + 1
async def twice(n):
    n = await add(n)
    return await add(n)
a = await twice(1)
b = await asyncio.gather(add(2), add(3))
await asyncio.sleep(0.001)
for i in range(2):
    await asyncio.sleep(0.001)
(a, b)
"""

WAYS = {
    "over": (8, "next", ["", 9, 10, 11, 12, 11, 12, 11, 13]),
    "over, in a coroutine": (6, "next", ["twice", 7]),
    "over, in a coroutine that waits": (3, "next", ["add", 4]),
    "into a coroutine": (8, "stepIn", ["twice", 6, "add", 3, 4, "twice", 6, 7, "add", 3]),
    "into tasks": (9, "stepIn", ["add", 3]),
    "out of a coroutine": (3, "stepOut", ["twice", 6, "", 8]),
    "out of an await that returns": (7, "stepOut", ["", 8]),
}


@pytest.mark.parametrize("way", WAYS)
def test_steps(kernel: Wire, debugger: JupyterDap, where: str | None, way: str) -> None:
    line, command, expected = WAYS[way]
    path = debugger.cell(CODE)
    debugger.set_breakpoints(path, line)
    debugger.forget()
    running = kernel.send_execute(CODE, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    debugger.set_breakpoints(path)
    name, places = "", []
    for one in expected:
        if isinstance(one, str):
            name = one
        else:
            places.append((name or "<module>", one))
    found = []
    for _ in places:
        debugger.forget()
        debugger.do(command, threadId=thread)
        assert debugger.wait_event("stopped")["body"]["threadId"] == thread
        frame = debugger.frames(thread)[0]
        found.append((frame["name"], frame["line"]))
    assert found == places
    debugger.do("continue", threadId=thread)
    assert kernel.wait(running)[0].result == "(3, [3, 4])"
