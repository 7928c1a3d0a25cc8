"""Steps in cells that await: over an `await`, into what is awaited, and out of it."""

from __future__ import annotations

import pytest

from tests.dap import JupyterDap

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

WAYS = {  # from a line of the cell or of a function, to others
    "over": (8, "next", [9, 10, 11, 12, 11, 12, 11, 13]),
    "over, in a coroutine": (6, "next", [("twice", 7)]),
    "over, in a coroutine that waits": (3, "next", [("add", 4)]),
    "into a coroutine": (8, "stepIn", [("twice", 6), ("add", 3), ("add", 4), ("twice", 6)]),
    "into tasks": (9, "stepIn", [("add", 3)]),
    "out of a coroutine": (3, "stepOut", [("twice", 6), 8]),
    "out of an await that returns": (7, "stepOut", [8]),
}

FAILS = """\
import asyncio
async def wait():
    try:
        await asyncio.wait_for(asyncio.sleep(100), 0.001)
    except asyncio.TimeoutError:
        return 'late'
await wait()
"""


def walk(
    debugger: JupyterDap, where: str | None, code: str, line: int, command: str, count: int
) -> tuple[str | None, list[tuple[str, int]]]:
    """Run a cell up to a line, and take that many steps; its result, and where they have led."""
    path = debugger.cell(code)
    debugger.set_breakpoints(path, line)
    debugger.forget()
    running = debugger.wire.send_execute(code, subshell=where)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    debugger.set_breakpoints(path)
    found = []
    for _ in range(count):
        debugger.forget()
        debugger.do(command, threadId=thread)
        assert debugger.wait_event("stopped")["body"]["threadId"] == thread
        frame = debugger.frames(thread)[0]
        found.append((frame["name"], frame["line"]))
    debugger.do("continue", threadId=thread)
    return debugger.wire.wait(running)[0].result, found


@pytest.mark.parametrize("way", WAYS)
def test_steps(debugger: JupyterDap, where: str | None, way: str) -> None:
    line, command, expected = WAYS[way]
    result, found = walk(debugger, where, CODE, line, command, len(expected))
    assert [line if name == "<module>" else (name, line) for name, line in found] == expected
    assert result == "(3, [3, 4])"


def test_step_over_an_await_that_raises(debugger: JupyterDap, where: str | None) -> None:
    result, found = walk(debugger, where, FAILS, 4, "next", 2)
    assert found == [("wait", 5), ("wait", 6)]
    assert result == "'late'"
