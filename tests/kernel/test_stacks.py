"""Looking at a busy kernel from within, without a debugger."""

from __future__ import annotations

import ast
from typing import Any

from tests.conftest import LANE
from tests.wire import Wire

LOOK = """
import ipyext.extension
from ipyext.debug.stacks import collect
found = collect(ipyext.extension.active().engine)
[(s.label, s.state, [(f.function, f.line, f.source, f.cell) for f in s.frames], s.as_text())
 for s in found.shells]
"""
LOOP = """
def spin():
    while not go.is_set():
        pass
    return 'spun'

def work():
    return spin()

work()
"""


def look(kernel: Wire, child: str) -> dict[str, Any]:
    answer = kernel.execute(LOOK, subshell=child)
    assert answer.status == "ok", answer.content
    return {shell[0]: shell[1:] for shell in ast.literal_eval(str(answer.result))}


def until(kernel: Wire, child: str, condition: str) -> None:
    """Have `child` look until `condition` holds for what it `sees` of the other one."""
    answer = kernel.execute(
        f"""
        import ipyext.extension, time
        from ipyext.debug.stacks import collect
        engine = ipyext.extension.active().engine
        while True:
            sees = collect(engine).of("other")
            if {condition}:
                break
            time.sleep(0.001)
        """,
        subshell=child,
    )
    assert answer.status == "ok", answer.content


def test_main_in_a_loop(kernel: Wire, child: str) -> None:
    kernel.control("create_subshell_request", {"name": "idle"})
    main = kernel.begin(LOOP)
    found = look(kernel, child)
    state, frames, text = found["main"]
    assert state == "busy"
    # `begin` has put one line in front.
    assert frames[0][:3] in (
        ("spin", 4, "while not go.is_set():"),
        ("spin", 5, "pass"),
    )
    assert [frame[:3] for frame in frames[1:]] == [
        ("work", 9, "return spin()"),
        ("<module>", 11, "work()"),
    ]
    if LANE >= 6:
        cell = frames[0][3]
        assert cell.startswith("In[")
        assert f"Cell {cell}, line 9, in work\n      return spin()" in text
    assert found["idle"][:2] == ("idle", [])
    # The child that looks: its own cell, and nothing of what it calls.
    assert [frame[0] for frame in found[child][1]] == ["<module>"]
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(main)[0].result == "'spun'"
    assert look(kernel, child)["main"][:2] == ("idle", [])


def test_children_and_what_they_wait_for(kernel: Wire, child: str) -> None:
    other = kernel.create("other")
    cell = kernel.begin("def nap():\n    time.sleep(60)\nnap()", subshell=other)

    until(kernel, child, "sees.state == 'sleeping'")
    _, frames, _ = look(kernel, child)["other"]
    assert [frame[:3] for frame in frames] == [
        ("nap", 3, "time.sleep(60)"),
        ("<module>", 4, "nap()"),
    ]
    kernel.control("interrupt_request", {"subshell_id": other})
    assert kernel.wait(cell)[0].content["ename"] == "KeyboardInterrupt"


def test_a_cell_that_awaits(kernel: Wire, child: str) -> None:
    other = kernel.create("other")
    cell = kernel.begin(
        "stop, loop = asyncio.Event(), asyncio.get_running_loop()\nawait stop.wait()",
        subshell=other,
    )

    until(kernel, child, "not sees.frames")
    state, frames, text = look(kernel, child)["other"]
    assert (state, frames) == ("busy", [])
    assert "awaits something" in text
    kernel.execute("loop.call_soon_threadsafe(stop.set)", subshell=child)
    assert kernel.wait(cell)[0].status == "ok"


def test_native_code_that_an_interrupt_has_not_reached(kernel: Wire, child: str) -> None:
    other = kernel.create("other")
    kernel.execute("held = threading.Lock()\nassert held.acquire()", subshell=child)
    cell = kernel.begin("held.acquire()", subshell=other)
    assert "an interrupt has been waiting" not in look(kernel, child)["other"][2]
    kernel.control("interrupt_request", {"subshell_id": other})

    until(kernel, child, "sees.native is not None")
    _, frames, text = look(kernel, child)["other"]
    assert frames[0][2] == "held.acquire()"
    assert "an interrupt has been waiting" in text
    kernel.execute("held.release()", subshell=child)
    assert kernel.wait(cell)[0].content["ename"] == "KeyboardInterrupt"
