"""G1: every request gets exactly one reply and one busy/idle pair, whatever else is happening.

The client counts replies and states of every request of every test (`Wire.check`); here are those
tests that are about nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.requests import (
    COMM_MESSAGES,
    CONTROL_REQUESTS,
    MALFORMED,
    SHELL_REQUESTS,
    Expect,
    cases,
)
from tests.wire import KernelProcess, Wire

LOOP = "while not go.is_set(): pass"


def send_all(kernel: Wire, requests: dict[str, dict[str, object]], **where: object) -> list[str]:
    return [kernel.send(name, content, **where) for name, content in requests.items()]  # type: ignore[arg-type]


# -- every request, everywhere ---------------------------------------------------------------------


def test_requests_to_idle_main(kernel: Wire) -> None:
    kernel.wait(*send_all(kernel, {**SHELL_REQUESTS, **COMM_MESSAGES}))


def test_requests_to_an_idle_child(kernel: Wire, child: str) -> None:
    kernel.wait(*send_all(kernel, {**SHELL_REQUESTS, **COMM_MESSAGES}, subshell=child))


def test_requests_on_control_of_an_idle_kernel(kernel: Wire) -> None:
    kernel.wait(*send_all(kernel, CONTROL_REQUESTS, channel="control"))


def test_requests_to_main_while_main_loops(kernel: Wire, child: str) -> None:
    loop = kernel.begin(LOOP)
    sent = send_all(kernel, {**SHELL_REQUESTS, **COMM_MESSAGES})
    queued, at_once = sent[0], sent[1:]
    kernel.wait(*at_once)
    assert kernel.answers[queued].reply is None, "a plain cell waits for its turn"
    kernel.execute("go.set()", subshell=child)
    kernel.wait(loop, queued)


def test_requests_to_a_child_while_main_loops(kernel: Wire, child: str) -> None:
    loop = kernel.begin(LOOP)
    kernel.wait(*send_all(kernel, {**SHELL_REQUESTS, **COMM_MESSAGES}, subshell=child))
    kernel.execute("go.set()", subshell=child)
    kernel.wait(loop)


def test_requests_to_a_child_that_loops(kernel: Wire, child: str) -> None:
    loop = kernel.begin(LOOP, subshell=child)
    sent = send_all(kernel, SHELL_REQUESTS, subshell=child)
    kernel.execute("go.set()")
    kernel.wait(loop, *sent)


def test_requests_to_main_while_a_child_loops(kernel: Wire, child: str) -> None:
    loop = kernel.begin(LOOP, subshell=child)
    kernel.wait(*send_all(kernel, {**SHELL_REQUESTS, **COMM_MESSAGES}))
    kernel.execute("go.set()")
    kernel.wait(loop)


def test_requests_on_control_while_main_loops(kernel: Wire, child: str) -> None:
    loop = kernel.begin(LOOP)
    kernel.wait(*send_all(kernel, CONTROL_REQUESTS, channel="control"))
    kernel.execute("go.set()", subshell=child)
    kernel.wait(loop)


def test_cells_of_children_run_in_order_and_answer_in_order(kernel: Wire, child: str) -> None:
    sent = [kernel.send_execute(f"order = {n}; order", subshell=child) for n in range(10)]
    assert [answer.result for answer in kernel.wait(*sent)] == [str(n) for n in range(10)]


def test_silent_cells_are_answered(kernel: Wire, child: str) -> None:
    for where in (None, child):
        answer = kernel.execute("6 * 7", subshell=where, silent=True)
        assert (answer.status, answer.result) == ("ok", None)


def test_user_expressions_of_a_child(kernel: Wire, child: str) -> None:
    answer = kernel.execute("y = 20", subshell=child, user_expressions={"a": "y + 1", "b": "1/0"})
    found = answer.content["user_expressions"]
    assert found["a"]["data"]["text/plain"] == "21"
    assert (found["b"]["status"], found["b"]["ename"]) == ("error", "ZeroDivisionError")


@pytest.mark.fault
@pytest.mark.parametrize("content", [{}, {"subshell_id": None}, {"subshell_id": ["x"]}])
def test_delete_without_a_proper_id(kernel: Wire, content: dict[str, Any]) -> None:
    reply = kernel.control("delete_subshell_request", content)
    assert reply["status"] == "error"
    assert reply["ename"]
    assert reply["evalue"]
    assert isinstance(reply["traceback"], list)


@pytest.mark.fault
@pytest.mark.parametrize("wanted", [["x"], {"x": 1}])
def test_a_subshell_id_that_is_no_string(kernel: Wire, wanted: object) -> None:
    answer = kernel.execute("1", subshell=wanted)
    assert (answer.status, answer.states) == ("error", ["busy", "idle"])
    assert answer.content["ename"] == "UnknownSubshellError"


# -- what no client should send --------------------------------------------------------------------


@pytest.fixture(scope="module")
def survivor() -> Iterator[Wire]:
    """One kernel that lives through all malformed messages of this module."""
    process = KernelProcess()
    try:
        kernel = process.client()
        assert kernel.execute("%load_ext ipyext").status == "ok"
        yield kernel
        kernel.pump()
        kernel.check()
    finally:
        process.close()


def send_malformed(kernel: Wire, name: str, channel: str) -> str | None:
    bad = MALFORMED[name]
    header = {**kernel.header("x"), "msg_type": bad.msg_type, **bad.header}
    if bad.without is not None:
        del header[bad.without]
    content = bad.content if isinstance(bad.content, bytes) else json.dumps(bad.content).encode()
    return kernel.send_parts(channel, header, content, metadata=bad.metadata, parent=bad.parent)


@pytest.mark.parametrize(
    ("channel", "name"),
    [(channel, name) for channel in ("shell", "control") for name in cases(channel)],
)
def test_malformed(survivor: Wire, channel: str, name: str) -> None:
    expect = MALFORMED[name].expect
    msg_id = send_malformed(survivor, name, channel)
    if expect is Expect.DROPPED:
        after = survivor.send("kernel_info_request", channel=channel)
        survivor.wait(after)
        if msg_id is not None:
            survivor.expect_reply[msg_id] = False
            assert (survivor.answers[msg_id].replies, survivor.answers[msg_id].states) == (0, [])
        return
    assert msg_id is not None
    answer = survivor.wait(msg_id)[0]
    if expect is Expect.ERROR:
        assert answer.status == "error"
        assert isinstance(answer.content["ename"], str)
        assert answer.content["ename"]
        assert isinstance(answer.content["evalue"], str)
        assert isinstance(answer.content["traceback"], list)
    elif expect is Expect.ANY and MALFORMED[name].msg_type != "debug_request":  # a DAP response
        assert answer.status in ("ok", "error")
    assert survivor.request("kernel_info_request", channel=channel).status == "ok"
    assert survivor.execute("40 + 2").result == "42"


def test_a_wrong_signature_is_dropped(survivor: Wire) -> None:
    header = survivor.header("execute_request")
    content = b'{"code": "forged = 1", "silent": false}'
    for channel in ("shell", "control"):
        msg_id = survivor.send_parts(channel, header, content, signature=b"0" * 64)
        assert msg_id is not None
        survivor.expect_reply[msg_id] = False
        assert survivor.request("kernel_info_request", channel=channel).status == "ok"
    assert survivor.execute("'forged' in globals()").result == "False"


def test_a_message_sent_twice_runs_once(survivor: Wire) -> None:
    survivor.execute("runs = 0")
    header = survivor.header("execute_request")
    content = b'{"code": "runs += 1", "silent": false}'
    first = survivor.send_parts("shell", header, content)
    assert survivor.send_parts("shell", header, content) == first
    survivor.wait(str(first))
    assert survivor.execute("runs").result == "1"


def test_too_few_frames_are_dropped(survivor: Wire) -> None:
    for channel in ("shell", "control"):
        for frames in ([b""], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{}"], [b"x", b"y"]):
            survivor.sockets[channel].send_multipart(frames)
        assert survivor.request("kernel_info_request", channel=channel).status == "ok"


def test_headers_that_are_no_objects_are_dropped(survivor: Wire) -> None:
    for channel in ("shell", "control"):
        headers: list[Any] = [[], "execute_request", 1, None, {}]
        for header in headers:
            survivor.send_parts(channel, header)
        assert survivor.request("kernel_info_request", channel=channel).status == "ok"


def test_rubbish_on_stdin_answers_no_question(survivor: Wire) -> None:
    answer = survivor.begin("got = input('still there? ')\ngot", allow_stdin=True)
    question = survivor.wait_for_input()[0]
    survivor.sockets["stdin"].send_multipart([b"<IDS|MSG>", b"", b"{}"])
    for content in (b"{}", b"[]", b"{", b'{"value": null}', b'{"value": ["no"]}'):
        header = survivor.header("input_reply")
        msg_id = survivor.send_parts("stdin", header, content)
        survivor.expect_reply[str(msg_id)] = False
    survivor.answer_input(question, "yes")
    assert survivor.wait(answer)[0].result == "'yes'"


# -- deleted, aborted, crowded ---------------------------------------------------------------------


def test_a_deleted_subshell_is_refused(kernel: Wire, child: str) -> None:
    kernel.delete(child)
    answer = kernel.execute("1", subshell=child)
    assert answer.status == "error"
    assert answer.content["ename"]
    assert child in answer.content["evalue"]
    assert isinstance(answer.content["traceback"], list)


def test_every_kind_of_request_to_a_deleted_subshell_is_refused(kernel: Wire, child: str) -> None:
    kernel.delete(child)
    answers = kernel.wait(*send_all(kernel, SHELL_REQUESTS, subshell=child))
    assert {answer.status for answer in answers} == {"error"}


@pytest.mark.fault
def test_twenty_queued_cells_are_answered_when_their_subshell_is_deleted(
    kernel: Wire, child: str
) -> None:
    sent = [kernel.begin(LOOP, subshell=child)]
    sent += [kernel.send_execute(f"{n}", subshell=child) for n in range(19)]
    deletion = kernel.delete(child)
    answers = kernel.wait(*sent)
    assert deletion["status"] == "ok"
    assert {answer.status for answer in answers} == {"error"}
    kernel.execute("go.set()")


def test_cells_sent_while_their_subshell_is_deleted_are_answered(kernel: Wire, child: str) -> None:
    before = [kernel.send_execute("pass", subshell=child) for _ in range(20)]
    deletion = kernel.send("delete_subshell_request", {"subshell_id": child}, channel="control")
    after = [kernel.send_execute("pass", subshell=child) for _ in range(20)]
    kernel.wait(deletion, *before, *after)


def test_an_error_aborts_only_what_is_queued_behind_it(kernel: Wire, child: str) -> None:
    other = kernel.create()
    kernel.begin("go.wait(); 1/0", subshell=child)
    behind = [kernel.send_execute("pass", subshell=child) for _ in range(5)]
    elsewhere = [kernel.send_execute("pass", subshell=other) for _ in range(5)]
    kernel.execute("go.set()")
    assert {answer.status for answer in kernel.wait(*behind)} == {"aborted"}
    assert {answer.status for answer in kernel.wait(*elsewhere)} == {"ok"}
    assert kernel.execute("'again'", subshell=child).result == "'again'"
    kernel.wait(*(sent for sent in kernel.sent if kernel.expect_reply.get(sent, True)))


def test_an_error_with_stop_on_error_false_aborts_nothing(kernel: Wire, child: str) -> None:
    failing = kernel.begin("go.wait(); 1/0", subshell=child, stop_on_error=False)
    behind = kernel.send_execute("pass", subshell=child)
    kernel.execute("go.set()")
    assert [a.status for a in kernel.wait(failing, behind)] == ["error", "ok"]


@pytest.mark.fault
def test_ids_and_signatures_stay_unique_with_many_senders(kernel: Wire, child: str) -> None:
    """The client refuses a signature that it has seen, and notes ids that it has."""
    shells = [None, child, *(kernel.create() for _ in range(3))]
    cell = "for _ in range(10): display({'text/plain': 'x'}, raw=True)\n'done'"
    sent = [kernel.send_execute(cell, subshell=shell) for _ in range(10) for shell in shells]
    for answer in kernel.wait(*sent):
        assert answer.shown == ["x"] * 10
        assert answer.result == "'done'"
    assert not kernel.duplicate_ids


def test_two_clients_get_their_own_replies(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    other = process.client()
    mine = [kernel.send_execute(f"'mine {n}'", subshell=child) for n in range(10)]
    theirs = [other.send_execute(f"'theirs {n}'", subshell=child) for n in range(10)]
    assert [a.result for a in kernel.wait(*mine)] == [f"'mine {n}'" for n in range(10)]
    assert [a.result for a in other.wait(*theirs)] == [f"'theirs {n}'" for n in range(10)]
    other.check()
