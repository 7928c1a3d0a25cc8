"""Comms: where their callbacks run, one at a time and in order, and what front ends get (G2).

Widgets are real ones; the messages are those that JupyterLab sends. See test_g2_right_place.py for
the names (`meet`, `go`) that these cells use.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire import Answer, KernelProcess, Wire

MAIN, COMMS = "MainThread", "subshell-ipyext-comms"

SETUP = """
import ipywidgets
from ipywidgets.comm import create_comm
manager = get_ipython().kernel.comm_manager
first, second = threading.Event(), threading.Event()
heard, inside, twice, threads = {}, set(), [], set()
def new(target):
    comm = create_comm(target_name=target)
    def hear(message):
        data, key = message["content"]["data"], comm.comm_id
        if key in inside:
            twice.append((key, data["n"]))
        inside.add(key)
        threads.add(threading.current_thread().name)
        print(threading.current_thread().name)
        if "hold" in data:
            print("held", flush=True)
            globals()[data["hold"]].wait(30)
        if "slow" in data:
            time.sleep(0.001)  # two at once would meet here
        heard.setdefault(key, []).append(data["n"])
        inside.discard(key)
    comm.on_msg(hear)
    print(comm.comm_id)
    return comm
"""


@pytest.fixture
def comms(kernel: Wire, child: str) -> str:
    """The id of a child, in a kernel with ipywidgets and `new`, which makes comms."""
    # %config keeps settings for the next load, and a process is used by several tests.
    reset = "%config IPyExt.comms = 'auto'\n%config IPyExt.comm_targets = {}"
    assert kernel.execute(SETUP + reset).status == "ok"
    return child


@pytest.fixture(autouse=True)
def nothing_astray(kernel: Wire) -> Iterator[None]:
    yield
    kernel.pump()
    assert kernel.stray_output() == []


def new(kernel: Wire, target: str = "any", **where: Any) -> str:
    """Make a comm in the kernel that prints the thread of its callback; returns its id."""
    count = f"comm_{len(kernel.sent)}"
    return kernel.execute(f"{count} = new({target!r})", **where).text().strip()


def tell(kernel: Wire, comm_id: str, n: int = 0, subshell: str | None = None, **data: Any) -> str:
    return kernel.send(
        "comm_msg", {"comm_id": comm_id, "data": {"n": n, **data}}, subshell=subshell
    )


def widget(kernel: Wire, code: str, subshell: str | None = None) -> str:
    """Run `code` and return the id of the comm of the widget that its last line names."""
    lines = code.splitlines()
    lines[-1] = f"print(({lines[-1]}).model_id)"
    return kernel.execute("\n".join(lines), subshell=subshell).text().strip()


def move(kernel: Wire, comm_id: str, value: int, **where: Any) -> str:
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    return kernel.send("comm_msg", {"comm_id": comm_id, "data": data}, **where)


def click(kernel: Wire, comm_id: str, **where: Any) -> str:
    data = {"method": "custom", "content": {"event": "click"}}
    return kernel.send("comm_msg", {"comm_id": comm_id, "data": data}, **where)


def updates(answer: Answer) -> list[tuple[str, Any]]:
    """The widget states that the kernel has sent, without echoes of what it was sent."""
    return [
        (content["comm_id"], content["data"]["state"])
        for content in answer.of("comm_msg")
        if content["data"].get("method") == "update"
    ]


# -- where callbacks run ---------------------------------------------------------------------------


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


# -- widgets ---------------------------------------------------------------------------------------

SLIDER = """
slider, label = ipywidgets.IntSlider(), ipywidgets.Label()
def moved(change):
    print("moved to", change["new"])
    label.value = str(change["new"])
slider.observe(moved, "value")
"""


@pytest.mark.fault
@pytest.mark.parametrize(
    "cell",
    ["go.wait()", "while not go.is_set(): pass", "while slider.value != 7: pass\ngo.wait()"],
    ids=["waiting", "looping", "looking at the slider"],
)
def test_a_slider_while_main_is_busy(kernel: Wire, comms: str, cell: str) -> None:
    slider = widget(kernel, SLIDER + "slider")
    label = widget(kernel, "label")
    running = kernel.begin(cell)
    (answer,) = kernel.wait(move(kernel, slider, 7))
    assert answer.text() == "moved to 7\n"
    assert updates(answer) == [(label, {"value": "7"})]
    assert kernel.execute("slider.value, label.value", subshell=comms).result == "(7, '7')"
    kernel.execute("go.set()", subshell=comms)
    (main,) = kernel.wait(running)
    assert (main.status, main.text(), main.of("comm_msg")) == ("ok", "begun\n", [])
    (idle,) = kernel.wait(move(kernel, slider, 8))
    assert (idle.text(), updates(idle)) == ("moved to 8\n", [(label, {"value": "8"})])


def test_a_button_while_main_is_busy(kernel: Wire, comms: str) -> None:
    code = "button = ipywidgets.Button()\nbutton.on_click(lambda b: print('clicked', b is button))"
    button = widget(kernel, f"{code}\nbutton")
    running = kernel.begin("while not go.is_set(): pass")
    for answer in kernel.wait(*(click(kernel, button) for _ in range(5))):
        assert answer.text() == "clicked True\n"
    kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(running)[0].text() == "begun\n"


def test_an_output_widget_in_a_callback(kernel: Wire, comms: str) -> None:
    code = (
        "out, button = ipywidgets.Output(), ipywidgets.Button()\n"
        "def clicked(_):\n    with out:\n        print('inside')\nbutton.on_click(clicked)\n"
    )
    button = widget(kernel, code + "button")
    out = widget(kernel, "out")
    running = kernel.begin("go.wait()")
    sent = click(kernel, button)
    (answer,) = kernel.wait(sent)
    # The front end shows in the widget what comes under the message that the widget names.
    assert updates(answer) == [(out, {"msg_id": sent}), (out, {"msg_id": ""})]
    assert answer.text() == "inside\n"
    kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(running)[0].text() == "begun\n"


def test_a_progress_bar_of_main_beside_a_slider(kernel: Wire, comms: str) -> None:
    slider = widget(kernel, SLIDER + "slider")
    label = widget(kernel, "label")
    bar = widget(kernel, "bar = ipywidgets.IntProgress(max=1000)\nbar")
    # Every move of the slider meets three of the bar.
    kernel.execute("def meets(_):\n    meet.wait()\nslider.observe(meets, 'value')")
    running = kernel.begin(
        "for n in range(20):\n    meet.wait()\n    for step in range(3):\n"
        "        bar.value = 3 * n + step + 1"
    )
    moves = [move(kernel, slider, n + 1) for n in range(20)]
    for n, answer in enumerate(kernel.wait(*moves), 1):
        assert (answer.text(), updates(answer)) == (f"moved to {n}\n", [(label, {"value": str(n)})])
    assert updates(kernel.wait(running)[0]) == [(bar, {"value": n}) for n in range(1, 61)]


@pytest.mark.fault
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("policy", ["auto", "main", "header"])
def test_a_widget_of_a_deleted_child(kernel: Wire, comms: str, policy: str, busy: bool) -> None:
    kernel.execute(f"%config IPyExt.comms = {policy!r}")
    maker = kernel.create()
    slider = widget(kernel, SLIDER + "slider", subshell=maker)
    label = widget(kernel, "label", subshell=maker)
    kernel.delete(maker)
    running = kernel.begin("go.wait()") if busy else None
    sent = move(kernel, slider, 7, subshell=maker)  # the front end goes on naming the child
    if policy != "auto":
        kernel.execute("go.set()", subshell=comms)
    (answer,) = kernel.wait(sent)
    assert (answer.text(), updates(answer)) == ("moved to 7\n", [(label, {"value": "7"})])
    kernel.execute("go.set()", subshell=comms)
    if running is not None:
        assert kernel.wait(running)[0].text() == "begun\n"
    assert updates(kernel.execute("label.value = 'of main'")) == [(label, {"value": "of main"})]
    closed = kernel.execute("slider.close()", subshell=comms).of("comm_close")
    assert [content["comm_id"] for content in closed] == [slider]


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


# -- what front ends ask and open ------------------------------------------------------------------


def test_comm_info(kernel: Wire, comms: str) -> None:
    def info(subshell: str | None = None, **content: str) -> dict[str, Any]:
        answer = kernel.request("comm_info_request", content, subshell=subshell)
        assert answer.status == "ok"
        return dict(answer.content["comms"])

    former = info()
    mine, of_child = new(kernel, "of main"), new(kernel, "of a child", subshell=comms)
    made = {mine: {"target_name": "of main"}, of_child: {"target_name": "of a child"}}
    running = None
    for busy in (False, True):
        if busy:
            running = kernel.begin("go.wait()")
        for where in (None, comms):
            assert info(where) == {**former, **made}, (busy, where)
            assert info(where, target_name="of a child") == {of_child: made[of_child]}
            assert info(where, target_name="of nobody") == {}
    kernel.request("comm_close", {"comm_id": of_child, "data": {}})
    assert of_child not in info()
    kernel.execute("go.set()", subshell=comms)
    assert running is not None
    kernel.wait(running)
    assert of_child not in info()


def test_comm_info_while_main_opens_a_comm(kernel: Wire, comms: str) -> None:
    # The kernel looks at one comm after the other; main opens another one meanwhile.
    kernel.execute(
        "class Slow:\n    @property\n    def target_name(self):\n        first.set()\n"
        "        second.wait(30)\n        return 'slow'\n"
        "manager.comms['slow'] = Slow()"
    )
    running = kernel.begin("first.wait(30)\nfresh = new('fresh')\nsecond.set()\ngo.wait()")
    answer = kernel.request("comm_info_request")
    kernel.execute("go.set()\n_ = manager.comms.pop('slow')", subshell=comms)
    kernel.wait(running)
    assert answer.status == "ok", answer.content
    assert answer.content["comms"]["slow"] == {"target_name": "slow"}


TARGET = """
def opened(comm, message):
    print("opened with", message["content"]["data"])
    comm.on_msg(lambda message: print("message", message["content"]["data"]))
    comm.on_close(lambda message: print("closed with", message["content"]["data"]))
    comm.send({"hello": threading.current_thread().name})
manager.register_target("here", opened)
"""


def test_a_comm_of_the_front_end_while_main_is_busy(kernel: Wire, comms: str) -> None:
    kernel.execute(TARGET)
    running = kernel.begin("go.wait()")
    where = {"comm_id": "theirs"}
    opened = kernel.request("comm_open", {**where, "target_name": "here", "data": {"n": 1}})
    assert opened.text() == "opened with {'n': 1}\n"
    assert [c["data"] for c in opened.of("comm_msg")] == [{"hello": COMMS}]
    message = kernel.request("comm_msg", {**where, "data": {"n": 2}})
    assert message.text() == "message {'n': 2}\n"
    assert "theirs" in kernel.request("comm_info_request").content["comms"]
    closed = kernel.request("comm_close", {**where, "data": {"n": 3}})
    assert closed.text() == "closed with {'n': 3}\n"
    assert "theirs" not in kernel.request("comm_info_request").content["comms"]
    kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(running)[0].text() == "begun\n"


def test_a_comm_opened_while_main_is_busy_and_used_when_it_is_idle(
    kernel: Wire, comms: str
) -> None:
    kernel.execute(TARGET)
    running = kernel.begin("go.wait()")
    where = {"comm_id": "theirs"}
    sent = [kernel.send("comm_open", {**where, "target_name": "here", "data": {}})]
    sent.append(kernel.send_execute("go.set()", subshell=comms))
    sent.extend(kernel.send("comm_msg", {**where, "data": {"n": n}}) for n in range(20))
    sent.append(kernel.send("comm_close", {**where, "data": {}}))
    kernel.wait(running, *sent)
    texts = [kernel.answers[msg_id].text() for msg_id in sent if msg_id != sent[1]]
    messages = [f"message {{'n': {n}}}\n" for n in range(20)]
    assert texts == ["opened with {}\n", *messages, "closed with {}\n"]


def test_a_comm_for_a_target_that_nobody_knows(kernel: Wire, comms: str) -> None:
    running = kernel.begin("go.wait()")
    refused = kernel.request("comm_open", {"comm_id": "lost", "target_name": "none", "data": {}})
    assert [content["comm_id"] for content in refused.of("comm_close")] == ["lost"]
    assert "lost" not in kernel.request("comm_info_request").content["comms"]
    kernel.execute("go.set()", subshell=comms)
    assert kernel.wait(running)[0].status == "ok"


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_an_error_in_a_callback_of_a_widget(kernel: Wire, comms: str, busy: bool) -> None:
    kernel.execute("def fails(_):\n    print('before')\n    raise KeyError('of the callback')")
    button = widget(kernel, "button = ipywidgets.Button()\nbutton.on_click(fails)\nbutton")
    slider = widget(kernel, SLIDER + "slider.observe(fails, 'value')\nslider")
    running = kernel.begin("go.wait()") if busy else None
    queued = kernel.send_execute("'not aborted'") if busy else None
    for sent, text in ((click(kernel, button), ""), (move(kernel, slider, 7), "moved to 7\n")):
        (answer,) = kernel.wait(sent)
        assert answer.text() == f"{text}before\n"
        assert [e["ename"] for e in answer.of("error")] == ["KeyError"]
        assert "of the callback" in answer.of("error")[0]["evalue"]
    kernel.execute("go.set()", subshell=comms)
    if running is not None and queued is not None:
        assert kernel.wait(running)[0].status == "ok"
        assert kernel.wait(queued)[0].result == "'not aborted'"
    kernel.execute("button.on_click(fails, remove=True); button.on_click(lambda _: print('fine'))")
    assert kernel.wait(click(kernel, button))[0].text() == "fine\n"


def test_an_error_in_a_callback_leaves_the_last_one_of_main(kernel: Wire, comms: str) -> None:
    kernel.execute("def fails(_): raise KeyError('of the callback')")
    button = widget(kernel, "button = ipywidgets.Button()\nbutton.on_click(fails)\nbutton")
    kernel.execute("raise ValueError('of main')")
    running = kernel.begin("go.wait()")
    assert kernel.wait(click(kernel, button))[0].of("error")
    kernel.execute("go.set()", subshell=comms)
    kernel.wait(running)
    assert kernel.execute("sys.last_value").result == "ValueError('of main')"
    assert [e["evalue"] for e in kernel.execute("%tb").of("error")] == ["of main"]


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_an_error_in_a_callback_of_a_plain_comm(
    kernel: Wire, process: KernelProcess, comms: str, busy: bool
) -> None:
    kernel.execute("def fails(_):\n    raise KeyError('in comm %d' % len(heard))")
    kernel.execute("plain = create_comm(target_name='any')\nplain.on_msg(fails)")
    comm_id = kernel.execute("print(plain.comm_id)").text().strip()
    before = process.log.read_text().count("in comm 0")
    running = kernel.begin("go.wait()") if busy else None
    (answer,) = kernel.wait(tell(kernel, comm_id))
    # Older releases write to the kernel's log, newer ones to the cell.
    reported = answer.text("stderr") + process.log.read_text()
    assert reported.count("in comm 0") > before
    kernel.execute("go.set()\nplain.on_msg(lambda _: print('fine'))", subshell=comms)
    if running is not None:
        assert kernel.wait(running)[0].text("stderr") == ""
    assert kernel.wait(tell(kernel, comm_id))[0].text() == "fine\n"
