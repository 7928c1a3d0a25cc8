"""Loaded while cells wait behind: what "Run All" does in a notebook that begins with the load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire import KernelProcess, Wire

GATE = "gate"  # a named pipe in the kernel's folder
WAIT = (
    "import threading\ngo, ready = threading.Event(), threading.Event()\n"
    f"with open({GATE!r}) as gate: gate.read()\n"
    "ready.set()"
)
LOAD = "%load_ext ipyext"
BUSY = "print('begun', flush=True)\ngo.wait(30)\n'main'"


@pytest.fixture
def run(stock: Wire, process: KernelProcess) -> Iterator[Wire]:
    """A stock kernel that waits for `go_on` before it does anything else; G1 is checked."""
    gate = Path(process.home.name, GATE)
    os.mkfifo(gate)
    first = stock.begin(WAIT)
    yield stock
    gate.unlink()
    stock.wait(first)
    stock.pump()
    stock.check()
    assert stock.stray_output() == []


def go_on(run: Wire, process: KernelProcess, *cells: str) -> list[str]:
    """Have these cells wait in the kernel, and then let it go on."""
    sent = [run.send_execute(cell) for cell in cells]
    Path(process.home.name, GATE).write_text("")
    return sent


def table(run: Wire) -> str:
    return run.execute("%subshell").shown[0]


def test_cells_behind_the_load_are_routed(run: Wire, process: KernelProcess) -> None:
    cells = (LOAD, BUSY, "%%subshell look\n'in look'", "%subshell", "'later'")
    load, busy, look, asked, later = go_on(run, process, *cells)
    run.wait_for_text(busy, "begun")
    answers = run.wait(load, look, asked)
    assert [answer.status for answer in answers] == ["ok"] * 3
    assert answers[1].result == "'in look'"
    assert answers[1].content["execution_count"] == 1
    assert run.execute("%%subshell look\ngo.set()").status == "ok"
    assert [answer.result for answer in run.wait(busy, later)] == ["'main'", "'later'"]


def test_main_is_known_to_be_busy(run: Wire, process: KernelProcess) -> None:
    load, busy, child = go_on(
        run, process, LOAD, BUSY, "%%subshell worker\nprint('begun', flush=True)\nready.wait(30)"
    )
    run.wait_for_text(busy, "begun")
    run.wait(load)
    row = next(line for line in table(run).splitlines() if " main " in line)
    assert "busy" in row
    assert "print('begun'" in row
    assert run.request("complete_request", {"code": "go.is_s", "cursor_pos": 7}).status == "ok"
    assert run.control("interrupt_request")["status"] == "ok"
    assert run.wait(busy)[0].content["ename"] == "KeyboardInterrupt"
    assert run.wait(child)[0].status == "ok"  # `ready` was set; no interrupt has hit it


def test_the_rest_of_the_cell_that_loads(run: Wire, process: KernelProcess) -> None:
    (cell,) = go_on(run, process, f"{LOAD}\n{BUSY}")
    run.wait_for_text(cell, "begun")
    assert "busy" in next(line for line in table(run).splitlines() if " main " in line)
    running = run.begin("ready.clear(); ready.wait(30)", subshell=run.create())
    assert run.control("interrupt_request")["status"] == "ok"
    assert run.wait(cell)[0].content["ename"] == "KeyboardInterrupt"
    assert run.execute("%%subshell\nready.set()").status == "ok"
    assert run.wait(running)[0].status == "ok"
    idle = run.execute("%%subshell look\n%subshell").shown[0]
    assert "idle" in next(line for line in idle.splitlines() if " main " in line)


def test_load_and_unload_in_one_go(run: Wire, process: KernelProcess) -> None:
    cells = (LOAD, "1", "%unload_ext ipyext", "2", LOAD, "%%subshell look\n3", "4")
    answers = run.wait(*go_on(run, process, *cells))
    assert [a.status for a in answers] == ["ok"] * 7, [a.content for a in answers]
    assert [answer.result for answer in answers] == [None, "1", None, "2", None, "3", "4"]
