"""What is sent to one subshell, by whichever way, runs there in the order in which it was sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire import Wire

# Launching cells are held, in main and in the service thread, until `gate` is set.
HOLD = """
gate, held, order = threading.Event(), threading.Event(), []
def hold(info):
    if threading.current_thread().name in ("MainThread", "subshell-ipyext-service"):
        if "--detach" in info.raw_cell:
            held.set()
            gate.wait(30)
get_ipython().events.register("pre_run_cell", hold)
"""
DETACHED = "%%subshell work --detach\norder.append({})"
ROUTED = "%%subshell work\norder.append({})"
OTHER = "%%subshell other\n'other'"
MAIN = "'main'"


@pytest.fixture
def held(kernel: Wire, child: str) -> Iterator[str]:
    """The id of a child, in a kernel where launching takes as long as a test wants."""
    assert kernel.execute(HOLD).status == "ok"
    yield child
    kernel.execute("gate.set(); get_ipython().events.unregister('pre_run_cell', hold)")


@pytest.mark.parametrize("busy", [False, True], ids=["main idle", "main busy"])
@pytest.mark.parametrize(
    "cells",
    [
        [DETACHED, DETACHED],
        [DETACHED, ROUTED],
        [ROUTED, DETACHED, ROUTED],
        [DETACHED, DETACHED, OTHER, ROUTED, DETACHED],
        [DETACHED, MAIN, DETACHED, ROUTED, MAIN, DETACHED],
    ],
)
def test_the_order_of_sending(kernel: Wire, held: str, cells: list[str], busy: bool) -> None:
    main = kernel.begin("go.wait(30)") if busy else None
    sent = [kernel.send_execute(cell.format(number)) for number, cell in enumerate(cells)]
    kernel.execute("held.wait(30)", subshell=held)
    # Whoever takes another way than the first one has had the time to overtake it.
    kernel.execute("gate.set()", subshell=held)
    if main is not None:
        kernel.execute("go.set()", subshell=held)
        kernel.wait(main)
    answers = kernel.wait(*sent)
    assert [answer.status for answer in answers] == ["ok"] * len(sent), answers[0].content
    kernel.execute("%%subshell work\npass")  # behind them all
    wanted = [number for number, cell in enumerate(cells) if "order" in cell]
    assert kernel.execute("order").result == repr(wanted)


def test_launching_cells_in_a_row_count_as_one_by_one(kernel: Wire, held: str) -> None:
    before = kernel.execute("1").content["execution_count"]
    sent = [kernel.send_execute(DETACHED.format(number)) for number in range(3)]
    kernel.execute("gate.set()", subshell=held)
    counts = [answer.content["execution_count"] for answer in kernel.wait(*sent)]
    assert counts == [before + 1, before + 2, before + 3]


def test_a_launching_cell_that_fails_keeps_no_place(kernel: Wire, held: str) -> None:
    launch = kernel.send_execute("%%subshell work --detach --job 1x\n0", stop_on_error=False)
    kernel.execute("held.wait(30)", subshell=held)
    behind = kernel.send_execute(ROUTED.format(1))
    kernel.execute("gate.set()", subshell=held)
    launched, routed = kernel.wait(launch, behind)
    assert launched.content["ename"] == "UsageError"
    assert routed.status == "ok"
    assert kernel.execute("order").result == "[1]"


def test_a_subshell_that_is_deleted_before_the_launch(kernel: Wire, held: str) -> None:
    launch = kernel.send_execute(DETACHED.format(0) + "\n'launched'")
    kernel.execute("held.wait(30)", subshell=held)
    behind = kernel.send_execute(ROUTED.format(1))
    kernel.execute("%subshell delete work", subshell=held)
    assert kernel.wait(behind)[0].content["ename"] == "SubshellDeletedError"
    kernel.execute("gate.set()", subshell=held)
    assert kernel.wait(launch)[0].status == "ok"  # in a new subshell of that name
    kernel.execute("%%subshell work\npass")
    assert kernel.execute("order").result == "[0]"


def test_the_table_while_a_place_is_kept(kernel: Wire, held: str) -> None:
    launch = kernel.send_execute(DETACHED.format(0))
    kernel.execute("held.wait(30)", subshell=held)
    shells = "import ipyext\n[(s.state, s.queued) for s in ipyext.subshells() if s.name == 'work']"
    assert kernel.execute(shells, subshell=held).result == "[('idle', 1)]"
    kernel.execute("gate.set()", subshell=held)
    kernel.wait(launch)
