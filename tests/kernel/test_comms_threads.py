"""Where callbacks of comms run, one at a time and in order.

See test_g2_right_place.py for the names (`meet`, `go`) that these cells use.
"""

from __future__ import annotations

import pytest

from tests.kernel.comms import COMMS, MAIN, new, tell
from tests.wire import Wire


@pytest.mark.parametrize(
    ("policy", "busy", "header", "runs_in"),
    [
        ("auto", False, "none", "main"),
        ("auto", False, "child", "main"),
        ("auto", True, "none", "comms"),
        ("auto", True, "child", "comms"),
        ("auto", True, "gone", "comms"),
        ("main", False, "child", "main"),
        ("main", True, "none", "main"),
        ("main", True, "child", "main"),
        ("header", False, "none", "main"),
        ("header", False, "child", "child"),
        ("header", True, "none", "main"),
        ("header", True, "child", "child"),
        ("header", True, "gone", "main"),
    ],
)
def test_policy(
    kernel: Wire, comms: str, policy: str, busy: bool, header: str, runs_in: str
) -> None:
    comm_id = new(kernel)
    kernel.execute(f"%config IPyExt.comms = {policy!r}")
    sender = {"none": None, "child": comms, "gone": "nobody"}[header]
    thread = {"main": MAIN, "comms": COMMS, "child": f"subshell-{comms}"}[runs_in]
    running = kernel.begin("go.wait()") if busy else None
    message = tell(kernel, comm_id, subshell=sender)
    if busy and runs_in == "main":  # it waits, and nothing else does
        assert kernel.execute("heard", subshell=comms).result == "{}"
        kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(message)[0].text() == f"{thread}\n"
    if running is not None:
        kernel.execute("go.set()", subshell=comms)
        assert kernel.wait(running)[0].text() == "begun\n"


def test_policies_of_targets(kernel: Wire, comms: str) -> None:
    kernel.execute("%config IPyExt.comm_targets = {'held': 'main', 'sent': 'header'}")
    kernel.execute("manager.register_target('held', lambda comm, message: print('opened'))")
    held, sent, other = (new(kernel, target) for target in ("held", "sent", "other"))
    running = kernel.begin("go.wait()")
    waiting = tell(kernel, held, subshell=comms)
    opening = kernel.send("comm_open", {"comm_id": "theirs", "target_name": "held", "data": {}})
    (in_child,) = kernel.wait(tell(kernel, sent, subshell=comms))
    (beside,) = kernel.wait(tell(kernel, other, subshell=comms))
    assert (in_child.text(), beside.text()) == (f"subshell-{comms}\n", f"{COMMS}\n")
    assert not kernel.answers[waiting].iopub
    assert not kernel.answers[opening].iopub
    kernel.execute("go.set()", subshell=comms)
    kernel.wait(running)
    assert kernel.wait(waiting)[0].text() == f"{MAIN}\n"
    assert kernel.wait(opening)[0].text() == "opened\n"


def test_a_policy_changes_while_main_is_busy(kernel: Wire, comms: str) -> None:
    one, other = new(kernel), new(kernel)
    running = kernel.begin("go.wait()")
    kernel.execute("%config IPyExt.comms = 'main'", subshell=comms)
    sent = [tell(kernel, one, 1)]
    kernel.execute("%config IPyExt.comms = 'auto'", subshell=comms)
    assert kernel.wait(tell(kernel, other))[0].text() == f"{COMMS}\n"
    sent.append(tell(kernel, one, 2))  # must not overtake the first one
    assert kernel.wait(tell(kernel, other))[0].text() == f"{COMMS}\n"
    assert kernel.execute(f"{one!r} in heard", subshell=comms).result == "False"
    kernel.execute("go.set()", subshell=comms)
    kernel.wait(running, *sent)
    assert kernel.execute(f"heard[{one!r}]").result == "[1, 2]"
    assert kernel.wait(tell(kernel, one))[0].text() == f"{MAIN}\n"


# -- one callback at a time, in order --------------------------------------------------------------


def heard(kernel: Wire, comm_id: str, subshell: str | None = None) -> str:
    """What the comm has heard, and how often two of its callbacks ran at once."""
    found = kernel.execute(f"print((heard.get({comm_id!r}, []), len(twice)))", subshell=subshell)
    return found.text().strip()


def test_a_callback_that_outlasts_the_cell_of_main(kernel: Wire, comms: str) -> None:
    one, other = new(kernel), new(kernel)
    running = kernel.begin("first.wait(30)")
    sent = [tell(kernel, one, 1, hold="go")]
    kernel.wait_for_text(sent[0], f"{COMMS}\nheld\n")
    kernel.execute("first.set()", subshell=comms)
    kernel.wait(running)
    sent.append(tell(kernel, one, 2))  # main is idle, but the first one is not done with
    assert kernel.wait(tell(kernel, other))[0].text() == f"{MAIN}\n"
    assert heard(kernel, one) == "([], 0)"
    kernel.execute("go.set()")
    kernel.wait(*sent)
    assert heard(kernel, one) == "([1, 2], 0)"
    assert kernel.wait(tell(kernel, one))[0].text() == f"{MAIN}\n"


def test_a_callback_that_keeps_main_busy(kernel: Wire, comms: str) -> None:
    one, other = new(kernel), new(kernel)
    sent = [tell(kernel, one, 1, hold="go")]
    kernel.wait_for_text(sent[0], f"{MAIN}\nheld\n")
    sent.append(tell(kernel, one, 2))  # main is busy, with the message before this one
    assert kernel.wait(tell(kernel, other))[0].text() == f"{COMMS}\n"
    assert heard(kernel, one, subshell=comms) == "([], 0)"
    kernel.execute("go.set()", subshell=comms)
    kernel.wait(*sent)
    assert heard(kernel, one) == "([1, 2], 0)"


@pytest.mark.parametrize("then", ["another child", "no child", "policy auto", "policy main"])
def test_a_callback_that_keeps_a_child_busy(kernel: Wire, comms: str, then: str) -> None:
    kernel.execute("%config IPyExt.comms = 'header'")
    one, holder = new(kernel), kernel.create()
    sent = [tell(kernel, one, 1, holder, hold="go")]
    kernel.wait_for_text(sent[0], f"subshell-{holder}\nheld\n")
    if then.startswith("policy"):
        kernel.execute(f"%config IPyExt.comms = {then.split()[1]!r}")
    sent.append(tell(kernel, one, 2, comms if then == "another child" else None))
    # What would come before these, if the second message was where these go:
    assert heard(kernel, one, subshell=comms) == heard(kernel, one) == "([], 0)"
    kernel.execute("go.set()")
    kernel.wait(*sent)
    assert heard(kernel, one) == "([1, 2], 0)"


@pytest.mark.parametrize("how", ["on control", "by a cell", "from Python"])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_what_waits_in_a_child_that_is_deleted(
    kernel: Wire, comms: str, busy: bool, how: str
) -> None:
    kernel.execute("%config IPyExt.comms = 'header'\nimport ipyext")
    ids, deleted = [new(kernel), new(kernel)], kernel.create()
    holding = kernel.begin("go.wait(30)", subshell=deleted)
    running = kernel.begin("first.wait(30)") if busy else None
    waiting = [tell(kernel, ids[n % 2], n, deleted) for n in range(20)]
    aborted = kernel.send_execute("1", subshell=deleted)
    kernel.execute("1", subshell=comms)  # the messages before this one have arrived
    if how == "on control":
        kernel.delete(deleted)
    else:
        cells = {
            "by a cell": f"%subshell delete {deleted}",
            "from Python": f"ipyext.delete_subshell({deleted!r})",
        }
        assert kernel.execute(cells[how], subshell=comms).status == "ok"
    later = [tell(kernel, ids[n % 2], n, deleted) for n in range(20, 30)]
    assert kernel.wait(aborted)[0].content["ename"] == "SubshellDeletedError"
    if busy:  # they wait for main, as every message that names no child
        assert heard(kernel, ids[0], subshell=comms) == "([], 0)"
    kernel.execute("first.set(); go.set()", subshell=comms)
    texts = {answer.text() for answer in kernel.wait(*waiting, *later)}
    assert texts == {f"{MAIN}\n"}
    for even, comm_id in enumerate(ids):
        assert heard(kernel, comm_id) == f"({[n for n in range(30) if n % 2 == even]}, 0)"
    kernel.wait(holding, *([] if running is None else [running]))


@pytest.mark.parametrize("policy", ["auto", "header"])
def test_messages_stream_in_while_main_is_busy_and_idle(
    kernel: Wire, comms: str, policy: str
) -> None:
    kernel.execute(f"%config IPyExt.comms = {policy!r}")
    ids = [new(kernel), new(kernel)]
    senders = [comms, None, kernel.create()]
    sent = []
    for block in range(10):
        kernel.execute("go.clear()")
        sent.append(kernel.begin("go.wait()"))
        for n in range(20):
            if n == 10:  # main gets idle anywhere in the second half
                sent.append(kernel.send_execute("go.set()", subshell=comms))
            number = 20 * block + n
            sent.append(tell(kernel, ids[n % 2], number, senders[n % 3], slow=True))
    kernel.wait(*sent)
    for even, comm_id in enumerate(ids):
        assert heard(kernel, comm_id) == f"({[n for n in range(200) if n % 2 == even]}, 0)"
    used = kernel.execute("sorted(threads)").result
    assert used is not None
    assert COMMS in used if policy == "auto" else f"subshell-{comms}" in used


def test_a_callback_that_would_exit(kernel: Wire, comms: str) -> None:
    leaving = kernel.execute(
        "comm = create_comm(target_name='any')\n"
        "def leave(message): raise SystemExit\n"
        "comm.on_msg(leave)\nprint(comm.comm_id)"
    )
    other = new(kernel)
    running = kernel.begin("first.wait(30)")
    kernel.wait(tell(kernel, other))
    find = f"thread = next(t for t in threading.enumerate() if t.name == {COMMS!r})"
    kernel.execute(find, subshell=comms)
    kernel.wait(tell(kernel, leaving.text().strip()))
    assert kernel.wait(tell(kernel, other))[0].text() == f"{COMMS}\n"
    assert kernel.execute("first.set()\nthread.is_alive()", subshell=comms).result == "True"
    assert kernel.wait(running)[0].text("stderr") == ""
