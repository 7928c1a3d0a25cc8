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


GENERATORS = """\
import asyncio
async def add(n):
    await asyncio.sleep(0.001)
    return n + 1
async def numbers():
    n = 1
    await asyncio.sleep(0)
    yield await add(n)
    n = await add(5)
    yield n
    n = 0
async def wait():
    for _ in range(9):
        await asyncio.sleep(0)
async def use():
    found = [n async for n in numbers()]
    more = {await add(n) for n in range(3) if n}
    last = [[abs(m) for m in range(n)] for n in found]
    return found, more, last
found, _ = await asyncio.gather(use(), wait())
all = [n async for n in numbers()]
one = [abs(n) for n in all]
(found, all, one)
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(6, [("numbers", line) for line in (7, 8, 9, 10, 11)], id="generator"),
        pytest.param(16, [("use", line) for line in (17, 18, 19)], id="comprehensions"),
        pytest.param(21, [("<module>", line) for line in (22, 23)], id="comprehensions of cells"),
    ],
)
def test_step_over(
    debugger: JupyterDap, where: str | None, line: int, expected: list[tuple[str, int]]
) -> None:
    """An asynchronous generator that waits has not ended; a comprehension is one step."""
    result, found = walk(debugger, where, GENERATORS, line, "next", len(expected))
    assert found == expected
    assert result == "(([2, 6], {2, 3}, [[0, 1], [0, 1, 2, 3, 4, 5]]), [2, 6], [2, 6])"


GIVES_UP = """\
import asyncio
async def fail():
    await asyncio.sleep(0)
    raise ValueError
async def numbers():
    try:
        yield await asyncio.sleep(0, 1)
        await fail()
    finally:
        n = 0
async def use():
    try:
        async for n in numbers():
            pass
    except ValueError:
        return 'failed'
await use()
"""


def test_step_over_an_await_that_raises_in_a_generator(
    debugger: JupyterDap, where: str | None
) -> None:
    result, found = walk(debugger, where, GIVES_UP, 7, "next", 2)
    assert found == [("numbers", 8), ("numbers", 10)]
    assert result == "'failed'"
