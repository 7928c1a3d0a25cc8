"""What ipykernel 7's subshells do for clients, here on every version of ipykernel."""

from __future__ import annotations

import ast

import pytest

from tests.wire import KernelProcess, Wire

WHERE = "import threading\n(threading.get_ident(), threading.main_thread().ident)"


def test_the_kernel_says_that_it_has_subshells(kernel: Wire) -> None:
    for channel in ("shell", "control"):
        info = kernel.request("kernel_info_request", channel=channel).content
        assert info["supported_features"].count("kernel subshells") == 1
        assert info["protocol_version"].startswith("5.")


def test_features_that_were_there_stay(process: KernelProcess) -> None:
    kernel = process.client()
    before = kernel.control("kernel_info_request")
    kernel.execute("%load_ext ipyext")
    after = kernel.control("kernel_info_request")
    assert set(after["supported_features"]) >= set(before.get("supported_features", []))
    for name in ("implementation", "implementation_version", "language_info"):
        assert after[name] == before[name]


def test_a_created_subshell_is_listed_until_it_is_deleted(kernel: Wire) -> None:
    made = kernel.control("create_subshell_request")
    assert set(made) == {"status", "subshell_id"}
    assert kernel.shells() == [made["subshell_id"]]
    assert kernel.delete(made["subshell_id"]) == {"status": "ok"}
    assert kernel.shells() == []


def test_replies_carry_the_id_only_in_the_parent_header(kernel: Wire, child: str) -> None:
    answer = kernel.execute("'x'", subshell=child)
    assert answer.reply is not None
    for message in (answer.reply, *answer.iopub):
        assert message["parent_header"]["subshell_id"] == child
        assert "subshell_id" not in message["header"]
        assert "subshell_id" not in message["content"]


def test_main_keeps_out_of_it(kernel: Wire, child: str) -> None:
    answer = kernel.execute("'x'")
    assert answer.reply is not None
    for message in (answer.reply, *answer.iopub):
        assert message["parent_header"].get("subshell_id") is None


def test_a_subshell_id_of_null_is_main(kernel: Wire, child: str) -> None:
    header = kernel.header("execute_request", subshell_id=None)
    content = b'{"code": "threading.current_thread() is threading.main_thread()", "silent": false}'
    msg_id = kernel.send_parts("shell", header, content)
    assert kernel.wait(str(msg_id))[0].result == "True"


def test_every_subshell_is_one_more_thread(kernel: Wire) -> None:
    kernel.execute("import threading")
    count = "threading.active_count()"

    def threads() -> int:
        return int(str(kernel.execute(count).result))

    before = threads()
    made = [kernel.create() for _ in range(5)]
    assert threads() == before + 5
    for subshell in made:
        kernel.delete(subshell)
    assert threads() == before


def test_main_runs_on_the_main_thread_and_children_do_not(kernel: Wire) -> None:
    here, main = ast.literal_eval(str(kernel.execute(WHERE).result))
    assert here == main
    seen = {here}
    for subshell in (kernel.create(), kernel.create()):
        for _ in range(2):
            here, main = ast.literal_eval(str(kernel.execute(WHERE, subshell=subshell).result))
            assert here != main
        seen.add(here)
    assert len(seen) == 3


@pytest.mark.parametrize("with_main", [True, False])
def test_shells_run_side_by_side(kernel: Wire, with_main: bool) -> None:
    """Three cells meet at a barrier, which none could pass if they ran one after another."""
    kernel.execute("import threading; meet = threading.Barrier(3, timeout=30)")
    shells = [None if with_main else kernel.create(), kernel.create(), kernel.create()]
    cell = "for _ in range(5): turn = meet.wait()\n'met'"
    sent = [kernel.send_execute(cell, subshell=subshell) for subshell in shells]
    assert [answer.result for answer in kernel.wait(*sent)] == ["'met'"] * 3


def test_cells_of_one_subshell_run_one_after_another(kernel: Wire, child: str) -> None:
    kernel.execute("lock = threading.Lock()")
    cell = "free = lock.acquire(blocking=False)\nlock.release()\nfree"
    sent = [kernel.send_execute(cell, subshell=child) for _ in range(20)]
    assert {answer.result for answer in kernel.wait(*sent)} == {"True"}


def test_create_and_use_while_main_executes(kernel: Wire) -> None:
    kernel.execute("import threading; go = threading.Event()")
    running = kernel.begin("go.wait()")
    made = [kernel.create() for _ in range(3)]
    assert kernel.shells() == made
    for subshell in made:
        assert kernel.execute("'here'", subshell=subshell).result == "'here'"
    kernel.execute("go.set()", subshell=made[0])
    assert kernel.wait(running)[0].status == "ok"


@pytest.mark.parametrize("failing", ["main", "child"])
def test_an_error_stops_the_queue_of_its_own_shell(kernel: Wire, child: str, failing: str) -> None:
    other = kernel.create()
    bad, good = (None, child) if failing == "main" else (child, None)
    first = kernel.begin("go.wait()\nraise ValueError", subshell=bad)
    aborted = [kernel.send_execute("1", subshell=bad) for _ in range(3)]
    unharmed = [kernel.send_execute("1", subshell=good) for _ in range(3)]
    kernel.execute("go.set()", subshell=other)
    assert kernel.wait(first)[0].status == "error"
    assert [a.status for a in kernel.wait(*aborted)] == ["aborted"] * 3
    assert [a.status for a in kernel.wait(*unharmed)] == ["ok"] * 3
    assert kernel.execute("'again'", subshell=bad).result == "'again'"


def test_only_cells_are_aborted_by_an_error(kernel: Wire, child: str) -> None:
    first = kernel.begin("go.wait()\nraise ValueError", subshell=child)
    content = {"code": "pri", "cursor_pos": 3}
    behind = kernel.send("complete_request", content, subshell=child)
    kernel.execute("go.set()")
    assert [a.status for a in kernel.wait(first, behind)] == ["error", "ok"]


def test_busy_and_idle_have_the_request_as_parent(kernel: Wire, child: str) -> None:
    kernel.execute("meet = threading.Barrier(2, timeout=30)")
    sent = [
        kernel.send_execute("turn = meet.wait()", subshell=subshell)
        for _ in range(5)
        for subshell in (None, child)
    ]
    for msg_id, answer in zip(sent, kernel.wait(*sent), strict=True):
        states = [m for m in answer.iopub if m["msg_type"] == "status"]
        assert [m["content"]["execution_state"] for m in states] == ["busy", "idle"]
        for message in states:
            assert message["parent_header"]["msg_id"] == msg_id
            assert message["parent_header"]["msg_type"] == "execute_request"


def test_idle_is_the_last_message_of_a_request(kernel: Wire, child: str) -> None:
    cell = "print('out'); print('err', file=sys.stderr); display(1); 'result'"
    for subshell in (None, child):
        types = [m["msg_type"] for m in kernel.execute(cell, subshell=subshell).iopub]
        assert types[:2] == ["status", "execute_input"]
        assert types[-1] == "status"
        assert {"stream", "display_data", "execute_result"} <= set(types)


def test_control_requests_have_busy_and_idle_too(kernel: Wire) -> None:
    for msg_type in ("create_subshell_request", "list_subshell_request"):
        assert kernel.request(msg_type, channel="control").states == ["busy", "idle"]


def test_the_magic_lists_the_ids(kernel: Wire) -> None:
    made = [kernel.create() for _ in range(2)]
    answer = kernel.execute("%subshell")
    shown = answer.text() + "".join(answer.shown)
    assert all(subshell in shown for subshell in made)


def test_all_messages_carry_the_session_of_the_kernel(kernel: Wire, child: str) -> None:
    answers = [kernel.execute("'x'"), kernel.execute("'x'", subshell=child)]
    answers.append(kernel.request("list_subshell_request", channel="control"))
    sessions = set()
    for answer in answers:
        assert answer.reply is not None
        sessions |= {m["header"]["session"] for m in (answer.reply, *answer.iopub)}
    assert len(sessions) == 1


@pytest.mark.parametrize("cells", [0, 1])
def test_shutdown_with_subshells(kernel: Wire, process: KernelProcess, cells: int) -> None:
    for _ in range(3):
        subshell = kernel.create()
        for _ in range(cells):
            kernel.execute("1", subshell=subshell)
    msg_id = kernel.send("shutdown_request", {"restart": False}, channel="control")
    kernel.expect_reply[msg_id] = False  # its idle may be lost with the process, as in stock
    kernel.until(lambda: kernel.answers[msg_id].reply is not None)
    assert kernel.answers[msg_id].status == "ok"
    assert process.gone_within(5)


def test_shutdown_is_published(kernel: Wire, child: str, process: KernelProcess) -> None:
    msg_id = kernel.send("shutdown_request", {"restart": True}, channel="control")
    kernel.expect_reply[msg_id] = False
    kernel.until(lambda: bool(kernel.answers[msg_id].of("shutdown_reply")))
    assert kernel.answers[msg_id].of("shutdown_reply")[0]["restart"] is True
    assert process.gone_within(5)
