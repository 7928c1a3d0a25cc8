"""G3: control never waits for a cell, a subshell or an input()."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.wire import KernelProcess, Wire

LOOP = "while not go.is_set(): pass"
PROMPTLY = 5.0  # seconds; cells below never end by themselves, so any bound tells
Crowd = Callable[[Wire], list[str]]


def main_loops(kernel: Wire) -> list[str]:
    return [kernel.begin(LOOP)]


def main_waits(kernel: Wire) -> list[str]:
    return [kernel.begin("go.wait()")]


def main_awaits(kernel: Wire) -> list[str]:
    return [kernel.begin("while not go.is_set(): await asyncio.sleep(0.01)")]


def three_children_loop(kernel: Wire) -> list[str]:
    return [kernel.begin(LOOP, subshell=kernel.create()) for _ in range(3)]


def all_loop(kernel: Wire) -> list[str]:
    return [*three_children_loop(kernel), *main_loops(kernel)]


CROWDS = [main_loops, main_waits, main_awaits, three_children_loop, all_loop]


@pytest.fixture(params=CROWDS, ids=lambda crowd: str(crowd.__name__))
def busy(request: Any, kernel: Wire, child: str) -> Any:
    """A kernel that is busy in one way or another; `child` is idle."""
    running = request.param(kernel)
    yield kernel
    kernel.execute("go.set()", subshell=kernel.create())
    kernel.wait(*running)


def ask(kernel: Wire, msg_type: str, content: Any = None) -> dict[str, Any]:
    msg_id = kernel.send(msg_type, content, channel="control")
    return kernel.wait(msg_id, timeout=PROMPTLY)[0].content


def test_kernel_info(busy: Wire) -> None:
    info = ask(busy, "kernel_info_request")
    assert info["status"] == "ok"
    assert "kernel subshells" in info["supported_features"]


def test_usage(busy: Wire) -> None:
    usage = ask(busy, "usage_request")
    assert usage["pid"] > 0
    assert usage["kernel_memory"] > 0


def test_create_list_delete(busy: Wire, child: str) -> None:
    created = ask(busy, "create_subshell_request")["subshell_id"]
    listed = ask(busy, "list_subshell_request")["subshell_id"]
    assert {child, created} <= set(listed)
    assert ask(busy, "delete_subshell_request", {"subshell_id": created}) == {"status": "ok"}
    assert created not in ask(busy, "list_subshell_request")["subshell_id"]


def test_a_new_child_can_be_used_at_once(busy: Wire) -> None:
    created = ask(busy, "create_subshell_request")["subshell_id"]
    cell = busy.send_execute("6 * 7", subshell=created)
    assert busy.wait(cell, timeout=PROMPTLY)[0].result == "42"


def test_interrupt_of_an_idle_child_hits_nobody(busy: Wire, child: str) -> None:
    assert ask(busy, "interrupt_request", {"subshell_id": child}) == {"status": "ok"}


def test_many_requests_at_once(busy: Wire) -> None:
    sent = [busy.send("kernel_info_request", channel="control") for _ in range(20)]
    assert {a.status for a in busy.wait(*sent, timeout=PROMPTLY * 2)} == {"ok"}


def test_an_execute_request_on_control(busy: Wire) -> None:
    assert ask(busy, "execute_request", {"code": "1", "silent": False})["status"] == "ok"


def test_a_slow_handler_of_others_is_busy_from_the_start(kernel: Wire, child: str) -> None:
    handler = (
        "async def slow(stream, ident, parent):\n"
        "    go.wait(30)\n"
        "    kernel.session.send(stream, 'slow_reply', {'status': 'ok'}, parent, ident)\n"
        "kernel = get_ipython().kernel\nkernel.control_handlers['slow_request'] = slow"
    )
    kernel.execute(handler)
    asked = kernel.send("slow_request", channel="control")
    kernel.until(lambda: kernel.answers[asked].states == ["busy"], what="busy")
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(asked)[0].status == "ok"
    kernel.execute("del kernel.control_handlers['slow_request']")


def test_control_is_free_while_a_cell_sent_on_control_runs(kernel: Wire, child: str) -> None:
    cell = {"code": "print('begun'); go.wait()", "silent": False}
    running = kernel.send("execute_request", cell, channel="control")
    kernel.wait_for_text(running, "begun")
    assert ask(kernel, "kernel_info_request")["status"] == "ok"
    kernel.execute("go.set()")
    kernel.wait(running)


def test_interrupt_ends_the_loop_of_main(kernel: Wire, child: str) -> None:
    (running,) = main_loops(kernel)
    assert ask(kernel, "interrupt_request") == {"status": "ok"}
    assert kernel.wait(running, timeout=PROMPTLY)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("'alive'").result == "'alive'"


def test_interrupt_ends_the_loops_of_three_children(kernel: Wire, child: str) -> None:
    running = three_children_loop(kernel)
    assert ask(kernel, "interrupt_request") == {"status": "ok"}
    answers = kernel.wait(*running, timeout=PROMPTLY)
    assert {a.content["ename"] for a in answers} == {"KeyboardInterrupt"}
    assert kernel.execute("'alive'").result == "'alive'"


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: str(crowd.__name__))
@pytest.mark.parametrize("restart", [False, True])
def test_shutdown(
    kernel: Wire, child: str, process: KernelProcess, crowd: Crowd, restart: bool
) -> None:
    running = crowd(kernel)
    for msg_id in running:
        kernel.expect_reply[msg_id] = False  # main's cell is lost with its process, as in stock
    msg_id = kernel.send("shutdown_request", {"restart": restart}, channel="control")
    kernel.until(lambda: kernel.answers[msg_id].reply is not None, timeout=PROMPTLY)
    reply = kernel.answers[msg_id].content
    assert (reply["status"], reply["restart"]) == ("ok", restart)
    kernel.expect_reply[msg_id] = False  # its idle may be lost with the process
    if crowd is three_children_loop:
        assert process.gone_within(PROMPTLY)


def test_control_while_main_and_a_child_wait_for_input(kernel: Wire, child: str) -> None:
    sent = [
        kernel.send_execute("input('? ')", subshell=where, allow_stdin=True)
        for where in (None, child)
    ]
    questions = kernel.wait_for_input(2)
    assert ask(kernel, "kernel_info_request")["status"] == "ok"
    assert ask(kernel, "list_subshell_request")["subshell_id"] == [child]
    for question in questions:
        kernel.answer_input(question, "x")
    kernel.wait(*sent)


def test_control_answers_two_clients(kernel: Wire, child: str, process: KernelProcess) -> None:
    other = process.client()
    running = kernel.begin(LOOP)
    mine = [kernel.send("kernel_info_request", channel="control") for _ in range(5)]
    theirs = [other.send("kernel_info_request", channel="control") for _ in range(5)]
    kernel.wait(*mine)
    other.wait(*theirs)
    other.check()
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running)


def test_control_replies_are_unaffected_by_a_flood_on_shell(kernel: Wire, child: str) -> None:
    (running,) = main_loops(kernel)
    flood = [kernel.send_execute(str(n), subshell=child) for n in range(100)]
    assert ask(kernel, "kernel_info_request")["status"] == "ok"
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running, *flood)


def test_an_import_that_hangs(kernel: Wire, child: str) -> None:
    """On a network drive, for instance. Whoever looks for a module waits for it as well."""
    kernel.execute(
        "import sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'on_a_network_drive':\n"
        "            inside.set(); go.wait(30)\n"
        "inside = threading.Event()\n"
        "sys.meta_path.insert(0, Slow())"
    )
    running = kernel.send_execute("import on_a_network_drive")
    assert kernel.execute("inside.wait(20)", subshell=child).result == "True"
    assert ask(kernel, "usage_request")["pid"]
    for request in ("kernel_info_request", "list_subshell_request"):
        assert ask(kernel, request)["status"] == "ok"
    created = ask(kernel, "create_subshell_request")["subshell_id"]
    assert ask(kernel, "delete_subshell_request", {"subshell_id": created})["status"] == "ok"
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(running)[0].content["ename"] == "ModuleNotFoundError"
    kernel.execute("del sys.meta_path[0]")
