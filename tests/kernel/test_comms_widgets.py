"""Widgets while main is busy (G2). They are real ones, and the messages those of JupyterLab.

See test_g2_right_place.py for the names (`meet`, `go`) that these cells use.
"""

from __future__ import annotations

import pytest

from tests.kernel.comms import SLIDER, click, move, tell, updates, widget
from tests.wire import KernelProcess, Wire


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
